"""Both sides on one Kafka: what is looked at, what is refused, what is withheld; and the lab's part in it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.lab_core import Lab
from tests.unit.test_legs import EXAMPLE

from bmswitch.cli.replicate import told
from bmswitch.lab import crp
from bmswitch.lab.services.state import State
from bmswitch.model.barrier import is_probe, probe_uids, pulse_uids
from bmswitch.model.config import Argv, Config, KafkaAcls, Rights, RightsCommand
from bmswitch.model.differences import Difference
from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.model.murmur import murmur2_partition
from bmswitch.model.partition import partition_of
from bmswitch.model.plan import Level
from bmswitch.model.record_types import ENTRY_CLASS
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_key, encode_key
from bmswitch.model.status import ReplicateStatus
from bmswitch.model.switch import Result
from bmswitch.parity.mends import mend_of
from bmswitch.replication.cures.catalogue import catalogue
from bmswitch.replication.needed import Needed
from bmswitch.workflows import effects_core, log_right
from bmswitch.workflows.config import load_config
from bmswitch.workflows.log_right import LogRight
from bmswitch.workflows.needed import Looked
from bmswitch.workflows.pulses import Pulses
from bmswitch.workflows.replicate import refuse_copying, refuse_sharing
from bmswitch.workflows.uncured import uncured_findings

replace = msgspec.structs.replace


@pytest.fixture
def config() -> Config:
    loaded = load_config(EXAMPLE)
    return replace(loaded, replication=replace(loaded.replication, mode="shared"))


def until(so: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 5
    while not so():
        assert time.monotonic() < end, what
        time.sleep(0.005)


class Sides:
    """Two cores in one: what is written on the source is shown on the target once `open` is set."""

    name = "blue"

    def __init__(self) -> None:
        self.open, self.writable = threading.Event(), True
        self.written: list[tuple[str, str, str]] = []

    def ensure_probes(self, _domain: str, uids: Any) -> int:
        return len(uids)

    def write_nonce(self, domain: str, uids: list[str], nonce: str) -> None:
        if not self.writable:
            raise RefusedError("instance is not writable")
        self.written.append((domain, uids[0], nonce))

    def nonces_missing(self, domain: str, uids: list[str], nonce: str) -> int:
        if (domain, uids[0], nonce) not in self.written:
            raise UnreachableError("no answer")
        return 0 if self.open.is_set() else 1


def test_entries_of_a_pulse_are_not_the_barriers_and_are_left_out_of_proofs_too() -> None:
    assert not set(pulse_uids()) & set(probe_uids())
    assert all(is_probe(uid) for uid in pulse_uids())
    assert [partition_of(uid, 64) for uid in pulse_uids()] == list(range(0, 64, 8))


def test_the_lag_is_the_age_of_a_write_that_is_not_shown_and_then_what_it_took() -> None:
    sides, heard = Sides(), list[Any]()
    pulses = Pulses(sides, sides, ["a.test", "b.test"], every=0.01)  # type: ignore[arg-type] # stand-ins
    pulses.start(lambda: {"log": [len(sides.written)]}, heard.append)
    try:
        until(lambda: sides.written and pulses.seconds > 0.2, "it grows while nothing is shown")
        assert len(sides.written) == 1
        assert heard == []
        sides.open.set()
        until(lambda: heard, "it was shown")
        assert heard[0] == {"log": [0]}, "the ends of before the write"
        until(lambda: len(sides.written) > 3, "the next ones follow")
        assert {domain for domain, _, _ in sides.written} == {"a.test", "b.test"}
        until(lambda: pulses.seconds < 0.2, "the last one was quick")
    finally:
        pulses.stop()


def test_a_source_that_takes_no_writes_is_asked_again_and_counts_for_nothing() -> None:
    sides = Sides()
    sides.writable = False
    sides.open.set()
    pulses = Pulses(sides, sides, ["a.test"], every=0.01)  # type: ignore[arg-type] # stand-ins
    pulses.start(dict, lambda _ends: None)
    try:
        time.sleep(0.05)
        assert pulses.seconds == 0.0
    finally:
        pulses.stop()


def test_every_cure_that_can_not_be_applied_is_a_warning_with_its_own_consequence() -> None:
    found = uncured_findings({"USER": 3, "RESOURCE": 1}, Looked())
    without = {cure.name: cure.without for cure in catalogue()}
    told_of = {finding.cause.split()[2]: finding for finding in found}
    assert all(finding.level is Level.warn for finding in found)
    assert all(finding.consequence == without[name] for name, finding in told_of.items())
    assert "verify --repair" in told_of["uidvalidity"].command
    assert "resources_whole" in told_of
    assert "parents_first" not in told_of, "there is no org unit"
    assert {"server_addresses", "installation_id", "crp_dir_entries", "id_sequences"}.isdisjoint(told_of)
    assert "parents_first" in {f.cause.split()[2] for f in uncured_findings({}, Looked())}, (
        "nobody could count"
    )


def test_what_the_log_says_of_a_missing_cure_stands_beside_it() -> None:
    counts = {"uidvalidity": 3, "children_wait": 0}
    part = {f.cause.split()[2]: f for f in uncured_findings({}, Looked(records=2000, counts=counts))}
    assert part["uidvalidity"].evidence == "3 cases in the first 2,000 records that were read"
    assert part["children_wait"].level is Level.warn, "the rest was not read"
    whole = Looked(records=2000, whole=True, counts=counts)
    told_of = {f.cause.split()[2]: f for f in uncured_findings({}, whole)}
    assert (told_of["children_wait"].level, told_of["uidvalidity"].level) == (Level.passed, Level.warn)
    assert told_of["children_wait"].evidence == "0 cases in all 2,000 records"
    assert told_of["parents_first"].level is Level.warn, "it can not be counted in the stream"
    ends = uncured_findings({}, Looked(records=9, counts={"deletions_mended": 1, "metadata_described": 1}))
    assert [f.cause.split()[2] for f in ends if f.level is Level.stop] == ["deletions_mended"]


def test_cures_are_shown_a_log_and_what_they_would_have_done_is_counted() -> None:
    needed = Needed()
    topic = f"{'0' * 32}-lab.test"

    def show(kind: str, uid: str, operation: str, value: bytes | None, **changes: Any) -> None:
        made = RecordKey(
            type=kind, owner=changes.pop("owner", "u1"), uid=uid, id=changes.pop("id", 7),
            value_class=changes.pop("value_class", "net.bluemind.X"), operation=Operation(operation),
        )  # fmt: skip
        needed.see(LogRecord(topic, 0, needed.records, 0, encode_key(made), value))

    entry = b'{"uid":"u1","value":{}}'
    show("dir", "lab.test", "CREATE", entry, owner="system", value_class=ENTRY_CLASS)
    for number, folder in ((1, b"a"), (2, b"b"), (3, b"c")):
        show("replicated_mailboxes", "subtree", "CREATE", b'{"uid":"%b","value":{}}' % folder, id=number)
    show("replicated_mailboxes", "subtree", "UPDATE", b'{"uid":"b","value":{}}', id=2)
    show("replicated_mailboxes", "subtree", "CREATE", None, id=3)
    assert needed.counts["uidvalidity"] == 2
    show("mailbox_records", "mbox_records_late", "CREATE", b'{"uid":"1.","value":{}}')
    show("mailbox_records", "mbox_records_a", "CREATE", b'{"uid":"1.","value":{}}')
    show("addressbook", "book", "DELETE", b'{"uid":"a"b"}')
    assert needed.counts == {
        "deletions_mended": 1, "children_wait": 1, "legacy_records": 0, "metadata_described": 0, "resources_whole": 0, "uidvalidity": 2,
    }  # fmt: skip
    assert needed.records == 9


def test_what_only_a_copy_has_is_refused(config: Config, tmp_path: Path) -> None:
    refuse_copying(tmp_path, None)
    with pytest.raises(RefusedError, match="nothing is copied") as refused:
        refuse_copying(tmp_path, 100.0)
    assert "--rate" in refused.value.evidence
    (tmp_path / "replicate.pause").touch()
    with pytest.raises(RefusedError, match="nothing is copied") as refused:
        refuse_copying(tmp_path, None)
    assert "nobody can hold it back" in refused.value.evidence
    with pytest.raises(RefusedError, match="shared by workers"):
        refuse_sharing(config, None)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (
            {"phase": "caught_up", "lag_seconds": 0.4, "lag_records": 3},
            "caught up, 0.4 s behind, some 3 records",
        ),
        (
            {"phase": "cloning", "lag_records": 900, "unseen": "Kafka does not list its groups"},
            "cloning, 900 records in the log, how many of them are read is not told: Kafka does not list its groups",
        ),
        (
            {"phase": "cloning", "records": 100, "lag_records": 900, "records_per_second": 50.0},
            "cloning, 100 records read, 50/s, at most 900 left, ",
        ),
    ],
    ids=["caught up", "unseen", "cloning"],
)
def test_progress_tells_of_the_clone_and_says_what_it_can_not_know(status: dict[str, Any], line: str) -> None:
    seen = ReplicateStatus(plan_id="p", pid=1, started_at=0.0, updated_at=0.0, mode="shared", **status)
    assert told(seen).startswith(line)


class FakeAcls:
    """Kafka's ACLs of one side."""

    def __init__(self, *_: object) -> None:
        self.calls = _CALLS

    def withdraw(self, permit: Callable[[], None]) -> None:
        permit()
        self.calls.append("deny")

    def give_back(self, permit: Callable[[], None]) -> None:
        permit()
        self.calls.append("allow")


_CALLS: list[str] = []


def test_a_clones_right_is_withheld_and_given_whatever_was_there_before(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_right, "Acls", FakeAcls)
    _CALLS.clear()
    acls = replace(
        config, green=replace(config.green, rights=Rights(kafka=KafkaAcls(principal="User:green")))
    )
    right = LogRight(acls, "green", "bluemind-1", _never, lambda: _CALLS.append("permit"))
    assert right.withhold(0.0) == right.grant(0.0) == Result(answer="yes")
    assert _CALLS == ["permit", "deny", "permit", "allow"]
    mirror = replace(acls, replication=replace(acls.replication, mode="mirror"))
    assert LogRight(mirror, "green", "bluemind-1", _never, _must_not).withhold(0.0).answer == "yes"
    assert LogRight(config, "green", "bluemind-1", _never, _must_not).grant(0.0).answer == "yes"


def test_a_command_that_gives_the_right_is_run_and_its_failure_is_said(config: Config) -> None:
    way = RightsCommand(revoke=["take"], restore=["give"])
    commanded = replace(config, green=replace(config.green, rights=Rights(kafka=way)))
    ran = list[Argv]()

    def run(command: Argv, kind: str, _most: float) -> Result:
        assert kind == "kafka-rights"
        ran.append(command)
        return Result(answer="no", said="ended with 3")

    right = LogRight(commanded, "green", "bluemind-1", run, lambda: None)
    assert right.withhold(0.0).answer == right.grant(0.0).answer == "no"
    assert ran == [["take"], ["give"]]


def _never(_command: Argv, _kind: str, _most: float) -> Result:
    raise AssertionError("no command is configured")


def _must_not() -> None:
    raise AssertionError("nothing may be changed")


class GrowingLog:
    """End offsets, one more with each look beyond `still`."""

    def __init__(self, still: int) -> None:
        self._still, self._looks = still, 0

    def ends(self, counts: dict[str, int]) -> dict[str, list[int]]:
        assert counts == {"log": 2}
        self._looks += 1
        return {"log": [5, 5 + max(0, self._looks - self._still)]}


def test_a_new_leaders_write_must_come_to_the_log() -> None:
    known = {"log": [5, 5]}
    done = effects_core.logged(GrowingLog(2), known, time.monotonic() + 5)  # type: ignore[arg-type] # a stand-in
    assert done == Result(answer="yes")
    done = effects_core.logged(GrowingLog(10**9), known, time.monotonic() + 0.05)  # type: ignore[arg-type] # the same
    assert (done.answer, "does not grow" in done.said) == ("no", True)


def test_a_folder_that_differs_in_uidvalidity_is_written_over_and_nothing_else_of_mail_is() -> None:
    found = Difference(
        domain="lab.test", owner="u", container="subtree", type="replicated_mailboxes", item="f", side="both", what="uidValidity"
    )  # fmt: skip
    mend = mend_of(found)
    assert mend is not None
    wrote: list[Any] = []

    class Source:
        def get(self, where: str) -> Any:
            return (
                {"uid": "f", "value": {"name": "INBOX", "uidValidity": 7}}
                if where.endswith("/complete")
                else None
            )

    class Target:
        def write(self, *what: Any) -> None:
            wrote.append(what)

    mend.work(Source(), Target(), found)  # type: ignore[arg-type] # stand-ins of two pens
    where = "/internal-api/db_replicated_mailboxes_by_container/subtree/f"
    assert wrote == [("POST", where, {"name": "INBOX", "uidValidity": 7})]
    for other in (replace(found, what="lastUid"), replace(found, side="source"), replace(found, what="name")):
        assert mend_of(other) is None


def key(operation: str, *, owner: str = "system", kind: str = "dir") -> bytes:
    made = RecordKey(
        type=kind, owner=owner, uid="lab.test", id=7, value_class="X", operation=Operation(operation)
    )
    return encode_key(made)


def test_the_labs_proxy_topic_follows_the_proxys_own_rules() -> None:
    value = b'{"uid":"u1","value":{}}'
    assert crp.copies(key("CREATE"), value) == [(murmur2_partition("system", 8), key("CREATE"), value)]
    member = key("CREATE", owner="u1", kind="memberships")
    assert crp.copies(member, value) == [(murmur2_partition("u1", 8), member, value)]
    deleted = crp.copies(key("DELETE"), value)
    assert [(decode_key(k).operation.value, v) for _, k, v in deleted] == [
        ("UPDATE", None), ("CREATE", None), ("DELETE", value),
    ]  # fmt: skip
    assert crp.copies(key("CREATE"), None) == []
    assert crp.copies(key("CREATE", kind="calendar"), value) == []
    assert crp.copies(b"no json", value) == []


def test_two_cores_of_one_kafka_have_one_latch(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    site = replace(lab.site, latch=str(tmp_path / "leader"))
    blue, green = State(site), State(site)
    assert blue.apply()
    assert not green.apply()
    assert not green.elect(), "it waits behind the leader"
    blue.release()
    assert green.elect()
    assert not blue.elect(), "who has stepped down does not stand any more"
    green.release()
