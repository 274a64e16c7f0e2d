"""Wrong switches, each with one safety taken out: the simulation is only worth something if it finds them."""

from unittest import mock

from bmswitch.model.switch import Action, Observation, State, forward, next_action
from bmswitch.workflows.switch_loop import Decide


def _without(*names: str) -> Decide:
    steps = tuple(step for step in forward.STEPS if step.__name__ not in names)
    return lambda state, seen: next_action(state, seen, steps)


def _flip_before_the_barrier() -> Decide:
    steps = [step for step in forward.STEPS if step is not forward.flip]
    steps.insert(steps.index(forward.barrier), forward.flip)
    return lambda state, seen: next_action(state, seen, tuple(steps))


def _ignore_lease_expiry(state: State, seen: Observation) -> Action:
    with mock.patch.object(forward, "hold_lapsed", return_value=False):
        return next_action(state, seen)


MUTANTS: dict[str, Decide] = {
    "skip-the-fence": _without("fence", "stop_old"),
    "flip-before-the-barrier": _flip_before_the_barrier(),
    "ignore-lease-expiry": _ignore_lease_expiry,
    "skip-the-proof-and-the-barrier": _without("barrier", "prove"),
    "skip-the-kick-and-the-drain": _without("kick", "drain"),
    "promote-before-the-fence": _without("fence"),
}
