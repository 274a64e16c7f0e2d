"""Prevents that bodies are deleted from the shared bucket while a switch may be undone (C 14, 17, 48)."""

from bmswitch.model.guards.answers import passed, unknown, warn
from bmswitch.model.guards.facts import RETENTION, Facts, SideFacts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

DEFAULT_RETENTION = 90
MIN_RETENTION = 14
"""Days: more than a replay and the time in which one may want to go back."""


@guard(14, 17, 48)
def retention_long(facts: Facts) -> Finding:
    """Deleted bodies stay in the shared bucket for longer than a switch takes and may be undone, on each side that tells."""
    if facts.source.sysconf is None:
        return unknown(
            f"{facts.source.colour}'s system configuration can not be read", facts.source.sysconf_error
        )
    kept: list[str] = []
    for side in facts.sides:
        if side.sysconf is None:
            continue
        told = side.sysconf.get(RETENTION, "").strip()
        try:
            days = int(told) if told else DEFAULT_RETENTION
        except ValueError:
            return warn(f"{side.colour}'s {RETENTION} is no number", told)
        if 0 <= days < MIN_RETENTION:
            return _short(side, days)
        kept.append(f"{side.colour} {'never' if days < 0 else f'after {days} days'}")
    return passed("deleted bodies stay in the bucket long enough", ", ".join(kept))


def _short(side: SideFacts, days: int) -> Finding:
    return warn(
        f"{side.colour} deletes bodies from the shared bucket {days} days after their purge",
        f"{RETENTION} is {days}",
        "a body that the other side still needs can go, and what one deletes is gone for both",
        f"set {RETENTION} to -1 on {side.colour} until the old installation is removed",
    )
