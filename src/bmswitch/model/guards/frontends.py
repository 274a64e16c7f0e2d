"""Prevents a soak that proves nothing: what it will probe must answer before the switch (C 41)."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(41, asked=GATE)
def frontends(facts: Facts) -> Finding:
    """Every configured frontend answers as it does to a client, over TLS where it speaks TLS."""
    faults = facts.at_gate.frontend_faults
    if faults:
        return stop("a frontend does not answer before the switch", "; ".join(faults[:3]))
    return passed("every frontend answers")
