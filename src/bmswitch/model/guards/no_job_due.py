"""Prevents that a scheduled job runs on both sides, or is cut in the middle (traffic-and-objects.md C 46)."""

from bmswitch.model.guards.answers import passed, some, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

WITHIN = 15 * 60
"""Seconds: longer than a switch and its soak, so that no job begins in them."""


@guard(46)
def no_job_due(facts: Facts) -> Finding:
    """No planned job of the source is due in the next quarter of an hour."""
    source = facts.source
    if source.jobs_error:
        return warn(f"{source.colour}'s planned jobs can not be read", source.jobs_error,
                    command="look at the plan of its jobs by hand")  # fmt: skip
    due = sorted(
        f"{name} in {(at / 1000 - facts.now) / 60:.0f} min"
        for name, at in source.jobs.items()
        if 0 <= at / 1000 - facts.now < WITHIN
    )
    if due:
        return warn(
            f"{len(due)} planned job(s) of {source.colour} begin in the next {WITHIN // 60} minutes",
            some(due),
            f"it may be cut in the middle, or run again on {facts.target.colour}, which knows no history of runs",
            f"wait, or put no.core.jobs on both sides until {facts.target.colour} serves",
        )
    return passed(
        f"no job of {source.colour} is due in the next {WITHIN // 60} minutes", f"{len(source.jobs)} planned"
    )
