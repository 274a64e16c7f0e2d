"""Reads when the source's core logged its id sequence last."""

import time

from bmswitch.kafka.consumer import read_last
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.partition import partition_of
from bmswitch.model.topics import orphans
from bmswitch.workflows.orphans import HEARTBEAT

_TIMEOUT = 5.0


def heartbeat_age(config: Config, source: SideFacts) -> float | None:
    """Seconds since the source's core logged its id sequence last; None when there is no such record."""
    topic = orphans(source.installation_id)
    count = source.topics.get(topic)
    if not count:
        return None
    kafka, partition = config.source.kafka, partition_of(HEARTBEAT, count)
    topics = Topics(kafka)
    low = topics.lows({topic: count}, _TIMEOUT)[topic][partition]
    end = topics.ends({topic: count}, _TIMEOUT)[topic][partition]
    records = read_last(kafka, topic, partition, low=low, end=end, timeout=_TIMEOUT)
    mark = f'"{HEARTBEAT}"'.encode()  # keys are not decoded: a broken neighbour is not this guard's business
    times = [record.timestamp_ms for record in records if record.value is not None and mark in record.key]
    return time.time() - max(times) / 1000 if times else None
