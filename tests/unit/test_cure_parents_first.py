"""Org units keep blue's item ids, whichever partition the clone reads first."""

import msgspec
import pytest
from tests.unit.restore_kit import DOMAIN, Kit

from bmswitch.model import topics
from bmswitch.model.record_types import ENTRY_CLASS
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.cures import parents_first
from bmswitch.replication.cures.parents_first import ParentsFirst

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
CRP = topics.crp(IID)


def unit(
    uid: str,
    number: int,
    parent: str | None = None,
    *,
    name: str = "",
    operation: Operation = Operation.CREATE,
    kind: str = "ORG_UNIT",
) -> LogRecord:
    key = RecordKey("dir", "system", DOMAIN, number, ENTRY_CLASS, operation)
    value = {
        "value": {
            "entry": {"kind": kind, "entryUid": uid, "displayName": name or uid},
            "value": {"name": name or uid, "parentUid": parent},
        },
        "uid": uid,
        "internalId": number,
        "version": 1,
    }
    return LogRecord(CRP, 6, 0, 1, encode_key(key), msgspec.json.encode(value))


def deleted(uid: str, number: int) -> LogRecord:
    key = encode_key(RecordKey("dir", "system", DOMAIN, number, ENTRY_CLASS, Operation.DELETE))
    return LogRecord(CRP, 6, 0, 1, key, msgspec.json.encode({"uid": uid}))


def after(*records: LogRecord) -> ParentsFirst:
    cure = ParentsFirst()
    for record in records:
        assert cure(record) == [record]
    return cure


def uids(records: list[LogRecord]) -> list[str]:
    return [msgspec.json.decode(r.value or b"")["uid"] for r in records]


CHILD_FIRST = (unit("paris", 53, "france"), unit("france", 52, "europe"), unit("europe", 51))


def replayed(*records: LogRecord) -> Kit:
    kit = Kit(owners=("europe", "france", "paris"))
    for record in records:
        kit.router.apply(record.key, record.value, record.partition, record.offset)
    return kit


def ids(kit: Kit) -> list[int | None]:
    return [kit.store.item_id(DOMAIN, uid) for uid in ("europe", "france", "paris")]


def test_without_the_cure_parents_get_ids_of_green_s_own() -> None:
    europe, france, paris = ids(replayed(*CHILD_FIRST))
    assert paris == 53
    assert (europe, france) != (51, 52)


def test_with_the_cure_every_org_unit_has_blue_s_id() -> None:
    presync = after(*CHILD_FIRST).presync(IID)
    assert uids(presync) == ["europe", "france", "paris"]
    assert ids(replayed(*presync, *CHILD_FIRST)) == [51, 52, 53]


def test_the_records_are_those_of_the_log_in_one_partition_of_the_presync_topic() -> None:
    (copy,) = after(CHILD_FIRST[2]).presync(IID)
    assert (copy.topic, copy.partition) == (topics.presync(IID, DOMAIN), 0)
    assert (copy.key, copy.value) == (CHILD_FIRST[2].key, CHILD_FIRST[2].value)


def test_the_first_record_of_a_unit_counts_so_that_replay_ends_as_it_would_have() -> None:
    newer = unit("europe", 51, name="eu", operation=Operation.UPDATE)
    cure = after(*CHILD_FIRST, newer)
    assert cure.presync(IID)[0].value == CHILD_FIRST[2].value
    kit = replayed(*cure.presync(IID), *CHILD_FIRST, newer)
    assert kit.value(DOMAIN, "europe")["value"]["name"] == "eu"


def test_what_is_deleted_or_hangs_on_something_that_is_not_alive_is_left_to_the_domain_s_topic() -> None:
    cure = after(*CHILD_FIRST, deleted("france", 52))
    assert uids(cure.presync(IID)) == ["europe"]
    assert cure.left == 1
    assert uids(after(*CHILD_FIRST, deleted("paris", 53), unit("paris", 99)).presync(IID))[-1] == "paris"


def test_units_in_a_circle_end_nothing() -> None:
    assert after(unit("a", 1, "b"), unit("b", 2, "a")).presync(IID) == []


@pytest.mark.parametrize(
    "record",
    [
        unit("u", 1, kind="USER", name="ORG_UNIT"),
        LogRecord(CRP, 6, 0, 1, unit("u", 1).key, None),
        LogRecord(CRP, 6, 0, 1, unit("u", 1).key, b'{"value":"ORG_UNIT","uid":"u"}'),
        LogRecord(CRP, 1, 0, 1, unit("u", 1).key.replace(b'"dir"', b'"memberships"'), unit("u", 1).value),
    ],
)
def test_everything_else_passes(record: LogRecord) -> None:
    assert after(record).presync(IID) == []


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parents_first, "LIMIT", 1)
    cure = after(unit("a", 1), unit("b", 2))
    assert (uids(cure.presync(IID)), cure.left) == (["a"], 1)
