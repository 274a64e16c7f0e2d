"""Shows the source's log to the cures that a shared log goes without, for a plan: from its beginning, and for a few seconds at most."""

import time
import uuid
from contextlib import closing

import msgspec

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.topics import CRP
from bmswitch.replication.needed import Needed
from bmswitch.workflows.facts.attempt import quietly

WITHIN = 3.0
_BATCH = 2_000
_TIMEOUT = 5.0


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were looked at, whether those are `whole` the log, and how many of them each cure would have changed."""

    records: int = 0
    whole: bool = False
    counts: dict[str, int] = {}


def look(config: Config, source: SideFacts) -> Looked:
    """Reads and counts; nothing when the log can not be read."""
    counts = {name: count for name, count in source.topics.items() if not name.endswith(CRP)}
    if source.kafka_error or not counts:
        return Looked()
    return quietly(lambda: _read(config, counts), Looked())[0]


def _read(config: Config, counts: dict[str, int]) -> Looked:
    lows, wanted = Topics(config.source.kafka).lows(counts, _TIMEOUT), sum(counts.values())
    group = f"bmswitch-needed-{uuid.uuid4().hex}"
    needed, ended = Needed(), set[tuple[str, int]]()
    with closing(LogConsumer(config.source.kafka, group, partitions=wanted, queued_kib=16_384)) as reader:
        reader.assign(lows)
        end = time.monotonic() + WITHIN
        while len(ended) < wanted and time.monotonic() < end:
            batch = reader.read(_BATCH, 0.2)
            for record in batch.records:
                needed.see(record)
            ended.update(batch.ends)
    return Looked(records=needed.records, whole=len(ended) >= wanted, counts=needed.counts)
