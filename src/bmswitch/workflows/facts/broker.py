"""Reads what a side's Kafka tells of its topics, of itself and of the readers of a clone. Silence is no fault of the log."""

import math
import time

import msgspec

from bmswitch.kafka.consumer import read_first
from bmswitch.kafka.survey import broker_settings, group_states
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Site
from bmswitch.model.guards.facts import SideFacts
from bmswitch.model.guards.log_outlives_copy import retention
from bmswitch.workflows.facts.attempt import quietly

_TIMEOUT = 5.0
_CLONE = "clone-"
"""How the consumer groups of a clone begin (change-log.md 8.5)."""


def with_broker(facts: SideFacts, site: Site, *, gate: bool) -> SideFacts:
    """The side with what its brokers tell; a right that we lack is silence, too."""
    if facts.kafka_error:
        return msgspec.structs.replace(
            facts, settings_error=facts.kafka_error, readers_error=facts.kafka_error
        )
    settings: dict[str, dict[str, str]] = {}
    settings, settings_error = quietly(lambda: Topics(site.kafka).settings(facts.topics, _TIMEOUT), settings)
    oldest: dict[str, float] = {}
    deleting = [name for name, told in settings.items() if not math.isinf(retention(told))]
    oldest, _ = quietly(lambda: _oldest(site, {n: facts.topics[n] for n in deleting}), oldest)
    broker: dict[str, str] = {}
    if not settings_error:
        broker, _ = quietly(lambda: broker_settings(site.kafka, _TIMEOUT), broker)
    readers: dict[str, str] = {}
    readers_error = ""
    if gate:
        readers, readers_error = quietly(lambda: group_states(site.kafka, _CLONE, _TIMEOUT), readers)
    return msgspec.structs.replace(
        facts,
        settings=settings,
        settings_error=settings_error,
        oldest=oldest,
        tells_settings=site.kafka.tells_settings,
        broker=broker,
        readers=readers,
        readers_error=readers_error,
    )


def _oldest(site: Site, topics: dict[str, int]) -> dict[str, float]:
    """Age in seconds of the first record of each topic, the oldest of its partitions; none for an empty topic."""
    log = Topics(site.kafka)
    lows, ends = log.lows(topics, _TIMEOUT), log.ends(topics, _TIMEOUT)
    first = {
        name: [
            record.timestamp_ms
            for partition in range(count)
            for record in read_first(
                site.kafka, name, partition, low=lows[name][partition], end=ends[name][partition]
            )
        ]
        for name, count in topics.items()
    }
    return {name: max(0.0, time.time() - min(times) / 1000) for name, times in first.items() if times}
