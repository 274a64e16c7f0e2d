"""The guards of the gate: facts in, findings out."""

import msgspec
import pytest

from bmswitch.model.plan import Level
from bmswitch.model.proof import Proof
from bmswitch.model.status import ReplicateStatus
from bmswitch.model.switch import Node
from bmswitch.replication.quarantine import Entry, Parked
from bmswitch.workflows import gate
from bmswitch.workflows.gate.facts import GateFacts

NOW = 1_700_000_000.0
STATUS = ReplicateStatus(plan_id="p1", pid=7, phase="caught_up", started_at=NOW - 60, updated_at=NOW - 0.2)
PROOF = Proof(
    plan_id="p1",
    verdict="equal",
    at=NOW - 30,
    position={},
    containers=3,
    items=9,
    bodies=1,
    bodies_read=1,
    differences=0,
    known_differences=0,
    unsettled=0,
    seconds=1.0,
    not_proved=[],
)
GOOD = GateFacts(
    now=NOW,
    plan_id="p1",
    max_lag=2.0,
    mode="mirror",
    status=STATUS,
    proof=PROOF,
    blue="RUNNING",
    green="CLONING",
    versions={"blue": ("5.0", "5.0.3"), "green": ("5.1", "5.1.0.1")},
    versions_error="",
    nodes=[Node(name="n1", seen=True, colour="blue", fence=2)],
    frontend_faults=[],
    bucket_error="",
    free_bytes=1 << 30,
    missing_commands=[],
    orphans=[],
    orphans_error="",
)
replace = msgspec.structs.replace

WRONG: dict[str, tuple[str, dict[str, object], Level]] = {
    "no status": ("replicate_runs", {"status": None}, Level.unknown),
    "dead replicate": ("replicate_runs", {"status": replace(STATUS, updated_at=NOW - 60)}, Level.stop),
    "other plan": ("replicate_runs", {"status": replace(STATUS, plan_id="p0")}, Level.stop),
    "still copying": ("caught_up", {"status": replace(STATUS, phase="copying")}, Level.stop),
    "behind": ("lag", {"status": replace(STATUS, lag_seconds=2.5)}, Level.stop),
    "parked": ("quarantine", {"parked": [Entry(1, Parked("t", 0, 1, "why", b"k", None, NOW))]}, Level.stop),
    "parked records lost": ("quarantine", {"status": replace(STATUS, quarantined=1)}, Level.unknown),
    "parked records unread": ("quarantine", {"parked_error": "damaged"}, Level.unknown),
    "new domain": ("orphans", {"orphans": ["CREATE of domains x"]}, Level.stop),
    "orphans unread": ("orphans", {"orphans_error": "no answer"}, Level.unknown),
    "never proven": ("proof", {"proof": None}, Level.unknown),
    "proof of another plan": ("proof", {"proof": replace(PROOF, plan_id="p0")}, Level.stop),
    "different": ("proof", {"proof": replace(PROOF, verdict="different")}, Level.stop),
    "proof unknown": ("proof", {"proof": replace(PROOF, verdict="unknown")}, Level.stop),
    "blue silent": ("blue_runs", {"blue": "silent"}, Level.unknown),
    "blue demoted": ("blue_runs", {"blue": "DEMOTED"}, Level.stop),
    "green promoted": ("green_is_a_clone", {"green": "RUNNING"}, Level.stop),
    "other version": ("versions", {"versions": {"green": ("5.1", "5.10.2")}}, Level.stop),
    "version unread": ("versions", {"versions_error": "no answer"}, Level.unknown),
    "node silent": ("blue_everywhere", {"nodes": [Node(name="n1", seen=False)]}, Level.unknown),
    "node astray": ("blue_everywhere", {"nodes": [Node(name="n1", seen=True, colour="green")]}, Level.stop),
    "node held": (
        "blue_everywhere",
        {"nodes": [Node(name="n1", seen=True, colour="blue", hold_until_ms=int(NOW * 1000) + 500)]},
        Level.stop,
    ),
    "frontend": ("frontends", {"frontend_faults": ["n1 imap: refused"]}, Level.stop),
    "bucket": ("bucket", {"bucket_error": "no answer"}, Level.unknown),
    "disk": ("disk", {"free_bytes": 1000}, Level.stop),
    "commands": ("commands", {"missing_commands": ["stop"]}, Level.warn),
}


def test_a_healthy_site_passes_every_guard() -> None:
    findings = gate.ask(GOOD)
    assert {finding.level for finding in findings} == {Level.passed}
    assert [finding.guard for finding in findings] == [guard.__name__ for guard in gate.GUARDS]


@pytest.mark.parametrize("case", sorted(WRONG))
def test_each_thing_that_is_wrong_is_found_by_its_guard_alone(case: str) -> None:
    guard, changes, level = WRONG[case]
    findings = {finding.guard: finding for finding in gate.ask(replace(GOOD, **changes))}
    assert findings.pop(guard).level is level
    others = [f for f in gate.refusals(list(findings.values())) if changes.keys() != {"status"}]
    assert others == []


def test_a_warning_lets_go_on_and_unknown_does_not() -> None:
    assert gate.refusals(gate.ask(replace(GOOD, missing_commands=["stop"]))) == []
    assert [f.guard for f in gate.refusals(gate.ask(replace(GOOD, bucket_error="x")))] == ["bucket"]
