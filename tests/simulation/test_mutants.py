"""Switches with one safety taken out are found; so the simulation would find it if the real one lost it."""

import pytest
from tests.simulation.clock import Clock
from tests.simulation.faults import Fault, faults_of
from tests.simulation.mutants import MUTANTS
from tests.simulation.replay import told
from tests.simulation.shrink import shrunken
from tests.simulation.simulate import FoundError, simulate

SEEDS = 1000
pytestmark = pytest.mark.timeout(600)


def found(name: str) -> FoundError | None:
    telling = set(MUTANTS[name].shown_by)

    def shows_late(seed: int) -> bool:
        return not telling.intersection(fault.kind for fault in faults_of(seed, Clock(seed).stream("faults")))

    for seed in sorted(range(SEEDS), key=shows_late):
        try:
            simulate(seed, MUTANTS[name].switch)
        except FoundError as error:
            if error.number in MUTANTS[name].breaks:
                return error
    return None


SLOW = {
    "clocks-further-apart-than-the-margin",
    "hold-beyond-the-budget",
    "ignore-lease-expiry",
    "keep-answers-in-memory",
    "proof-that-does-not-wait",
}
"""Found late: ten seconds and more each."""


@pytest.mark.parametrize(
    "name", [pytest.param(m, marks=[pytest.mark.slow] if m in SLOW else []) for m in sorted(MUTANTS)]
)
def test_a_switch_without_one_safety_is_found(name: str) -> None:
    error = found(name)
    assert error is not None, f"{name} was not found in {SEEDS} seeds"
    assert "python -m tests.simulation.replay" in str(error)


@pytest.mark.parametrize("number", range(1, 10))
def test_every_invariant_has_a_mutant(number: int) -> None:
    assert any(number in mutant.breaks for mutant in MUTANTS.values())


def test_a_broken_run_is_told_with_no_fault_that_it_does_not_need() -> None:
    mutant = MUTANTS["trust-the-promotions-answer"]
    error = found("trust-the-promotions-answer")
    assert error is not None
    small = shrunken(error.seed, mutant.switch)
    assert small is not None
    assert [fault.kind for fault in small[0]] in (["false-success"], ["target-dies"])
    lines, broken = told(error.seed, mutant.switch)
    assert broken
    assert any("FAULT in phase promote: the target " in line for line in lines)
    assert lines[-2].startswith("invariant 7 is broken")


def test_a_fault_that_is_left_out_changes_nothing_before_it() -> None:
    late = Fault(kind="crash-waiting", phase="soak")
    assert simulate(3, faults=[late]).story[:15] == simulate(3, faults=[]).story[:15]
