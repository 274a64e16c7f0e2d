"""The stand-in's side of the change log: one producer a topic, as BlueMind configures it (change-log.md 1.4).

A record is handed over after the database's commit and nobody waits for it: what still lingers when the process is
killed is lost for good, and so is a record that the broker refuses (change-log.md 8.1). Only `close` flushes.
Publishing is a silent no-op while `allowed()` says no (change-log.md 1.6) and for the domain `global.virt`.
"""

import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bmswitch.model import topics
from bmswitch.model.partition import PARTITIONS, partition_of
from bmswitch.model.records import RecordKey, delete_records, encode_key, partition_token

GLOBAL_DOMAIN = "global.virt"
MAX_RECORD = 5_242_880
_FULL_WAIT = 10.0  # seconds that a write waits for room in the buffer (Java: max.block.ms)
_CLOSE_WAIT = 20.0  # change-log.md 1.4
_ASK = 2.0  # seconds for metadata and creation: the first write of a topic waits for them
_RETRY = 5.0  # seconds before a missing topic is looked for again

_TOPIC_SETTINGS = {  # change-log.md 1.2
    "cleanup.policy": "compact",
    "compression.type": "zstd",
    "max.message.bytes": "5505024",
    "max.compaction.lag.ms": "3600000",
    "segment.ms": "3600000",
    "min.insync.replicas": "1",
}

log = logging.getLogger("bmswitch.lab.publisher")


class Publisher:
    """Writes the log of one installation. Used from one thread; `poll` must be called now and then."""

    def __init__(
        self,
        bootstrap: str,
        installation_id: Callable[[], str],
        allowed: Callable[[], bool],
        *,
        tombstones: bool,
    ) -> None:
        self._bootstrap = bootstrap
        self._installation_id = installation_id
        self._allowed = allowed
        self._tombstones = tombstones
        self._producers: dict[str, tuple[Producer, int]] = {}
        self._missing: dict[str, float] = {}
        self._connecting = threading.Lock()
        self.sent = 0
        self.lost = 0

    def prepare(self, domains: list[str]) -> None:
        """Connect to the topics of these domains and the orphans, so that a promotion need not. From any thread."""
        installation = self._installation_id()
        names = [topics.orphans(installation), *(topics.domain(installation, domain) for domain in domains)]
        for topic in names:
            if topic not in self._producers:
                self._connect(topic)

    def put(self, domain: str, key: RecordKey, item_uid: str, value: bytes) -> None:
        """Send a CREATE or UPDATE record; `domain` empty means the orphans topic."""
        if self._open(domain):
            self._send(domain, encode_key(key), partition_token(key, item_uid), value)

    def delete(self, domain: str, key: RecordKey, item_uid: str) -> None:
        """Send a deletion: three records, or the DELETE alone for a product before 2023-03-21 (change-log.md 3.3)."""
        if not self._open(domain):
            return
        records = delete_records(key, item_uid)
        for raw, value in records if self._tombstones else records[:1]:
            self._send(domain, raw, partition_token(key, item_uid), value)

    def poll(self) -> None:
        """Serve delivery reports; never waits."""
        for producer, _ in list(self._producers.values()):
            producer.poll(0)

    def waiting(self) -> int:
        """How many records still linger in this process."""
        return sum(len(producer) for producer, _ in self._producers.values())

    def close(self) -> None:
        """Flush everything, at most 20 s: the orderly stop."""
        deadline = time.monotonic() + _CLOSE_WAIT
        for topic, (producer, _) in self._producers.items():
            left = producer.flush(max(0.1, deadline - time.monotonic()))
            if left:
                log.error("%s: %d records were not sent before the stop", topic, left)
        self._producers.clear()

    def _open(self, domain: str) -> bool:
        return domain != GLOBAL_DOMAIN and self._allowed()

    def _send(self, domain: str, key: bytes, token: str, value: bytes | None) -> None:
        installation = self._installation_id()
        topic = topics.domain(installation, domain) if domain else topics.orphans(installation)
        found = self._producers.get(topic) or self._connect(topic)
        if found is None:
            self.lost += 1
            return
        producer, partitions = found
        try:
            self._produce(producer, topic, partition_of(token, partitions), key, value)
            self.sent += 1
        except (BufferError, KafkaException) as error:
            self.lost += 1
            log.error("Failed to store a record in %s: %s", topic, error)  # noqa: TRY400 - BlueMind logs and goes on

    def _produce(
        self, producer: Producer, topic: str, partition: int, key: bytes, value: bytes | None
    ) -> None:
        deadline = time.monotonic() + _FULL_WAIT
        while True:
            try:
                producer.produce(topic, value, key, partition=partition, on_delivery=self._delivered)
            except BufferError:
                if time.monotonic() > deadline:
                    raise
                producer.poll(0.05)
            else:
                return

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self.lost += 1
            log.error("Failed to store a record, the broker did not take it: %s", error)

    def _connect(self, topic: str) -> tuple[Producer, int] | None:
        """The producer of a topic, made at first use; None while the topic neither exists nor can be made."""
        with self._connecting:
            return self._producers.get(topic) or self._open_topic(topic)

    def _open_topic(self, topic: str) -> tuple[Producer, int] | None:
        if time.monotonic() < self._missing.get(topic, 0.0):
            return None
        producer = Producer(_settings(self._bootstrap))
        count = _partitions(producer, topic)
        if not count and topic not in self._missing:  # asked once: the embedded Kafka can not create topics
            count = _create(self._bootstrap, topic)
        if not count:
            log.error("Failed to store: topic %s does not exist and can not be created", topic)
            self._missing[topic] = time.monotonic() + _RETRY
            return None
        self._producers[topic] = (producer, count)
        return producer, count


def _settings(bootstrap: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,
        "max.in.flight.requests.per.connection": 1,
        "compression.type": "zstd",
        "linger.ms": 250,
        "batch.size": 524_288,
        "queue.buffering.max.kbytes": 32_768,
        "message.max.bytes": MAX_RECORD,
        "log_level": 0,
    }


def _partitions(producer: Producer, topic: str) -> int:
    """Partition count, 0 when there is no such topic. Lists all topics: asking for one would create it."""
    try:
        found = producer.list_topics(timeout=_ASK).topics.get(topic)
    except KafkaException as error:
        log.error("Kafka can not be read: %s", error)  # noqa: TRY400 - BlueMind logs and goes on
        return 0
    return len(found.partitions) if found is not None else 0


def _create(bootstrap: str, topic: str) -> int:
    """Create a topic as BlueMind does, 0 when the broker refuses."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    wanted = NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1, config=_TOPIC_SETTINGS)
    try:
        for future in admin.create_topics([wanted], operation_timeout=_ASK, request_timeout=_ASK).values():
            future.result()
    except KafkaException as error:
        log.warning("topic %s can not be created: %s", topic, error)
        return 0
    return PARTITIONS
