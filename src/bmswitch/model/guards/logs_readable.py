"""Prevents a switch without a change log: both Kafka clusters must answer (traffic-and-objects.md C 30)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(30)
def logs_readable(facts: Facts) -> Finding:
    """Both Kafka clusters answer and the source's holds an installation's log."""
    for side in facts.sides:
        if side.kafka_error:
            return unknown(f"{side.colour}'s Kafka can not be read", side.kafka_error)
    source = facts.source
    if not any(name.endswith("-__orphans__") for name in source.topics):
        return stop(f"{source.colour}'s Kafka holds no change log", "no topic ends with -__orphans__")
    return passed(f"{source.colour}'s log has {len(source.topics)} topics")
