"""Prevents a switch that stops in the middle because its journal can not be written."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

MIN_FREE = 16 * 1024 * 1024


@guard(asked=GATE)
def disk(facts: Facts) -> Finding:
    """The run folder's disk has room for the journal."""
    free = facts.at_gate.free_bytes // (1024 * 1024)
    if facts.at_gate.free_bytes < MIN_FREE:
        return stop("the run folder's disk is full", f"{free} MiB free", "free some space")
    return passed("the journal can be written", f"{free} MiB free")
