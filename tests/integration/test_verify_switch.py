"""The proof at the switch: reads what the log touched, waits for green, and costs what changed, not what there is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.integration.verify_core import TOKEN, FakeCore, item, small_installation, two_cores

from bmswitch.bluemind.bulk import Bulk
from bmswitch.kafka.consumer import Batch
from bmswitch.model.errors import UnknownError
from bmswitch.model.proof import Position
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.workflows.prove import SwitchPieces, SwitchProof

D = "lab.test"
TOPIC = "0123456789abcdef0123456789abcdef-" + D


class FakeLog:
    """A log of one partition, appended to by the test."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []
        self._read = 0
        self._more = threading.Condition()
        self.promised = 0

    def append(self, kind: str, owner: str, container: str, uid: str, number: int) -> None:
        key = RecordKey(kind, owner, container, number, "c", Operation.UPDATE)
        with self._more:
            value = b'{"uid":"' + uid.encode() + b'"}'
            self.records.append(LogRecord(TOPIC, 0, len(self.records), 0, encode_key(key), value))
            self._more.notify_all()

    def position(self) -> Position:
        return {TOPIC: [len(self.records) + self.promised]}

    def read(self, limit: int, timeout: float) -> Batch:
        with self._more:
            if self._read >= len(self.records):
                self._more.wait(timeout)
            found = self.records[self._read : self._read + limit]
            self._read += len(found)
        return Batch(found, {})

    def close(self) -> None:
        self.records.clear()


@contextmanager
def switch(blue: FakeCore, green: FakeCore, log: FakeLog) -> Iterator[SwitchProof]:
    pieces = SwitchPieces(
        source=lambda: Bulk(blue.url, TOKEN, name="blue"),
        target=lambda: Bulk(green.url, TOKEN, name="green"),
        log=lambda _: log,
        position=log.position,
        barrier=lambda: None,
    )
    proof = SwitchProof(pieces, {TOPIC: [0]})
    try:
        yield proof
    finally:
        proof.close()


def test_nothing_touched_is_equal_without_a_read() -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green), switch(blue, green, FakeLog()) as proof:
        result = proof.prove(timeout=10)
        assert result.verdict == "equal"
        assert blue.calls == []


def test_only_what_was_touched_is_read() -> None:
    held, log = small_installation(), FakeLog()
    with two_cores(held, held.clone()) as (blue, green), switch(blue, green, log) as proof:
        log.append("notes", "u1", "notes:default_u1", "n/1", 5)
        result = proof.prove(timeout=10)
        assert result.verdict == "equal"
        assert (result.containers, result.items) == (1, 1)
        assert blue.calls == green.calls == ["POST /api/notes/notes%3Adefault_u1/_mget"]
        assert result.position == {TOPIC: [1]}


TOUCHES = {
    "mail": ("mailbox_records", "u1", "mbox_records_f-u1", "2."),
    "folder": ("replicated_mailboxes", "u1", "subtree_u1", "f-u1"),
    "node": ("container_flat_hierarchy", "u1", "hierarchy_u1", "node"),
    "note": ("notes", "u1", "notes:default_u1", "n/1"),
}


@pytest.mark.parametrize("name", TOUCHES)
@pytest.mark.parametrize("how", ["deleted", "stale"])
def test_green_that_misses_a_change_is_different(name: str, how: str) -> None:
    kind, owner, container, uid = TOUCHES[name]
    held, log = small_installation(), FakeLog()
    old = held.clone()
    number = held.items[container][uid]["internalId"]
    if how == "deleted":
        del old.items[container][uid]
    else:
        held.items[container][uid]["value"]["name"] = "changed"
    with two_cores(held, old) as (blue, green), switch(blue, green, log) as proof:
        log.append(kind, owner, container, uid, number)
        result = proof.prove(timeout=1.0)
        assert result.verdict == "different"
        assert {one.item for one in result.differences} == {uid}


def test_a_deletion_that_green_did_not_do_is_different() -> None:
    held, log = small_installation(), FakeLog()
    old = held.clone()
    number = held.items["mbox_records_f-u1"].pop("2.")["internalId"]
    with two_cores(held, old) as (blue, green), switch(blue, green, log) as proof:
        log.append("mailbox_records", "u1", "mbox_records_f-u1", "2.", number)
        result = proof.prove(timeout=1.0)
    assert [(one.side, one.what) for one in result.differences] == [("target", "missing")]


def test_green_that_catches_up_within_the_deadline_is_equal() -> None:
    held, log = small_installation(), FakeLog()
    late = held.clone()
    del late.items["notes:default_u1"]["n/1"]
    with two_cores(held, late) as (blue, green), switch(blue, green, log) as proof:

        def catch_up(method: str, path: str, body: object) -> None:
            if len(green.calls) >= 3:
                green.held.items["notes:default_u1"] = blue.held.items["notes:default_u1"]

        green.hook = catch_up
        log.append("notes", "u1", "notes:default_u1", "n/1", 5)
        assert proof.prove(timeout=5).verdict == "equal"


def test_directory_side_data_and_new_containers_are_read_again() -> None:
    held, log = small_installation(), FakeLog()
    old = held.clone()
    held.entries[D]["u1"]["value"]["displayName"] = "new"
    held.side[f"/api/users/{D}/u1/roles"] = ["a", "b", "c"]
    held.side[f"/api/groups/{D}/g1/members"] = []
    held.acls["notes:default_u1"] = []
    with two_cores(held, old) as (blue, green), switch(blue, green, log) as proof:
        log.append("dir", "system", D, "u1", 10)
        log.append("role", "u1", "u1_at_d_role", "u1", 10)
        log.append("memberships", "u2", "u2_at_d_memberships", "g1", 10)
        log.append("containers_meta", "u1", "u1_at_d_containers_meta", "notes:default_u1", 10)
        log.append("message_bodies", "u1", "x", "f" * 40, 10)
        result = proof.prove(timeout=0.4)
    found = {(one.type, one.owner, one.item) for one in result.differences}
    assert found == {
        ("dir", "system", "u1"),
        ("side", "u1", "roles"),
        ("side", "g1", "members"),
        ("containers_meta", "u1", "acl"),
    }


def test_preparation_leaves_only_what_is_not_proved_for_the_hold() -> None:
    held, log = small_installation(), FakeLog()
    old = held.clone()
    held.items["notes:default_u1"]["n/1"]["version"] = 3
    with two_cores(held, old) as (blue, green), switch(blue, green, log) as proof:
        for n in range(3):
            log.append("notes", f"u{n}", f"notes:default_u{n}", "n/1", 5)
        prepared = proof.prepare(timeout=5)
        assert prepared.proved == 3
        assert prepared.waiting == 1
        assert [one.what for one in prepared.differences] == ["version"]
        green.held.items["notes:default_u1"]["n/1"]["version"] = 3
        blue.calls.clear()
        result = proof.prove(timeout=10)
        assert result.verdict == "equal"
        assert len(blue.calls) == 1


def test_a_log_that_can_not_be_read_to_its_end_is_unknown() -> None:
    held, log = small_installation(1), FakeLog()
    with two_cores(held, held.clone()) as (blue, green), switch(blue, green, log) as proof:
        log.promised = 7
        result = proof.prove(timeout=0.2)
        assert result.verdict == "unknown"
        assert "end" in result.why
        with pytest.raises(UnknownError):
            proof.prepare(timeout=0.2)


def test_a_blue_that_answers_no_more_is_unknown_not_equal() -> None:
    held, log = small_installation(1), FakeLog()
    with two_cores(held, held.clone()) as (blue, green), switch(blue, green, log) as proof:
        blue.held.faults["/api/notes/notes%3Adefault_u0/_mget"] = (500, {"errorCode": "SQL_ERROR"})
        log.append("notes", "u0", "notes:default_u0", "n/1", 5)
        assert proof.prove(timeout=1).verdict == "unknown"


def test_a_hundred_containers_cost_one_read_each() -> None:
    held, log = small_installation(100), FakeLog()
    for n in range(100):
        held.items[f"mbox_records_f-u{n}"] = {"5.": item("5.", 1000 + n, {"imapUid": 5, "flags": []})}
    with two_cores(held, held.clone()) as (blue, green), switch(blue, green, log) as proof:
        for n in range(100):
            log.append("mailbox_records", f"u{n}", f"mbox_records_f-u{n}", "5.", 1000 + n)
        result = proof.prove(timeout=30)
        assert result.verdict == "equal"
        assert len(blue.calls) == len(green.calls) == 100
