"""Prevents a switch without a running copy: what was written last would never reach the target (C 1)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

FRESH = 5.0
"""Seconds after which a status that did not change means that its process is gone."""
_AGAIN = "bmswitch replicate --follow"


@guard(1, asked=GATE)
def replicate_runs(facts: Facts) -> Finding:
    """A replicate of this plan is alive: it writes its status several times a second."""
    status = facts.at_gate.status
    if status is None:
        return unknown("there is no running replicate", "no replicate.json", _AGAIN)
    age = facts.now - status.updated_at
    if age > FRESH:
        return stop("replicate does not run any more", f"last sign {age:.0f} s ago", _AGAIN)
    if status.plan_id != facts.at_gate.plan_id:
        return stop("replicate runs for another plan", status.plan_id, _AGAIN)
    return passed("replicate runs", f"process {status.pid}")
