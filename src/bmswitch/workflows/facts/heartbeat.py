"""Reads when the source's core logged its id sequence last, and whether it has a number for each database."""

import time

from bmswitch.kafka.consumer import read_last
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord
from bmswitch.model.topics import orphans
from bmswitch.replication.cures.id_sequences import IdSequences
from bmswitch.workflows.orphans import HEARTBEAT

_TIMEOUT = 5.0
_MAILS = "bm/pgsql-data"
"""The tag of servers whose database holds mails: each has an id sequence of its own."""


def heartbeat_age(config: Config, source: SideFacts) -> float | None:
    """Seconds since the source's core logged its id sequence last; None when there is no such record."""
    times = [record.timestamp_ms for record in _newest(config, source)]
    return time.time() - max(times) / 1000 if times else None


def sequence_gaps(config: Config, source: SideFacts) -> list[str]:
    """Servers with mails for which the newest record has no number: a clone ends at it (clone-and-api.md 3.1).

    Raises RecordError when that record is not understood.
    """
    records = _newest(config, source)
    mails = [uid for uid, tags in source.tags.items() if _MAILS in tags]
    newest = records[-1].value if records else None
    return IdSequences(mails).missing(newest) if newest is not None else []


def _newest(config: Config, source: SideFacts) -> list[LogRecord]:
    """The newest records of the id sequence, the last one last."""
    topic = orphans(source.installation_id)
    count = source.topics.get(topic)
    if not count:
        return []
    kafka, partition = config.source.kafka, partition_of(HEARTBEAT, count)
    topics = Topics(kafka)
    low = topics.lows({topic: count}, _TIMEOUT)[topic][partition]
    end = topics.ends({topic: count}, _TIMEOUT)[topic][partition]
    records = read_last(kafka, topic, partition, low=low, end=end, timeout=_TIMEOUT)
    mark = f'"{HEARTBEAT}"'.encode()  # keys are not decoded: a broken neighbour is not this guard's business
    return [record for record in records if record.value is not None and mark in record.key]
