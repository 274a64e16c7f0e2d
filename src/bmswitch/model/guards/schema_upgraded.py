"""Prevents a switch to a core whose database was not upgraded to its version (C 44, clone-and-api.md 6)."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(44)
def schema_upgraded(facts: Facts) -> Finding:
    """No side says that its upgraders have still to run."""
    waiting = [side.colour for side in facts.sides if side.needs_upgrade]
    if waiting:
        return stop(
            f"{' and '.join(waiting)} must be upgraded: its software is newer than its database",
            "needsUpgrade in /api/system/installation/version",
            f"run the upgraders of {waiting[0]} (POST /api/system/installation/_upgrade) and wait for their end",
        )
    return passed("no side has upgraders to run")
