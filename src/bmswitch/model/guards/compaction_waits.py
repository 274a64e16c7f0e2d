"""Prevents that the log is compacted while a first pass reads it (traffic-and-objects.md C 27, change-log.md 1.2)."""

from bmswitch.model.guards.answers import passed, some, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

KEY = "max.compaction.lag.ms"
HOUR_MS = 3_600_000


@guard(27)
def compaction_waits(facts: Facts) -> Finding:
    """No topic of the log must be compacted sooner than an hour after a write, or sooner than the first pass took."""
    status = facts.switch.status if facts.switch else None
    needed = max(HOUR_MS, int(status.first_pass_seconds * 1000) if status else 0)
    early = [
        f"{side.colour} {topic}: {int(told[KEY]) / 60000:g} min"
        for side in facts.logs
        for topic, told in side.settings.items()
        if topic in side.topics and not topic.endswith("-crp-dir-entries")
        and told.get(KEY, "").isdigit() and int(told[KEY]) < needed
        and int(told.get("min.compaction.lag.ms") or 0) < needed
    ]  # fmt: skip
    if early:
        return warn(
            f"topics of the log may be compacted within {needed / 60000:g} minutes of a write",
            f"{KEY}: {some(early, 3)}",
            "states in between vanish while a first pass reads, and a record may come before the one that it needs",
            f"raise {KEY} and min.compaction.lag.ms above the time of a first pass until the switch is over",
        )
    if not any(side.settings for side in facts.logs):
        return warn("the compaction of the log's topics is not known",
                    command=f"kafka-configs --describe: {KEY} must be {HOUR_MS} or more")  # fmt: skip
    return passed("the log is not compacted while it is read")
