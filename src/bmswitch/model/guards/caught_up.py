"""Prevents a switch to a target whose first pass is not over (C 1, 7)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(1, 7, asked=GATE)
def caught_up(facts: Facts) -> Finding:
    """The target has shown a nonce of every partition: the first pass is over."""
    status, target = facts.at_gate.status, facts.target.colour
    if status is None:
        return unknown(f"it is not known whether {target} is caught up")
    if status.phase != "caught_up":
        return stop(
            f"{target} is not caught up",
            f"replicate says {status.phase} {status.error}".strip(),
            "bmswitch status --wait caught-up --timeout 600",
        )
    return passed(f"{target} is caught up")
