"""Prevents a switch to a side that somebody promoted, or whose failed replay let it go RUNNING (C 7)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import CLONING, Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(7, 46, asked=GATE)
def target_is_a_clone(facts: Facts) -> Finding:
    """The target still restores: RUNNING would mean that somebody promoted it."""
    target = facts.target
    if target.core_error or not target.state:
        return unknown(f"{target.colour}'s core can not be read", target.core_error, "bmswitch status")
    if target.state != CLONING:
        return stop(f"{target.colour} is {target.state}, not {CLONING}", command="bmswitch status")
    return passed(f"{target.colour} is a clone")
