"""Prevents that a clone's readers are passed to and fro while a switch waits for them (traffic-and-objects.md C 29)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

QUIET = frozenset({"STABLE", "EMPTY"})
"""A reader that assigns its partitions itself leaves its group empty."""


@guard(28, 29, asked=GATE)
def clone_readers_stable(facts: Facts) -> Finding:
    """The consumer groups of the target's clone are there, and none of them is being rebalanced."""
    target = facts.target
    if target.readers_error:
        return warn(f"the readers of {target.colour}'s clone are not known", target.readers_error)
    moving = [f"{name} {state}" for name, state in target.readers.items() if state not in QUIET]
    if moving:
        return warn(
            f"readers of {target.colour}'s clone are being rebalanced",
            ", ".join(moving),
            "records are read again, and a barrier may be late",
            f"wait; if it goes on, give {target.colour}'s core, database and search more machine",
        )
    return passed(f"the readers of {target.colour}'s clone are at rest", f"{len(target.readers)} group(s)")
