"""The switch as a pure function over frozen data (design: a runner journals, acts, looks, and asks again).

Invariants, checked in every simulation (tests/simulation):

1. never do both sides accept writes, and never neither for longer than the hold's budget;
2. a write that a client saw acknowledged is on the side that serves afterwards;
3. a held request is answered once, or refused in a retryable way before the client's own timeout;
4. running again from any prefix of the journal ends in the same state;
5. turning back restores routing, write permission and release, in that order, and can itself be interrupted;
6. parity says *equal* only for a stated position on both sides;
7. what can not be seen is `unknown`, never failed and never done;
8. a late message of an older attempt changes nothing: proxies refuse an older fence;
9. the phase changes only as `transitions.TRANSITIONS` lists, each under its guard.
"""

from collections.abc import Sequence

from bmswitch.model.switch.back import may_abort, next_step_back
from bmswitch.model.switch.facts import (
    VERBS,
    Action,
    Answer,
    Limits,
    Node,
    Observation,
    Outcome,
    Phase,
    Powers,
    Result,
    Verb,
)
from bmswitch.model.switch.forward import STEPS, Step, comes_too_late, turn_back_because
from bmswitch.model.switch.state import Entry, State, apply, entry_of, fold
from bmswitch.model.switch.transitions import TRANSITIONS, Transition

__all__ = [
    "TRANSITIONS",
    "VERBS",
    "Action",
    "Answer",
    "Entry",
    "Limits",
    "Node",
    "Observation",
    "Outcome",
    "Phase",
    "Powers",
    "Result",
    "State",
    "Transition",
    "Verb",
    "apply",
    "comes_too_late",
    "entry_of",
    "fold",
    "may_abort",
    "next_action",
]


def next_action(state: State, seen: Observation, steps: Sequence[Step] = STEPS) -> Action:
    """What comes next, from what was done (`state`, a fold of the journal) and what is seen now. Pure and total.

    `steps` is the way forward; tests give a wrong one to see that it is found.
    """
    if state.outcome:
        phase: Phase = "done" if state.outcome == "switched" else state.outcome
        return Action(do="end", phase=phase, said=state.reason, outcome=state.outcome)
    if state.goal == "abort":
        return next_step_back(state, seen)
    if why := turn_back_because(state, seen):
        return Action(do="abort", phase="aborting", said=why)
    for step in steps:
        action = step(state, seen)
        if action is not None:
            return action
    raise AssertionError("the last step always answers")
