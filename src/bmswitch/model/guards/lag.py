"""Prevents a hold that is too short for what is still under way (C 1)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(1, asked=GATE)
def lag(facts: Facts) -> Finding:
    """What is still under way fits into the hold."""
    status, most = facts.at_gate.status, facts.at_gate.max_lag
    if status is None:
        return unknown("the lag is not known")
    seen = f"{status.lag_records} records, {status.lag_seconds:.1f} s"
    if status.lag_seconds > most:
        return stop(f"the lag is above {most:g} s", seen, "wait, or raise budgets.max_lag")
    return passed("the lag is small", seen)
