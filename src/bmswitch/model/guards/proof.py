"""Prevents a switch to a target that was not proven equal (C 2, 7, 11, 20, 21, 34)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(2, 7, 11, 18, 19, 20, 21, 27, 34, asked=GATE)
def proof(facts: Facts) -> Finding:
    """The last proof is of this plan and says equal."""
    found = facts.at_gate.proof
    if found is None:
        return unknown(f"{facts.target.colour} was never proven equal", "no proof.json", "bmswitch verify")
    if found.plan_id != facts.at_gate.plan_id:
        return stop("the last proof is of another plan", found.plan_id, "bmswitch verify")
    if found.verdict != "equal":
        return stop(
            f"the last proof says {found.verdict}", f"{found.differences} differences", "bmswitch verify"
        )
    return passed("the last proof says equal", f"{facts.now - found.at:.0f} s ago, {found.items} items")
