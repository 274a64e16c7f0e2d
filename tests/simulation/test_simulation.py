"""The real decisions, loop and journal, in simulated time from seeds; and proof that the checker finds wrong switches."""

import os

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.simulate import BrokenInvariantError, simulate

from bmswitch.model.switch import next_action
from bmswitch.workflows.switch_loop import Decide

SEEDS = int(os.environ.get("BMSWITCH_SEEDS", "320"))
CHUNK = 40


def all_seeds(decide: Decide) -> None:
    for seed in range(300):
        simulate(seed, decide)


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_invariants_hold_whatever_goes_wrong(first: int) -> None:
    for seed in range(first, min(first + CHUNK, SEEDS)):
        simulate(seed)


def test_every_end_is_reached_and_most_calm_runs_switch() -> None:
    runs = [simulate(seed) for seed in range(120)]
    ends = {run.outcome for run in runs}
    assert ends == {"switched", "aborted", "unknown"}
    assert any(run.lives > 1 and run.outcome == "switched" for run in runs), "no resumed run has switched"
    assert sum(run.outcome == "switched" for run in runs) > 40


def test_the_same_seed_tells_the_same_story() -> None:
    assert simulate(7).story == simulate(7).story


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_switch_without_one_safety_is_found_within_300_seeds(name: str) -> None:
    with pytest.raises(BrokenInvariantError, match=r"python -m tests\.simulation\.simulate \d+"):
        all_seeds(MUTANTS[name])


def test_the_mutants_differ_from_the_real_switch() -> None:
    assert next_action not in MUTANTS.values()
