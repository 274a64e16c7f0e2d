"""Prevents a copy with a hole: the log must keep what is not copied for twice as long as that takes (C 28, traffic-and-objects.md)."""

import math

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

ASSUMED = 10_000.0
"""Records a second when nothing was measured yet and no rate is configured; a twentieth of what one process copies on two cores."""


@guard(28)
def log_outlives_copy(facts: Facts) -> Finding:
    """The source's log is whole, and keeps what is not copied for twice as long as the copy is predicted to take."""
    source = facts.source
    gone = {topic: count for topic, count in source.gone.items() if count}
    if gone and facts.switch is None and not facts.back:
        first = ", ".join(f"{topic}: {count}" for topic, count in sorted(gone.items())[:3])
        return stop(
            f"{source.colour}'s log has lost its beginning: a copy would have a hole",
            f"records that are gone: {first}",
            "find out who deletes from it (retention, kafka-delete-records); a new export of the log makes it whole",
        )
    life, catch_up = remaining_life(facts), predicted(facts)
    said = f"it keeps them for {life:.0f} s more, the catch-up takes {catch_up:.0f} s"
    if life < 2 * catch_up:
        return stop(
            f"{source.colour}'s log loses its records sooner than they can be copied safely",
            f"{said}: twice that is needed",
            f"lengthen retention.ms of {source.colour}'s topics, or copy faster: replication.rate, replicate --workers",
        )
    return passed(
        f"{source.colour}'s log outlives the copy",
        "nothing is deleted from it" if math.isinf(life) else said,
    )


def remaining_life(facts: Facts) -> float:
    """Seconds until the oldest record that is not copied is deleted; `inf` when none is."""
    status = facts.switch.status if facts.switch else None
    if status is not None:
        return math.inf if status.log_life_seconds is None else status.log_life_seconds
    source = facts.source
    return min(
        (retention(told) - source.oldest.get(topic, 0.0) for topic, told in source.settings.items()),
        default=math.inf,
    )


def retention(told: dict[str, str]) -> float:
    """Seconds after which a topic with these settings deletes a record; `inf` when it does not."""
    milliseconds = told.get("retention.ms", "")
    if "delete" not in told.get("cleanup.policy", "") or not milliseconds.isdecimal():
        return math.inf
    return int(milliseconds) / 1000


def predicted(facts: Facts) -> float:
    """Seconds that the rest of the copy takes: as replicate predicts, or at the configured or the assumed rate."""
    status = facts.switch.status if facts.switch else None
    if status is not None:
        if status.left_seconds is not None:
            return status.left_seconds
        return status.lag_records / (status.records_per_second or facts.rate or ASSUMED)
    return sum(facts.source.records.values()) / (facts.rate or ASSUMED)
