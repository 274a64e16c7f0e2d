"""The real decisions, loop and journal in simulated time, from seeds."""

import os
from pathlib import Path

import pytest
from tests.simulation.faults import COMBINATIONS, CRASHES, Fault
from tests.simulation.simulate import simulate
from tests.simulation.summary import Summary, summarized

SEEDS = int(os.environ.get("BMSWITCH_SEEDS", "1000"))
ENOUGH = 1000
RARE_MOVES = 8
"""Moves after a resume with a node that was given up: few seeds go there."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "switch.md"


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarized(range(SEEDS))


@pytest.mark.timeout(max(120, SEEDS // 10))
def test_the_invariants_hold_whatever_goes_wrong(summary: Summary) -> None:
    replays = [
        f"{said}\n  .venv/bin/python -m tests.simulation.replay {seed}" for seed, said in summary.found
    ]
    assert not summary.broken, "\n".join(replays)


@pytest.mark.skipif(SEEDS < ENOUGH, reason="too few seeds for every combination")
def test_every_fault_meets_every_phase_in_which_it_is_possible(summary: Summary) -> None:
    assert summary.not_met() == []
    assert len(COMBINATIONS) > 240


def on_the_page() -> set[tuple[str, str]]:
    """The table of docs/switch.md."""
    text = PAGE.read_text(encoding="utf-8").split("## From phase to phase")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    return {(before, after) for before, afters in rows for after in afters.split(", ")}


@pytest.mark.skipif(SEEDS < ENOUGH, reason="too few seeds for every move")
def test_the_page_shows_how_the_switch_goes_from_phase_to_phase(summary: Summary) -> None:
    assert set(summary.moves) <= on_the_page(), sorted(set(summary.moves) - on_the_page())
    assert len(on_the_page() - set(summary.moves)) <= RARE_MOVES, sorted(on_the_page() - set(summary.moves))


def test_every_end_is_reached_and_many_resumed_runs_switch(summary: Summary) -> None:
    assert set(summary.ends) == {"switched", "aborted", "unknown"}
    assert summary.ends["switched"] > summary.seeds // 4
    assert summary.ends["aborted"] > summary.seeds // 4
    assert summary.resumed > summary.seeds // 30


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
