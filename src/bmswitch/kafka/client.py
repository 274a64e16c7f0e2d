"""How bmswitch connects to one Kafka cluster: librdkafka settings, secrets resolved, errors in our own words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from bmswitch.model.config import Kafka
from bmswitch.model.errors import AccessError, BmswitchError, ConfigError, UnreachableError

_ACCESS = {
    KafkaError._AUTHENTICATION,  # noqa: SLF001 - the library's own name for a local error
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}


def settings(kafka: Kafka) -> dict[str, Any]:
    """Settings of librdkafka for a cluster; `env:NAME` and `file:PATH` values are read now. Raises ConfigError.

    Bounds of our own come first, so that the operator's settings win.
    """
    base: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap,
        "client.id": "bmswitch",
        "log_level": 0,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "broker.address.family": "v4",
    }
    return base | {name: _resolve(name, value) for name, value in kafka.settings.items()}


def _resolve(name: str, value: str) -> str:
    scheme, _, place = value.partition(":")
    if scheme == "env":
        if place not in os.environ:
            raise ConfigError(f"kafka setting {name}: the environment variable {place} is not set")
        return os.environ[place]
    if scheme == "file":
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"kafka setting {name}: {place} can not be read", evidence=str(error)
            ) from error
    return value


def told(error: KafkaError, kafka: Kafka) -> BmswitchError:
    """A library error as one of ours: refused, or not reachable."""
    if error.code() in _ACCESS:
        return AccessError(
            f"Kafka at {kafka.bootstrap} refuses us",
            evidence=str(error.str()),
            next_command="check kafka.settings (security.protocol, sasl.*) in the configuration",
        )
    return UnreachableError(
        f"Kafka at {kafka.bootstrap} does not answer as it should",
        evidence=f"{error.name()}: {error.str()}",
        next_command="check that the broker runs and that this host may reach it",
    )


@contextmanager
def explained(kafka: Kafka) -> Iterator[None]:
    """Turns the library's exceptions into AccessError or UnreachableError."""
    try:
        yield
    except KafkaException as failure:
        error = failure.args[0]
        if isinstance(error, KafkaError):
            raise told(error, kafka) from failure
        raise UnreachableError(f"Kafka at {kafka.bootstrap} failed", evidence=str(error)) from failure
