"""Reads one topic as BlueMind's subscriber does: all partitions, end offsets taken once (change-log.md 8.5).

`finished` is BlueMind's "starved" rule: every partition's position reached the end offset seen at subscription. The
partitions are assigned, not balanced: the stand-in has one consumer a topic, whatever `cloneWorkers` says.
"""

import time
import uuid
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bmswitch.model.errors import LabError
from bmswitch.model.topics import PREFIX

_TIMEOUT = 10.0
_AGAIN = 0.1


def new_group(installation_id: str) -> str:
    """Group of a fresh read: `clone-<32 hex>-of-<uuid of the reader>`."""
    return f"clone-{uuid.uuid4().hex}-of-{installation_id.removeprefix(PREFIX)}"


def partition_counts(bootstrap: str) -> dict[str, int]:
    """All topics of a cluster with their partition counts. Raises LabError."""
    consumer = Consumer(_settings(bootstrap, "bmswitch-lab-list"))
    try:
        found = consumer.list_topics(timeout=_TIMEOUT).topics
    except KafkaException as error:
        raise LabError("Kafka does not answer", evidence=f"{bootstrap}: {error}") from error
    finally:
        consumer.close()
    return {name: len(topic.partitions) for name, topic in found.items()}


class Reader:
    """One consumer over all partitions of one topic, from the group's committed offsets or else the earliest.

    `positions`: per partition the offset after the last record that was applied; `ends`: end offsets at subscription.
    """

    def __init__(self, bootstrap: str, topic: str, group: str, partitions: int) -> None:
        self.topic = topic
        self.group = group
        self._consumer = Consumer(_settings(bootstrap, group))
        try:
            self._patiently(lambda: self._subscribe(partitions))
        except KafkaException as error:
            self._consumer.close()
            raise LabError("a topic can not be read", evidence=f"{topic}: {error}") from error

    @staticmethod
    def _patiently(ask: Callable[[], None]) -> None:
        """A new Kafka has no coordinator for a group, a new topic no leader at first: asked again, as Kafka's own client does."""
        end = time.monotonic() + _TIMEOUT
        while True:
            try:
                ask()
            except KafkaException as error:
                if error.args[0].code() not in _NOT_YET or time.monotonic() >= end:
                    raise
            else:
                return
            time.sleep(_AGAIN)

    def _subscribe(self, partitions: int) -> None:
        wanted = [TopicPartition(self.topic, number) for number in range(partitions)]
        committed = {tp.partition: tp.offset for tp in self._consumer.committed(wanted, timeout=_TIMEOUT)}
        self.ends: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        for number in range(partitions):
            low, high = self._consumer.get_watermark_offsets(wanted[number], timeout=_TIMEOUT)
            self.ends[number] = high
            self.positions[number] = max(low, committed[number])
        self._consumer.assign([TopicPartition(self.topic, p, offset) for p, offset in self.positions.items()])
        self._behind = {p for p, end in self.ends.items() if self.positions[p] < end}

    @property
    def finished(self) -> bool:
        """Whether every position reached the end offset seen at subscription."""
        return not self._behind

    def take(self, count: int, wait: float) -> list[Message]:
        """Up to `count` records; waits only for the first. Raises LabError when the broker reports a fault."""
        first = self._consumer.poll(wait)
        if first is None:
            return []
        batch = [first, *self._consumer.consume(count - 1, 0)] if count > 1 else [first]
        for message in batch:
            error = message.error()
            if error is not None and not error.retriable() and error.code() not in _PASSING:
                raise LabError("a topic can not be read", evidence=f"{self.topic}: {error}")
        return [message for message in batch if message.error() is None]

    def applied(self, partition: int, offset: int) -> None:
        """Count one record as applied."""
        self.positions[partition] = offset + 1
        if partition in self._behind and offset + 1 >= self.ends[partition]:
            self._behind.discard(partition)

    def commit(self, *, wait: bool) -> None:
        """Commit the positions; a failure is ignored, as the next commit repeats it."""
        offsets = [
            TopicPartition(self.topic, p, offset) for p, offset in self.positions.items() if offset > 0
        ]
        self.commit_at(offsets, wait=wait)

    def commit_at(self, offsets: list[TopicPartition], *, wait: bool) -> None:
        """Commit given offsets."""
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException:
            return

    def read_all(self, deadline: float) -> list[Message]:
        """Every record up to the end offsets. `deadline` is monotonic. Raises LabError when it passes."""
        found: list[Message] = []
        while not self.finished:
            if time.monotonic() > deadline:
                raise LabError("a topic could not be read to its end in time", evidence=self.topic)
            for message in self.take(1000, 0.1):
                found.append(message)
                self.applied(*place_of(message))
        return found

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a record that was read."""
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:  # only of messages that were never sent
        raise LabError("a record has no position")
    return partition, offset


_NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
_PASSING = {
    KafkaError._PARTITION_EOF,  # noqa: SLF001 - confluent_kafka names its own errors so
    KafkaError._TRANSPORT,  # noqa: SLF001 - as above
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - as above
    KafkaError._TIMED_OUT,  # noqa: SLF001 - as above
}


def _settings(bootstrap: str, group: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
        "fetch.error.backoff.ms": 50,
        "max.poll.interval.ms": 300_000,
        "allow.auto.create.topics": False,
        "log_level": 0,
    }
