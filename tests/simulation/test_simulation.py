"""The real decisions, loop and journal in simulated time, from seeds."""

import os

import pytest
from tests.simulation.faults import COMBINATIONS, CRASHES, Fault
from tests.simulation.simulate import simulate
from tests.simulation.summary import Summary, summarized

from bmswitch.model.switch import TRANSITIONS

SEEDS = int(os.environ.get("BMSWITCH_SEEDS", "1000"))
ENOUGH = 1000


pytestmark = pytest.mark.timeout(max(900, SEEDS))
"""Whichever test comes first waits for all seeds: some 25 s on a quiet machine, many times that on a busy one."""


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarized(range(SEEDS))


def test_the_invariants_hold_whatever_goes_wrong(summary: Summary) -> None:
    replays = [
        f"{said}\n  .venv/bin/python -m tests.simulation.replay {seed}" for seed, said in summary.found
    ]
    assert not summary.broken, "\n".join(replays)


@pytest.mark.skipif(SEEDS < ENOUGH, reason="too few seeds for every combination")
def test_every_fault_meets_every_phase_in_which_it_is_possible(summary: Summary) -> None:
    """Those that no seed of the 1,000 brought (some need a switch that gets far) are tried one by one."""
    missing = summary.not_met()
    assert len(missing) <= len(COMBINATIONS) // 20, missing
    for kind, phase in missing:
        faults = [Fault(kind=kind, phase=phase, ms=300)]
        if phase == "aborting":
            faults.append(Fault(kind="operator-aborts", phase="flip"))
        assert any(simulate(seed, faults=faults).met[kind, phase] for seed in range(50)), (kind, phase)
    assert len(COMBINATIONS) > 300


TABLE = {(one.before, one.after) for one in TRANSITIONS}
RARE: dict[tuple[str, str], list[Fault]] = {
    ("soak", "release"): [
        Fault(kind="node-restarts", phase="flip", ms=2100, node=2),
        Fault(kind="crash-waiting", phase="soak", nth=1),
    ],
    ("soak", "flip"): [
        Fault(kind="node-restarts", phase="flip", ms=1800, node=2),
        Fault(kind="node-unreachable", phase="flip", nth=2, ms=4400, node=2),
        Fault(kind="crash-waiting", phase="soak"),
        Fault(kind="crash-waiting", phase="flip"),
    ],
    ("flip", "soak"): [
        Fault(kind="node-restarts", phase="flip", ms=3300, node=1),
        Fault(kind="node-restarts", phase="flip", nth=1, ms=900, node=-1),
        Fault(kind="crash-waiting", phase="soak"),
        Fault(kind="crash-waiting", phase="flip"),
    ],
    ("release", "flip"): [
        Fault(kind="node-unreachable", phase="flip", ms=2400, node=2),
        Fault(kind="crash-waiting", phase="release", nth=2),
        Fault(kind="crash-waiting", phase="flip"),
    ],
}
"""Transitions that few seeds need: a node given up, then resumed. Each with faults that lead there."""


@pytest.mark.skipif(SEEDS < ENOUGH, reason="too few seeds for every transition")
def test_the_switch_goes_where_the_table_says_and_nowhere_else(summary: Summary) -> None:
    moves = set(summary.moves)
    assert moves <= TABLE, sorted(moves - TABLE)
    assert TABLE - moves <= set(RARE), sorted(TABLE - moves - set(RARE))


@pytest.mark.parametrize("move", sorted(RARE))
def test_a_rare_transition_occurs(move: tuple[str, str]) -> None:
    assert any(move in simulate(seed, faults=RARE[move]).moves for seed in range(50))


def test_every_end_is_reached_and_many_resumed_runs_switch(summary: Summary) -> None:
    assert set(summary.ends) == {"switched", "aborted", "unknown"}
    assert summary.ends["switched"] > summary.seeds // 4
    assert summary.ends["aborted"] > summary.seeds // 4
    assert summary.resumed > summary.seeds // 30
    assert {"switched", "aborted"} <= set(summary.returns)
    assert summary.returns["switched"] > summary.seeds // 20


def test_without_faults_every_run_switches_within_the_budget() -> None:
    for seed in range(20):
        run = simulate(seed, faults=[])
        assert run.outcome == "switched" or "drain" in run.reason or "barrier" in run.reason, run.story


def test_the_same_seed_tells_the_same_story() -> None:
    assert [simulate(seed).story for seed in (7, 8, 9)] == [simulate(seed).story for seed in (7, 8, 9)]


@pytest.mark.parametrize("kind", sorted(CRASHES))
def test_the_way_back_can_be_interrupted_again_and_again(kind: str) -> None:
    crash = next(one for one in CRASHES if one == kind)
    faults = [Fault(kind="operator-aborts", phase="prove")]
    faults += [Fault(kind=crash, phase="aborting", nth=nth) for nth in (1, 2, 3)]
    for seed in range(5):
        run = simulate(seed, faults=faults)
        assert run.outcome in ("aborted", "unknown"), run.story
        assert run.met[crash, "aborting"] > 1, run.story
