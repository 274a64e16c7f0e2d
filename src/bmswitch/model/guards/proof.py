"""Prevents a switch to a target that was not proven equal (C 2, 7, 11, 20, 21, 34)."""

from bmswitch.model.accepting import judged
from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding
from bmswitch.model.proof import Proof

VERIFY = "bmswitch verify"
_SHOWN = 5


@guard(2, 7, 11, 18, 19, 20, 21, 27, 34, asked=GATE)
def proof(facts: Facts) -> Finding:
    """The last proof is of this plan, and found no difference but those that the plan accepts by name."""
    found = facts.at_gate.proof
    if found is None:
        return unknown(f"{facts.target.colour} was never proven equal", "no proof.json", VERIFY)
    if found.plan_id != facts.at_gate.plan_id:
        return stop("the last proof is of another plan", found.plan_id, VERIFY)
    return _judge(found, facts)


def _judge(found: Proof, facts: Facts) -> Finding:
    """What the differences of a proof of this plan mean for it."""
    told = f"{facts.now - found.at:.0f} s ago, {found.items} items"
    if found.names is None:  # a proof of an earlier bmswitch
        if found.verdict != "equal":
            return stop(f"the last proof says {found.verdict}", f"{found.differences} differences", VERIFY)
        return passed("the last proof says equal", told)
    seen = judged(found.names, facts.at_gate.accepted)
    if seen.wrong:
        return stop(
            "the last proof found differences that the plan does not accept",
            ", ".join(f"{number} {name}" for name, number in list(seen.wrong.items())[:_SHOWN]),
            "bmswitch verify --repair, or bmswitch plan accept NAME --reason TEXT --who NAME",
        )
    if found.unsettled or found.verdict == "unknown" or found.differences > sum(found.names.values()):
        return stop(
            f"the last proof says {found.verdict}", f"{found.unsettled} items never stood still", VERIFY
        )
    if seen.fine:
        return passed(
            "the last proof found no difference but accepted ones", f"{told}; {', '.join(seen.fine[:_SHOWN])}"
        )
    return passed("the last proof says equal", told)
