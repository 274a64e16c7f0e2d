"""What the stand-in writes to its log, against the order and forms of the real one (change-log.md 3 and 6)."""

import asyncio
import gzip
import json
import os
from pathlib import Path

import msgspec
import pytest
from tests.unit.lab_core import DOMAIN, IID, Lab

from bmswitch.lab.seed import user_uid
from bmswitch.lab.services.cards import card
from bmswitch.lab.services.errors import AlreadyExists, Fault, NotFound, NotWritable
from bmswitch.lab.services.mail import FolderEvent
from bmswitch.lab.services.passwords import hash_password, verify
from bmswitch.lab.services.platform import GLOBAL_DOMAIN
from bmswitch.lab.services.shapes_directory import Domain, Email, ExternalUser, Member, OrgUnit, User
from bmswitch.model.partition import partition_of
from bmswitch.model.records import Operation, partition_token

REAL_LOG = Path(
    os.environ.get("BMSWITCH_REAL_LOG", Path(__file__).parents[2].parent / "shared/data/bluemind-dump")
)
MAIL = (
    b"From: Ada <ada@lab.test>\r\nTo: bob@lab.test\r\nSubject: hi\r\nMessage-ID: <1@lab.test>\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\nbody text\r\n"
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path).start()


def person(login: str = "ada", password: str | None = "secret") -> User:  # noqa: S107 - a test's own
    emails = [Email(address=f"{login}@{DOMAIN}", is_default=True)]
    return User(
        login=login, password=password, emails=emails, contact_infos=card("Ada L", given="Ada", family="L")
    )


def state(lab: Lab) -> str:
    return str(lab.services.state.current)


def add_user(lab: Lab, uid: str = "U1") -> int:
    mark = len(lab.log)
    lab.services.directory.create(DOMAIN, uid, "USER", person())
    return mark


@pytest.mark.skipif(not REAL_LOG.is_dir(), reason="the real log is not here (BMSWITCH_REAL_LOG)")
def test_a_new_user_leaves_the_same_records_in_the_same_order_as_in_the_real_log(lab: Lab) -> None:
    mark = add_user(lab, "UID")
    ours = [record.short for record in lab.log[mark:] if record.key.type != "addressbook"]
    real = []
    with gzip.open(REAL_LOG / "f8de2c4a.internal.jsonl.gz", "rt") as file:
        for line in file:
            record = json.loads(line)
            if record["partition"] == 62 and 396 <= record["offset"] <= 466:
                key, uid = record["key"], record["value"]["uid"]
                real.append(f"{key['type']} {key['operation']} {uid}")
    renamed = [
        text.replace("F3859C23-C111-4BEE-9C55-00C9AF033F28", "UID")
        .replace("f8de2c4a.internal", DOMAIN)
        .replace("f8de2c4a_internal", "lab_test")
        for text in real
    ]
    for old, new in zip(folder_uids(renamed), folder_uids(ours), strict=True):
        renamed = [text.replace(old, new) for text in renamed]
    assert ours == renamed


def folder_uids(lines: list[str]) -> list[str]:
    return [line.rpartition(" ")[2] for line in lines if line.startswith("replicated_mailboxes ")]


def test_every_record_is_in_the_partition_of_its_owner_or_item(lab: Lab) -> None:
    add_user(lab)
    for record in lab.log:
        uid = msgspec.json.decode(record.value or b"{}").get("uid", "")
        assert record.partition == partition_of(partition_token(record.key, uid))
        assert b" " not in record.raw_key.split(b'"uid"')[0]


def test_a_user_record_carries_the_hash_and_reserved_folder_ids_that_folders_then_have(lab: Lab) -> None:
    mark = add_user(lab)
    entry = lab.log[mark]
    value = msgspec.json.decode(entry.envelope.value)
    assert verify("secret", value["value"]["password"])
    ids = {
        dep["key"].rpartition(":")[2]: dep["id"] for dep in msgspec.json.decode(entry.envelope.ids)["deps"]
    }
    folders = {
        msgspec.json.decode(r.envelope.value)["fullName"]: r.key.id
        for r in lab.log[mark:]
        if r.key.type == "replicated_mailboxes"
    }
    assert ids == folders
    assert set(ids) == {"INBOX", "Sent", "Trash", "Drafts", "Junk", "Outbox", "Templates"}


def test_passwords_are_not_logged_and_ride_on_the_next_update(lab: Lab) -> None:
    add_user(lab)
    mark = len(lab.log)
    lab.services.directory.set_password(DOMAIN, "U1", "another")
    assert lab.log[mark:] == []
    lab.services.directory.update(DOMAIN, "U1", "USER", person(password=None))
    logged = msgspec.json.decode(lab.log[mark].envelope.value)["value"]["password"]
    assert lab.log[mark].key.operation is Operation.UPDATE
    assert verify("another", logged)


def test_an_injected_hash_is_kept_as_it_is(lab: Lab) -> None:
    add_user(lab)
    known = hash_password("imported")
    lab.services.directory.set_password(DOMAIN, "U1", known)
    assert lab.services.store.password(DOMAIN, "U1") == known
    assert asyncio.run(lab.services.accounts.verify(f"ada@{DOMAIN}", "imported")) is not None
    assert asyncio.run(lab.services.accounts.verify(f"ada@{DOMAIN}", "secret")) is None


def test_a_mail_is_folder_body_source_record_in_this_order(lab: Lab) -> None:
    add_user(lab)
    inbox = lab.services.mail.folders("U1")[0]
    mark = len(lab.log)
    imap_uid = asyncio.run(lab.services.mail.append("U1", inbox.uid, MAIL, ("\\Seen",)))
    records = lab.log[mark:]
    assert [r.key.type for r in records] == [
        "replicated_mailboxes",
        "message_bodies",
        "message_bodies_es_source",
        "mailbox_records",
    ]
    assert imap_uid == 1
    assert lab.services.mail.folder(inbox.uid).last_uid == 1
    assert records[0].key.operation is Operation.UPDATE
    assert records[3].envelope.uid == "1."
    assert records[3].envelope.flags == ("Seen",)
    guid = msgspec.json.decode(records[3].envelope.value)["messageBody"]
    assert records[1].envelope.uid == guid
    assert guid in lab.bodies.objects
    assert asyncio.run(lab.services.mail.fetch_raw(guid)) == MAIL


def test_expunge_is_an_update_with_an_internal_flag(lab: Lab) -> None:
    add_user(lab)
    mail = lab.services.mail
    inbox = mail.folders("U1")[0].uid
    events: list[FolderEvent] = []

    async def life() -> None:
        mail.subscribe(inbox, events.append)
        await mail.append("U1", inbox, MAIL)
        mail.set_flags(inbox, 1, ("\\Seen", "\\Deleted"))
        assert mail.expunge(inbox) == [1]
        await asyncio.sleep(0)

    asyncio.run(life())
    last = lab.log[-1]
    payload = msgspec.json.decode(last.envelope.value)
    assert last.key.operation is Operation.UPDATE
    assert payload["internalFlags"] == ["expunged"]
    assert last.envelope.flags == ("Seen", "Deleted")
    assert mail.messages(inbox) == []
    assert [event.kind for event in events] == ["added", "flags", "expunged"]
    with pytest.raises(NotFound):
        mail.set_flags(inbox, 1, ())


@pytest.mark.parametrize(("version", "records"), [("5.0", 1), ("5.1", 3)])
def test_tombstones_came_with_the_newer_product(tmp_path: Path, version: str, records: int) -> None:
    lab = Lab(tmp_path, "5.0" if version == "5.0" else "5.1").start()
    add_user(lab)
    items = lab.services.items
    container = items.container("notes:default_U1")
    items.create(container, "n1", b"{}", "net.bluemind.notes.api.VNote")
    mark = len(lab.log)
    items.delete(container, "n1")
    written = lab.log[mark:]
    assert [r.key.operation for r in written] == [Operation.DELETE, Operation.UPDATE, Operation.CREATE][
        :records
    ]
    assert written[0].value == b'{"uid":"n1"}'
    assert all(r.value is None for r in written[1:])


@pytest.mark.parametrize(("version", "there"), [("5.0", False), ("5.1", True)])
def test_automount_came_with_the_newer_product(tmp_path: Path, version: str, there: bool) -> None:  # noqa: FBT001
    lab = Lab(tmp_path, "5.0" if version == "5.0" else "5.1").start()
    subscriptions = [r for r in lab.log if r.key.type == "owner_subscriptions"]
    assert subscriptions
    assert all((b'"automount"' in (r.value or b"")) is there for r in subscriptions)


def test_a_deleted_user_leaves_what_the_real_one_leaves(lab: Lab) -> None:
    add_user(lab)
    mark = len(lab.log)
    lab.services.directory.delete(DOMAIN, "U1")
    log = lab.since(mark)
    assert log[-1] == "dir DELETE U1"
    assert "addressbook DELETE U1" in log
    assert f"memberships UPDATE {DOMAIN}_user_group" in log
    assert "containers_meta UPDATE mailbox:acls-U1" in log
    assert not [
        line for line in log if line.startswith(("containers_meta DELETE", "replicated_mailboxes DELETE"))
    ]
    assert lab.services.store.containers(owner="U1") == []
    with pytest.raises(NotFound):
        lab.services.directory.find(DOMAIN, "U1")


def test_membership_is_the_members_record_with_a_copy_of_the_group(lab: Lab) -> None:
    add_user(lab)
    group = f"{DOMAIN}_admin_group"
    mark = len(lab.log)
    lab.services.groups.add(DOMAIN, group, [Member(type="user", uid="U1")])
    lab.services.groups.remove(DOMAIN, group, [Member(type="user", uid="U1")])
    added, removed = lab.log[mark:]
    assert added.raw_key == removed.raw_key
    assert added.key.owner == "U1"
    assert added.key.operation is Operation.UPDATE
    values = [msgspec.json.decode(r.envelope.value) for r in (added, removed)]
    assert [value["added"] for value in values] == [True, False]
    assert values[0]["group"]["name"] == "admin"


def test_an_entry_in_an_org_unit_is_preceded_by_copies_of_the_chain(lab: Lab) -> None:
    directory = lab.services.directory
    directory.create(DOMAIN, "ou1", "ORG_UNIT", OrgUnit(name="root"))
    directory.create(DOMAIN, "ou2", "ORG_UNIT", OrgUnit(name="child", parent_uid="ou1"))
    mark = len(lab.log)
    value = ExternalUser(org_unit_uid="ou2", contact_infos=card("Guest"), hidden=True)
    directory.create(DOMAIN, "x1", "EXTERNALUSER", value)
    assert lab.since(mark) == ["dir CREATE ou1", "dir CREATE ou2", "dir CREATE x1"]
    assert {r.partition for r in lab.log[mark:]} == {partition_of("x1")}


def test_a_hidden_entry_has_no_card_in_the_domain_book(lab: Lab) -> None:
    directory = lab.services.directory
    directory.create(DOMAIN, "probe", "EXTERNALUSER", ExternalUser(contact_infos=card("n1"), hidden=True))
    mark = len(lab.log)
    item = directory.update(
        DOMAIN, "probe", "EXTERNALUSER", ExternalUser(contact_infos=card("n2"), hidden=True)
    )
    assert lab.since(mark) == ["dir UPDATE probe"]
    assert item.display_name == "n2"


def test_a_taken_address_or_uid_is_refused(lab: Lab) -> None:
    add_user(lab)
    with pytest.raises(AlreadyExists):
        lab.services.directory.create(DOMAIN, "U2", "USER", person())
    with pytest.raises(AlreadyExists):
        lab.services.directory.create(DOMAIN, "U1", "USER", person("bob"))


def test_nothing_is_logged_of_a_write_that_failed(lab: Lab) -> None:
    add_user(lab)
    mark, last = len(lab.log), lab.services.store.id_sequence()

    def fails() -> None:
        with lab.services.context.write():
            lab.services.items.create(lab.services.items.container("notes:default_U1"), "n1", b"{}", "x")
            raise NotFound("stop here")

    with pytest.raises(NotFound):
        fails()
    assert lab.log[mark:] == []
    assert lab.services.store.item("notes:default_U1", "n1") is None
    assert lab.services.store.id_sequence() == last


def test_the_global_domain_has_no_topic_of_its_own(lab: Lab) -> None:
    assert GLOBAL_DOMAIN not in {record.domain for record in lab.log}
    assert [r for r in lab.log if r.key.type == "domains" and r.envelope.uid == GLOBAL_DOMAIN]


def test_becoming_running_publishes_token_and_sequence(lab: Lab) -> None:
    orphans = [record for record in lab.log if not record.domain]
    token, sequence = orphans[-2:]
    assert token.key.id == -1
    assert token.partition == 16
    assert sequence.partition == 41
    assert sequence.key.id == 1981897513
    values = msgspec.json.decode(sequence.envelope.value)
    assert values["defaultDataSourceSeq"] == lab.services.store.id_sequence()


def test_demotion_is_a_one_way_door_with_one_seppuku(lab: Lab) -> None:
    mark = len(lab.log)
    lab.services.installation.demote()
    lab.services.installation.demote()
    assert lab.since(mark) == ["dir CREATE seppuku"]
    record = lab.log[mark]
    assert (record.domain, record.partition, record.key.id) == (DOMAIN, 13, 1982139277)
    assert lab.site.disabled.exists()
    with pytest.raises(NotWritable):
        add_user(lab)
    with pytest.raises(Fault):
        lab.services.installation.promote()
    assert state(lab) == "CORE_STATE_DEMOTED"


def test_unfenced_writes_of_a_demoted_core_are_accepted_and_not_logged(lab: Lab) -> None:
    add_user(lab)
    lab.services.installation.demote()
    mark = len(lab.log)
    lab.services.directory.set_password(DOMAIN, "U1", "late")
    lab.services.platform.merge_sysconf({"late": "yes"})
    assert lab.log[mark:] == []
    assert lab.services.platform.sysconf()["late"] == "yes"


def test_a_clone_accepts_writes_without_logging_and_publishes_its_servers_when_promoted(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    lab.services.installation.create_base()
    lab.services.state.leader = False
    lab.site.clone_marker.write_bytes(b"")
    lab.services.installation.start()
    assert state(lab) == "CORE_STATE_CLONING"
    mark = len(lab.log)
    lab.services.platform.create_domain(DOMAIN, Domain(label=DOMAIN, name=DOMAIN))
    assert lab.log[mark:] == []
    lab.services.installation.promote()
    assert not lab.site.clone_marker.exists()
    assert lab.since(mark) == [
        "installation UPDATE bm-master",
        "installation CREATE core_tok",
        "container_item_id_seq CREATE container_item_id_seq",
    ]


@pytest.mark.parametrize(("named", "then"), [(True, "CORE_STATE_CLONING"), (False, "CORE_STATE_RUNNING")])
def test_a_fresh_core_is_not_installed_then_clones_if_told_so(tmp_path: Path, named: bool, then: str) -> None:  # noqa: FBT001
    lab = Lab(tmp_path)
    lab.site.token_path.unlink()
    lab.services.state.leader = False
    lab.services.installation.start()
    assert state(lab) == "CORE_STATE_NOT_INSTALLED"
    with pytest.raises(NotWritable):
        lab.services.installation.create_base()
    if named:
        lab.site.mcast_id_clone.write_text(IID.removeprefix("bluemind-"))
    lab.services.installation.initialize(admin=False)
    assert state(lab) == then
    assert lab.site.clone_marker.exists() is named
    assert lab.site.token_path.read_text() == lab.site.operator_token.read_text()
    assert lab.site.mcast_id.read_text() == IID.removeprefix("bluemind-")
    with pytest.raises(Fault):
        lab.services.installation.initialize(admin=False)


def test_login_needs_a_running_core_but_validate_does_not(lab: Lab) -> None:
    add_user(lab)
    accounts = lab.services.accounts

    async def login() -> str:
        return (await accounts.login(f"ada@{DOMAIN}", "secret")).status

    assert asyncio.run(login()) == "Ok"
    lab.services.installation.demote()
    assert asyncio.run(login()) == "Bad"
    assert asyncio.run(accounts.validate(f"ada@{DOMAIN}", "secret")) == "PASSWORD"
    assert asyncio.run(accounts.validate(f"ada@{DOMAIN}", "wrong")) == "NONE"
    token = lab.site.token_path.read_text()
    assert asyncio.run(accounts.login("admin0@global.virt", token)).status == "Ok"


def test_seeding_is_deterministic(tmp_path: Path) -> None:
    def ids(name: str) -> list[bytes]:
        lab = Lab(tmp_path / name)
        lab.services.context.now = lambda: 1_700_000_000_000
        return [record.raw_key for record in lab.start(users=3, items=10).log]

    first = ids("a")
    assert first == ids("b")
    assert len(first) > 300


def test_seeded_people_log_in_and_have_mail(tmp_path: Path) -> None:
    lab = Lab(tmp_path).start(users=2, items=10)
    user = asyncio.run(lab.services.mail.authenticate(f"user-001@{DOMAIN}", "lab-password"))
    assert user is not None
    assert user.uid == user_uid(DOMAIN, 1)
    inbox = lab.services.mail.folders(user.uid)[0]
    messages = lab.services.mail.messages(inbox.uid)
    assert len(messages) == 4
    assert inbox.last_uid == 4
    assert all(message.guid in lab.bodies.objects and message.size > 0 for message in messages)
