"""Prevents a target without mail: the shared bucket must answer (clone-and-api.md 7.3)."""

from bmswitch.model.guards.answers import passed, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(19)
def bucket_readable(facts: Facts) -> Finding:
    """The shared bucket answers, and its bodies were counted."""
    if facts.bucket.error:
        return unknown("the bucket can not be read", facts.bucket.error)
    if facts.bucket.bodies < 0:
        return passed("the bucket answers")
    return passed(f"{facts.bucket.bodies:,} bodies in the bucket")
