"""Prevents that a write which never reached the log is forgotten (traffic-and-objects.md C 2)."""

from bmswitch.model.guards.answers import passed, stop, unread, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(2)
def no_lost_records(facts: Facts) -> Finding:
    """The source's core log has no line about a record that could not be stored."""
    colour = facts.source.colour
    told = {one: one.lost for one in facts.machines if one.colour == colour and one.lost is not None}
    lost = [f"{one.uid}: {number} lines" for one, number in told.items() if number > 0]
    if lost:
        return stop(
            f"{colour}'s core could not store records in its log",
            ", ".join(lost),
            f"read these lines on {colour}, run `_checkrepair` or `_sync` there, empty that log, and verify again",
            "these writes are in its database and in no record: a clone never gets them",
        )
    if why := unread(told):
        return warn(
            f"{colour}'s core log could not be searched everywhere",
            why,
            "a write that was lost from the log is found by `verify` only",
            f'search it for "Failed to store" and "Could not store" on {colour} yourself',
        )
    return passed(f"{colour}'s core log tells of no record that was not stored")
