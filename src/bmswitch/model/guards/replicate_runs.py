"""Prevents a switch without a running copy: what was written last would not reach the target in time, or never (C 1)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding
from bmswitch.model.status import ReplicateStatus

FRESH = 5.0
"""Seconds after which a status that did not change means that its process is gone."""
SLOWEST = 1000
"""Records a second that a copy must be allowed to read when a hold waits for it."""
_AGAIN = "bmswitch replicate --follow"


@guard(1, asked=GATE)
def replicate_runs(facts: Facts) -> Finding:
    """A replicate of this plan is alive and not held back: it writes its status several times a second."""
    status = facts.at_gate.status
    if status is None:
        return unknown("there is no running replicate", "no replicate.json", _AGAIN)
    age = facts.now - status.updated_at
    if age > FRESH:
        return stop("replicate does not run any more", f"last sign {age:.0f} s ago", _AGAIN)
    if status.plan_id != facts.at_gate.plan_id:
        return stop("replicate runs for another plan", status.plan_id, _AGAIN)
    held = _held_back(facts, status)
    return held or passed("replicate runs", f"process {status.pid}")


def _held_back(facts: Facts, status: ReplicateStatus) -> Finding | None:
    """What keeps a living copy from following closely, if anything does."""
    silent = [worker for worker in status.workers if facts.now - worker.at > FRESH]
    if silent:
        return stop(
            f"{len(silent)} of {len(status.workers)} workers say nothing any more",
            "; ".join(f"process {w.pid} on {w.host}: last sign {facts.now - w.at:.0f} s ago" for w in silent),
            f"kill -9 them, then remove workers/{silent[0].name}.json in the run folder",
            "one that stands still could write an old record when it wakes",
        )
    if status.held:
        return stop("replicate is held back and copies nothing", status.held, "bmswitch status")
    if 0 < status.rate_limit < SLOWEST:
        return stop(
            f"replicate may read {status.rate_limit:g} records a second only",
            f"a barrier is 64 records for each domain, all at once; at least {SLOWEST} are needed",
            f"start it anew without a limit: {_AGAIN} --rate 0",
        )
    return None
