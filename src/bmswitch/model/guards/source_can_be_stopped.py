"""Prevents a fence that is only half: without commands a demoted core keeps timers and unfenced writes (C 8, 9, 36, 47)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(8, 9, 14, 36, 37, 47)
def source_can_be_stopped(facts: Facts) -> Finding:
    """The source's core can be stopped, started and its kept sessions ended by a command."""
    source = facts.source.colour
    if facts.missing_commands:
        return warn(
            f"{source}.core has no command to {', '.join(facts.missing_commands)}",
            consequence="without kick the proxies cut kept sessions; without stop reminders may be sent twice; without start abort is by hand after the fence",
            command=f"name the commands under {source}.core in the configuration",
        )
    return passed(f"{source}'s core can be stopped, started, and its sessions ended")
