"""Prevents a switch away from a side that is not in production."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import RUNNING, Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard()
def source_serves(facts: Facts) -> Finding:
    """The source's core answers and is RUNNING."""
    source = facts.source
    if source.core_error:
        return unknown(f"{source.colour}'s core can not be read", source.core_error)
    if source.state != RUNNING:
        return stop(
            f"{source.colour} is not in production",
            f"state {source.state}",
            f"start {source.colour}'s core first",
        )
    return passed(f"{source.colour} is in production")
