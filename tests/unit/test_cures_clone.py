"""Each cure against the stand-in's clone: it breaks without the cure, and works with it."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.restore_kit import DOMAIN, SUBTREE, Kit

from bmswitch.lab.restore import orphans
from bmswitch.lab.restore.context import Reporter, RestoreError
from bmswitch.lab.store import Store
from bmswitch.model import topics
from bmswitch.model.errors import CloneError, RecordError
from bmswitch.model.record_types import (
    ENTRY_CLASS,
    META_CLASS,
    ROLE_CLASS,
    SEQUENCE_CLASS,
    USER_SETTINGS_CLASS,
)
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_key, encode_key
from bmswitch.replication.api import Cure, WaitingError
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures import children_wait
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.cures.deletions_mended import DeletionsMended
from bmswitch.replication.cures.id_sequences import IdSequences
from bmswitch.replication.cures.metadata_described import MetadataDescribed
from bmswitch.replication.reading import understand

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
TOPIC = topics.domain(IID, DOMAIN)
CARD = "net.bluemind.addressbook.api.VCard"
MAIL = "net.bluemind.backend.mail.replica.api."


def record(
    type_: str,
    uid: str,
    value: Any,
    *,
    owner: str = "u1",
    container: str = "c",
    number: int = 7,
    value_class: str | None = None,
    operation: Operation = Operation.CREATE,
    topic: str = TOPIC,
) -> LogRecord:
    """One record; offsets do not matter here."""
    key = encode_key(RecordKey(type_, owner, container, number, value_class, operation))
    whole = {"value": value, "uid": uid, "internalId": number, "version": 1, "valueClass": value_class}
    if operation is Operation.DELETE:
        whole = {"uid": uid}
    return LogRecord(topic, 3, number, 1, key, msgspec.json.encode(whole))


def entry(uid: str = "u1", operation: Operation = Operation.UPDATE) -> LogRecord:
    value = {
        "entry": {"entryUid": uid, "kind": "USER"},
        "vcard": None,
        "mailbox": None,
        "value": {"login": uid},
    }
    return record(
        "dir",
        uid,
        value,
        owner="system",
        container=DOMAIN,
        number=10,
        value_class=ENTRY_CLASS,
        operation=operation,
    )


def folder(uid: str = "f1") -> LogRecord:
    value = {"name": "Projects", "fullName": "Projects", "parentUid": None, "uidValidity": 4}
    return record(
        "replicated_mailboxes", uid, value, container=SUBTREE, number=20, value_class=MAIL + "MailboxReplica"
    )


def mail() -> LogRecord:
    value = {"imapUid": 7, "flags": [], "messageBody": "b1"}
    return record(
        "mailbox_records", "7.", value, container="mbox_records_f1", value_class=MAIL + "MailboxRecord"
    )


SETTINGS = record(
    "dir",
    "u1",
    {"values": {"lang": "fr"}},
    owner="system",
    container=DOMAIN,
    number=10,
    value_class=USER_SETTINGS_CLASS,
)
ROLE = record("role", "u1", {"kind": "USER", "roles": ["a"]}, container="r", number=8, value_class=ROLE_CLASS)


def handed_on(
    records: Sequence[LogRecord], cures: Sequence[Cure] = (), waiting: ChildrenWait | None = None
) -> list[LogRecord]:
    """What a mirror hands on; what is parked is left out."""
    chain, out = Chain(cures, waiting), list[LogRecord]()
    for one in records:
        try:
            cured = chain(one, understand(one))
        except WaitingError:
            continue
        except RecordError:
            cured = chain.mended(one)
        out += [one] if cured is None else cured
    return out


def cloned(records: Sequence[LogRecord]) -> Kit:
    kit = Kit()
    for number, one in enumerate(records):
        kit.router.apply(one.key, one.value, one.partition, number)
    return kit


@pytest.mark.parametrize("child", [SETTINGS, ROLE], ids=["settings", "role"])
def test_a_child_before_its_owner_ends_the_clone_without_the_cure_only(child: LogRecord) -> None:
    with pytest.raises(RestoreError):
        cloned([child, entry()])
    kit = cloned(handed_on([child, entry()], waiting=ChildrenWait(fresh=True)))
    assert kit.store.item(DOMAIN, "u1") is not None
    kind = "role" if child is ROLE else "user_settings"
    assert kit.side(kind, "u1", "u1")


def test_a_mail_before_its_folder_is_lost_without_the_cure_only() -> None:
    records = [entry(), mail(), folder()]
    assert cloned(records).store.item("mbox_records_f1", "7.") is None
    kit = cloned(handed_on(records, waiting=ChildrenWait(fresh=True)))
    assert kit.value("mbox_records_f1", "7.")["messageBody"] == "b1"


def test_a_mail_that_waits_for_owner_and_folder_comes_behind_both() -> None:
    for records, settled in (
        ([mail(), folder(), entry()], [folder(), mail()]),
        ([mail(), entry(), folder()], [mail()]),
    ):
        waiting = ChildrenWait(fresh=True)
        assert handed_on(records, waiting=waiting) == [entry(), folder(), mail()]
        assert sorted(one.record.offset for one in waiting.settled()) == sorted(s.offset for s in settled)


def test_a_child_whose_parent_never_comes_waits_with_its_reason_and_nobody_else_does() -> None:
    waiting = ChildrenWait(fresh=True)
    chain = Chain([], waiting)
    with pytest.raises(WaitingError) as caught:
        chain(SETTINGS, decode_key(SETTINGS.key))
    assert (caught.value.cause, caught.value.parent) == ("it waits for its owner", "owner u1")
    other = entry("u2")
    assert chain(other, decode_key(other.key)) is None
    assert waiting.settled() == []


def test_what_is_left_of_a_deleted_owner_is_settled_by_his_deletion() -> None:
    waiting = ChildrenWait(fresh=True)
    gone = entry(operation=Operation.DELETE)
    late = msgspec.structs.replace(ROLE, offset=99)
    assert handed_on([SETTINGS, ROLE, gone, late], waiting=waiting) == [gone, late]
    settled = waiting.settled()
    assert [one.record for one in settled] == [SETTINGS, ROLE]
    assert all("deleted at offset 10" in one.said for one in settled)


@pytest.mark.parametrize(
    "one",
    [
        record("mailfilters", DOMAIN, {"isDomain": True}, owner=DOMAIN),
        record("addressbook", "c1", {}, owner=f"addressbook_{DOMAIN}", container=f"addressbook_{DOMAIN}"),
        record("calendar", "e1", {}, owner="cal", container="calendar:UserCreated:4711"),
        record("memberships", "g1", {}, owner="u9"),
        record("resourceTypes", "t1", {}, owner="r9"),
        record("dir", "ou1", {"entry": {"kind": "ORG_UNIT"}}, owner="u9", value_class=ENTRY_CLASS),
    ],
    ids=lambda one: decode_key(one.key).type,
)
def test_what_a_clone_can_restore_without_its_owner_does_not_wait(one: LogRecord) -> None:
    assert handed_on([one], waiting=ChildrenWait(fresh=True)) == [one]


def test_a_run_that_goes_on_elsewhere_lets_only_that_wait_which_waited_before() -> None:
    waiting = ChildrenWait(fresh=False, waiting=[(SETTINGS, "owner u1")])
    later = msgspec.structs.replace(ROLE, offset=99)
    out = handed_on([mail(), later, entry()], waiting=waiting)
    assert out == [entry(), SETTINGS, mail(), later]


def test_more_than_can_wait_passes_as_it_is_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_wait, "MOST", 1)
    waiting = ChildrenWait(fresh=True)
    assert handed_on([SETTINGS, ROLE, entry()], waiting=waiting) == [ROLE, entry(), SETTINGS]
    assert waiting.left == 1


def test_folders_beyond_the_bound_are_taken_for_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_wait, "FOLDERS", 1)
    records = [entry(), folder("f2"), mail()]
    assert handed_on(records, waiting=ChildrenWait(fresh=True)) == records


LEGACY_META = record(
    "containers_meta",
    "book:UserCreated_x",
    {
        "containerUid": "book:UserCreated_x",
        "type": "ACL",
        "acls": [{"subject": "u2", "verb": "Read"}],
        "settings": None,
    },
    container=f"u1_at_{DOMAIN}_containers_meta",
    value_class=META_CLASS,
)


def test_rights_of_before_2023_end_the_clone_without_the_cure_only() -> None:
    with pytest.raises(RestoreError, match="metadata of a container"):
        cloned([entry(), LEGACY_META])
    card = record(
        "addressbook", "c1", {"kind": "individual"}, container="book:UserCreated_x", value_class=CARD
    )
    kit = cloned(handed_on([entry(), LEGACY_META, card], [MetadataDescribed()]))
    made = kit.store.container("book:UserCreated_x")
    assert made is not None
    assert (made.type, made.owner, made.domain, made.default) == ("addressbook", "u1", DOMAIN, False)
    assert [(ace.subject, ace.verb) for ace in made.acls] == [("u2", "Read")]


def test_metadata_of_today_keep_their_bytes_and_a_strange_container_is_counted() -> None:
    cure = MetadataDescribed()
    today = record(
        "containers_meta", "x", {"contDesc": {"uid": "x"}, "acls": [], "settings": {}}, value_class=META_CLASS
    )
    strange = record("containers_meta", "x", {"containerUid": "x", "acls": []}, value_class=META_CLASS)
    assert cure(today) == [today]
    assert (cure(strange), cure.left) == ([strange], 1)
    with pytest.raises(RecordError):
        cure(msgspec.structs.replace(strange, value=b'{"value":3}'))


def test_a_deletion_whose_uid_has_a_quote_ends_the_clone_without_the_cure_only() -> None:
    made = record(
        "addressbook", 'a"b', {"kind": "individual"}, container="book:UserCreated_x", value_class=CARD
    )
    gone = msgspec.structs.replace(
        record("addressbook", "x", None, container="book:UserCreated_x", operation=Operation.DELETE),
        value=b'{"uid":"a"b"}',
    )
    with pytest.raises(RestoreError):
        cloned([made, gone])
    kit = cloned(handed_on([made, gone], [DeletionsMended()]))
    assert kit.store.item("book:UserCreated_x", 'a"b') is None


@pytest.mark.parametrize("value", [b'{"uid":', b'{"id":"a"b"}', b'{"uid":"\xff"b"}'])
def test_what_is_no_such_deletion_is_not_mended(value: bytes) -> None:
    gone = record("addressbook", "x", None, operation=Operation.DELETE)
    assert DeletionsMended().mend(msgspec.structs.replace(gone, value=value)) is None
    assert DeletionsMended().mend(msgspec.structs.replace(ROLE, value=b'{"uid":"a"b"}')) is None


SEQUENCE = record(
    "container_item_id_seq",
    "container_item_id_seq",
    {"defaultDataSourceSeq": 78, "more": 1},
    owner="system",
    value_class=SEQUENCE_CLASS,
    topic=topics.orphans(IID),
)
SERVER = record(
    "installation",
    "bm-master",
    {"ip": "10.0.0.1", "tags": ["bm/core", "bm/pgsql-data"]},
    owner="system",
    value_class="net.bluemind.server.api.Server",
    topic=topics.orphans(IID),
)


def restored(*records: LogRecord) -> Store:
    """What a clone makes of an orphans topic."""
    store = Store(":memory:")
    log: list[str] = []
    grouped = orphans.decode((one.key, one.value, 3, number) for number, one in enumerate(records))
    target = orphans.Target(
        installation_id=IID, servers={"bm-master": "10.9.9.9"}, sysconf={}, exact=False, configured=log.append
    )
    orphans.restore(
        store, grouped, orphans.Tracker(store, log.append, exact=False), target, Reporter(log.append)
    )
    return store


def test_a_sequence_without_shards_ends_the_clone_without_the_cure_only() -> None:
    with pytest.raises(CloneError, match="sequence of a mail shard"):
        restored(SERVER, SEQUENCE)
    (cured,) = IdSequences(["bm-master", "bm-2"])(SEQUENCE)
    assert restored(SERVER, cured).next_id() > 1_000_000
    value = json.loads(cured.value or b"")["value"]
    assert value == {
        "defaultDataSourceSeq": 78,
        "more": 1,
        "mailboxDataSourceSeq": {"bm-master": 78, "bm-2": 78},
    }


def test_a_whole_sequence_keeps_its_bytes_and_a_strange_one_is_parked() -> None:
    (whole,) = IdSequences(["bm-master"])(SEQUENCE)
    assert IdSequences(["bm-master"])(whole) == [whole]
    with pytest.raises(RecordError):
        IdSequences([])(msgspec.structs.replace(SEQUENCE, value=b'{"value":{}}'))
