"""Reads the part of the source's log in which differing items are, to say since which record they differ."""

import time
import uuid
from collections.abc import Mapping

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BmswitchError
from bmswitch.parity.located import Newest, told, wanted_partitions

_WITHIN = 120.0
"""Seconds; a log that can not be read in this time leaves the differences without a record."""
_MOST = 10_000
"""Differences that are looked for."""


def locate(config: Config, topics: Mapping[str, int], found: list[Difference]) -> list[Difference]:
    """The same differences, with the newest record of their item and the likely cause. Never raises: a record is a help."""
    if not found:
        return found
    newest = Newest(found[:_MOST])
    try:
        whole = _read(config, wanted_partitions(found[:_MOST], topics), topics, newest)
    except BmswitchError:
        whole = False
    return told(found, newest if whole and len(found) <= _MOST else None)


def _read(config: Config, wanted: dict[str, set[int]], topics: Mapping[str, int], newest: Newest) -> bool:
    """True when every wanted partition was read to its end."""
    counts = {name: topics[name] for name in wanted}
    reader = Topics(config.source.kafka)
    lows, ends = reader.lows(counts), reader.ends(counts)
    left = {(name, p) for name, parts in wanted.items() for p in parts if ends[name][p] > lows[name][p]}
    consumer = LogConsumer(config.source.kafka, f"bmswitch-read-{uuid.uuid4().hex}", partitions=len(left))
    deadline = time.monotonic() + _WITHIN
    try:
        for name, p in left:
            consumer.assign_one(name, p, lows[name][p])
        while left and time.monotonic() < deadline:
            batch = consumer.read(1000, 0.1)
            for record in batch.records:
                newest.take(record)
            left -= {(name, p) for (name, p), end in batch.ends.items() if end >= ends[name][p]}
    finally:
        consumer.close()
    return not left
