"""Each cure prevents its harm and touches nothing else."""

import json

import pytest

from bmswitch.model import topics
from bmswitch.model.errors import RecordError, RefusedError
from bmswitch.model.murmur import murmur2_partition
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_key, encode_key
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.crp_dir_entries import CrpDirEntries
from bmswitch.replication.cures.installation_id import InstallationId
from bmswitch.replication.cures.server_addresses import ServerAddresses, server_uid
from bmswitch.replication.cures.uidvalidity import UidValidity

BLUE = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
GREEN = "bluemind-11111111-2222-3333-4444-555555555555"
ORPHANS, DOMAIN, CRP = topics.orphans(BLUE), topics.domain(BLUE, "x.lan"), topics.crp(BLUE)
SERVER = "net.bluemind.server.api.Server"
SERVER_VALUE = (
    b'{"value":{"ip":"10.0.0.1","fqdn":"b\xc3\xa9.lan","name":"bm-master","tags":["bm/core"]},"uid":"bm-master",'
    b'"internalId":8,"version":1,"flags":[],"ids":null,"later":1}'
)


def record(
    key_type: str,
    *,
    topic: str = DOMAIN,
    owner: str = "system",
    uid: str = "x.lan",
    value_class: str = "some.Class",
    operation: Operation = Operation.CREATE,
    value: bytes | None = b'{"uid":"u"}',
) -> LogRecord:
    key = RecordKey(key_type, owner, uid, 7, value_class, operation)
    return LogRecord(topic, 3, 9, 1234, encode_key(key), value, (("h", b"v"),))


def passed(chain: Chain, one: LogRecord) -> list[LogRecord] | None:
    return chain(one, decode_key(one.key))


def server(
    uid: str = BLUE, operation: Operation = Operation.UPDATE, value: bytes | None = SERVER_VALUE
) -> LogRecord:
    return record(
        "installation", topic=ORPHANS, uid=uid, value_class=SERVER, operation=operation, value=value
    )


def test_a_server_gets_green_s_address_and_nothing_else_changes() -> None:
    before = server()
    (after,) = ServerAddresses({"bm-master": "10.9.9.9"})(before)
    assert after.value == SERVER_VALUE.replace(b"10.0.0.1", b"10.9.9.9")
    assert (after.topic, after.partition, after.key, after.timestamp_ms, after.headers) == (
        before.topic,
        before.partition,
        before.key,
        before.timestamp_ms,
        before.headers,
    )


def test_a_server_without_mapping_stops_the_run() -> None:
    with pytest.raises(RefusedError, match="bm-master"):
        ServerAddresses({"other": "10.9.9.9"})(server())


@pytest.mark.parametrize(
    "untouched",
    [
        server(value=None),
        server(operation=Operation.DELETE, value=b'{"uid":"bm-master"}'),
        record("installation", topic=ORPHANS, value_class="net.bluemind.core.backup.continuous.dto.CoreTok"),
    ],
)
def test_what_describes_no_live_server_passes_as_it_is(untouched: LogRecord) -> None:
    assert ServerAddresses({})(untouched) == [untouched]
    assert server_uid(untouched) is None


def test_a_server_record_that_can_not_be_read_is_a_record_error() -> None:
    with pytest.raises(RecordError):
        ServerAddresses({"bm-master": "x"})(server(value=b'{"uid":"bm-master","value":7}'))


def test_another_installation_id_is_written_into_topic_and_container_uids() -> None:
    cure = InstallationId(BLUE, GREEN)
    (installation,) = cure(server())
    (domains,) = cure(record("domains", topic=ORPHANS, uid=f"domains_{BLUE}"))
    (entry,) = cure(record("dir"))
    assert installation.topic == topics.orphans(GREEN)
    assert decode_key(installation.key).uid == GREEN
    assert decode_key(domains.key).uid == f"domains_{GREEN}"
    assert (entry.topic, entry.key) == (topics.domain(GREEN, "x.lan"), record("dir").key)


def test_orphans_that_do_not_name_the_installation_keep_their_key_bytes() -> None:
    before = record("sysconf", topic=ORPHANS, uid="sysconf")
    (after,) = InstallationId(BLUE, GREEN)(before)
    assert after.key == before.key


def test_a_directory_entry_is_copied_to_the_proxy_s_topic() -> None:
    before = record("dir")
    kept, copy = CrpDirEntries(CRP)(before)
    assert kept == before
    assert (copy.topic, copy.partition) == (CRP, 6)  # murmur2("system") of 8
    assert (copy.key, copy.value) == (before.key, before.value)


def test_a_membership_lands_by_the_item_uid_of_its_value() -> None:
    _, copy = CrpDirEntries(CRP)(record("memberships", owner="leslie", value=b'{"uid":"group-1"}'))
    assert copy.partition == murmur2_partition("group-1", 8)
    _, unnamed = CrpDirEntries(CRP)(record("memberships", owner="leslie", value=b'{"uid":""}'))
    assert unnamed.partition == murmur2_partition("default", 8)


def test_a_deleted_entry_gives_two_tombstones_and_the_deletion_in_this_order() -> None:
    _, *derived = CrpDirEntries(CRP)(record("dir", operation=Operation.DELETE))
    assert [(decode_key(d.key).operation, d.value) for d in derived] == [
        (Operation.UPDATE, None),
        (Operation.CREATE, None),
        (Operation.DELETE, b'{"uid":"u"}'),
    ]
    assert {(d.topic, d.partition) for d in derived} == {(CRP, 6)}


def test_a_tombstone_derives_nothing() -> None:
    tombstone = record("dir", value=None)
    assert CrpDirEntries(CRP)(tombstone) == [tombstone]


def test_a_chain_calls_only_the_cures_that_want_the_record() -> None:
    chain = Chain([ServerAddresses({"bm-master": "10.9.9.9"}), CrpDirEntries(CRP)])
    assert passed(chain, record("mailbox_records")) is None
    assert passed(chain, record("dir", topic=CRP)) is None
    assert passed(chain, record("sysconf", topic=ORPHANS)) is None
    assert len(passed(chain, record("dir")) or []) == 2


def test_cures_of_a_chain_follow_each_other_in_order() -> None:
    chain = Chain([ServerAddresses({"bm-master": "10.9.9.9"}), InstallationId(BLUE, GREEN)])
    cured = passed(chain, server())
    assert cured is not None
    assert cured[0].topic == topics.orphans(GREEN)
    assert json.loads(cured[0].value or b"")["value"]["ip"] == "10.9.9.9"
    other = passed(chain, record("domains", topic=ORPHANS, uid=f"domains_{BLUE}"))
    assert other is not None
    assert other[0].topic == topics.orphans(GREEN)


def test_a_folder_s_creation_is_followed_by_an_update_that_keeps_its_uidvalidity() -> None:
    before = record("replicated_mailboxes", owner="u1", uid="subtree_x_lan!user.u1")
    first, second = UidValidity()(before)
    assert first == before
    assert decode_key(second.key).operation is Operation.UPDATE
    assert decode_key(second.key).id == decode_key(before.key).id
    assert (second.value, second.partition, second.timestamp_ms) == (before.value, 3, 1234)


@pytest.mark.parametrize(
    ("operation", "value"),
    [(Operation.UPDATE, b'{"uid":"u"}'), (Operation.DELETE, b'{"uid":"u"}'), (Operation.CREATE, None)],
)
def test_updates_deletions_and_tombstones_of_folders_go_on_alone(
    operation: Operation, value: bytes | None
) -> None:
    before = record("replicated_mailboxes", owner="u1", operation=operation, value=value)
    assert UidValidity()(before) == [before]
