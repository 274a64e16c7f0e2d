"""Prevents a clone that ends in an error, and finds a core that does not reach its log (C 2, 26; clone-and-api.md 1.8)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

HEARTBEAT_WITHIN = 120.0
"""Seconds; a core publishes its id sequence every 60."""


@guard(2, 26)
def id_sequence_fresh(facts: Facts) -> Finding:
    """The source has published its id sequence in the last two minutes, as its core does each minute."""
    colour, age = facts.source.colour, facts.heartbeat_age
    if facts.heartbeat_error or facts.source.kafka_error:
        why = facts.heartbeat_error or facts.source.kafka_error
        return unknown(f"{colour}'s id sequence can not be read from its log", why)
    if age is None:
        return stop(
            f"{colour}'s log has no id sequence record: a clone would end in an error",
            "no container_item_id_seq among the newest records of its partition",
            f"wait a minute when {colour} has just started, else look at its core log",
        )
    if age > HEARTBEAT_WITHIN:
        return stop(
            f"{colour}'s core does not write its log: the id sequence should come every minute",
            f"the newest is {age:.0f} s old",
            f"look for `Failed to store` in {colour}'s core log, and at its Kafka",
        )
    return passed(f"{colour}'s id sequence was logged {max(0.0, age):.0f} s ago")
