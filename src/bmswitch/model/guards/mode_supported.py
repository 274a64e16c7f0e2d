"""Prevents a run in a mode that is not there yet."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import PLAN, guard
from bmswitch.model.plan import Finding


@guard(asked=PLAN)
def mode_supported(facts: Facts) -> Finding:
    """Mirror mode: the target's site gets its own copy of the log."""
    if facts.mode != "mirror":
        return stop("replication.mode: shared is not there yet", command="say replication.mode: mirror")
    return passed(f"{facts.target.colour}'s site gets its own copy of the log")
