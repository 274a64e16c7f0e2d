"""Prevents that a write which never reached the log is forgotten (traffic-and-objects.md C 2)."""

from bmswitch.model.guards.answers import passed, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(2)
def no_lost_records(facts: Facts) -> Finding:
    """The source's core log has no line about a record that could not be stored."""
    colour = facts.source.colour
    mine = [one for one in facts.machines if one.colour == colour]
    lost = [f"{one.uid}: {one.lost} lines" for one in mine if one.lost > 0]
    if lost:
        return stop(
            f"{colour}'s core could not store records in its log",
            ", ".join(lost),
            f"read these lines on {colour}, run `_checkrepair` or `_sync` there, empty that log, and verify again",
            "these writes are in its database and in no record: a clone never gets them",
        )
    if not any(one.lost == 0 for one in mine):
        why = "; ".join(one.error for one in mine if one.error) or "no machine of the topology was asked"
        return warn(
            f"{colour}'s core log could not be searched",
            why,
            "a write that was lost from the log is found by `verify` only",
            f'search it for "Failed to store" and "Could not store" on {colour} yourself',
        )
    return passed(f"{colour}'s core log tells of no record that was not stored")
