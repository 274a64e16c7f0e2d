"""Reads what a side's Kafka tells of its topics, of itself and of the readers of a clone. Silence is no fault of the log."""

import msgspec

from bmswitch.kafka.survey import broker_settings, group_states
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Site
from bmswitch.model.guards.facts import SideFacts
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
        broker=broker,
        readers=readers,
        readers_error=readers_error,
    )
