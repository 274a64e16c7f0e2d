"""Prevents that owners are split between partitions (change-log.md 2, traps)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard()
def same_partitions(facts: Facts) -> Finding:
    """Every topic of one log has the same number of partitions."""
    source = facts.source
    if source.kafka_error:
        return unknown(f"{source.colour}'s Kafka can not be read", source.kafka_error)
    counts = {n for t, n in source.topics.items() if not t.endswith("-crp-dir-entries")}
    if len(counts) > 1:
        return stop(
            f"topics of {source.colour}'s log differ in their number of partitions", str(sorted(counts))
        )
    return passed(f"{counts.pop() if counts else 0} partitions everywhere")
