"""Reads assigned partitions in order, from given offsets, and keeps our place in a consumer group."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from bmswitch.kafka.client import explained, settings, told
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import BmswitchError, RefusedError, UnreachableError
from bmswitch.model.records import LogRecord

TIMEOUT = 10.0
_FEW_PARTITIONS = 1024
_AGAIN = 0.1
_MOVING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


class Batch(msgspec.Struct, frozen=True):
    """Records in the order of each partition, and the end offsets of partitions that were read to their end."""

    records: list[LogRecord]
    ends: dict[tuple[str, int], int]


class LogConsumer:
    """One reader. Partitions are assigned, never negotiated: two readers of a run are prevented by the run's lock.

    Memory is bounded by `queued_kib` of prefetched records. Offsets that are no longer there are an error, never
    skipped: that would be a silent loss.
    """

    def __init__(self, kafka: Kafka, group: str, *, partitions: int = 64, queued_kib: int = 32_768) -> None:
        self._kafka = kafka
        own: dict[str, Any] = {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10 if partitions <= _FEW_PARTITIONS else 100,
            "fetch.max.bytes": 4_194_304,
            "queued.min.messages": 50_000,
            "queued.max.messages.kbytes": queued_kib,
            "fetch.queue.backoff.ms": 5,
            "fetch.error.backoff.ms": 100,
        }
        with explained(kafka):
            self._consumer = Consumer(own | settings(kafka))

    def committed(self, topics: Mapping[str, int]) -> dict[str, list[int | None]]:
        """The group's committed offsets; None where nothing was committed."""
        asked = [TopicPartition(name, p) for name, count in topics.items() for p in range(count)]
        if not asked:
            return {}
        answers = self._ask_committed(asked)
        found: dict[tuple[str, int], int | None] = {}
        for answer in answers:
            if answer.error is not None:
                raise told(answer.error, self._kafka)
            found[answer.topic, answer.partition] = None if answer.offset == OFFSET_INVALID else answer.offset
        return {name: [found[name, p] for p in range(count)] for name, count in topics.items()}

    def _ask_committed(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        """Asks again while the group's coordinator moves or a new cluster has none yet; bounded by TIMEOUT."""
        end = time.monotonic() + TIMEOUT
        with explained(self._kafka):
            while True:
                try:
                    return self._consumer.committed(asked, timeout=TIMEOUT)
                except KafkaException as failure:
                    if failure.args[0].code() not in _MOVING or time.monotonic() >= end:
                        raise
                    time.sleep(_AGAIN)

    def assign(self, positions: Mapping[str, list[int]]) -> None:
        """Reads exactly these partitions from these offsets on; partitions that were read already go on."""
        wanted = [
            TopicPartition(name, p, o) for name, offsets in positions.items() for p, o in enumerate(offsets)
        ]
        with explained(self._kafka):
            self._consumer.incremental_assign(wanted)

    def assign_only(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Reads exactly these partitions from these offsets on; what was read ahead of others is given up."""
        with explained(self._kafka):
            self._consumer.unassign()
            self._consumer.incremental_assign(
                [TopicPartition(name, p, o) for (name, p), o in positions.items()]
            )

    def assign_one(self, topic: str, partition: int, offset: int) -> None:
        """Reads this one partition too, from an offset on."""
        with explained(self._kafka):
            self._consumer.incremental_assign([TopicPartition(topic, partition, offset)])

    def read(self, limit: int, timeout: float) -> Batch:
        """Waits at most `timeout` seconds for a first record, then takes what is there, at most `limit` records."""
        with explained(self._kafka):
            first = self._consumer.poll(timeout)
            if first is None:
                return Batch([], {})
            messages = [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]
        return batch_of(messages, self._kafka)

    def known_ends(self, topic: str, partitions: int) -> list[int]:
        """End offsets as the broker told with its last answers, without asking it; 0 where it told none yet."""
        found: list[int] = []
        for partition in range(partitions):
            marks = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            found.append(max(0, marks[1]) if marks else 0)
        return found

    def commit(self, positions: Mapping[tuple[str, int], int], *, wait: bool = True) -> None:
        """Stores the next offsets to read in the group; with `wait` it returns when Kafka has them.

        Without it, a commit that is lost costs nothing but records that are read again: the next one holds later offsets.
        """
        wanted = [TopicPartition(name, p, offset) for (name, p), offset in positions.items()]
        if not wanted:
            return
        with explained(self._kafka):
            if not wait:
                self._consumer.commit(offsets=wanted, asynchronous=True)
                return
            try:
                answers = self._consumer.commit(offsets=wanted, asynchronous=False) or ()
            except KafkaException as failure:
                if failure.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID:
                    raise _shared(self._kafka) from failure
                raise
            for answer in answers:
                if answer.error is not None:
                    raise told(answer.error, self._kafka)

    def close(self) -> None:
        """Leaves; nothing is committed by it."""
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError) as error:
            raise UnreachableError("the consumer did not close", evidence=str(error)) from error


def batch_of(messages: Iterable[Message], kafka: Kafka) -> Batch:
    """What the library read. Raises for what can not heal; a broker that is away for a moment is waited for by the library."""
    records: list[LogRecord] = []
    ends: dict[tuple[str, int], int] = {}
    take = records.append
    for message in messages:
        error = message.error()
        if error is None:
            take(_record(message))
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
            ends[message.topic() or "", message.partition() or 0] = message.offset() or 0
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the library's own name
            raise _gone(message.topic() or "", message.partition() or 0, str(error.str()), kafka)
        elif error.fatal() or not (error.retriable() or error.code() in _PASSING):
            raise told(error, kafka)
    return Batch(records, ends)


def read_whole(kafka: Kafka, topic: str, partitions: int, *, timeout: float = 60.0) -> Iterator[LogRecord]:
    """Every record of a topic up to now, in the order of each partition; keeps no place in any group.

    Raises UnreachableError when that takes longer than `timeout` seconds.
    """
    topics = Topics(kafka)
    lows, ends = topics.lows({topic: partitions})[topic], topics.ends({topic: partitions})[topic]
    left = {p for p in range(partitions) if ends[p] > lows[p]}
    reader = LogConsumer(kafka, f"bmswitch-read-{uuid.uuid4().hex}", partitions=partitions)
    deadline = time.monotonic() + timeout
    try:
        reader.assign({topic: lows})
        while left:
            if time.monotonic() > deadline:
                raise UnreachableError(f"topic {topic} could not be read within {timeout:.0f} s")
            batch = reader.read(1000, 0.1)
            yield from batch.records
            left -= {p for (_, p), end in batch.ends.items() if end >= ends[p]}
    finally:
        reader.close()


def read_last(
    kafka: Kafka, topic: str, partition: int, *, low: int, end: int, limit: int = 1000, timeout: float = 5.0
) -> list[LogRecord]:
    """The records among the last `limit` offsets of one partition (`low` to `end`); keeps no place in any group.

    Raises UnreachableError when that takes longer than `timeout` seconds.
    """
    found: list[LogRecord] = []
    if end <= low:
        return found
    reader = LogConsumer(kafka, f"bmswitch-read-{uuid.uuid4().hex}", partitions=1)
    deadline = time.monotonic() + timeout
    try:
        reader.assign_one(topic, partition, max(low, end - limit))
        while True:
            batch = reader.read(limit, 0.1)
            found += batch.records
            if batch.ends or (found and found[-1].offset >= end - 1):
                return found
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"topic {topic} partition {partition} could not be read within {timeout:.0f} s"
                )
    finally:
        reader.close()


def read_first(
    kafka: Kafka, topic: str, partition: int, *, low: int, end: int, timeout: float = 5.0
) -> list[LogRecord]:
    """The first record of one partition (`low` to `end`), none when it is empty; keeps no place in any group.

    Raises UnreachableError when that takes longer than `timeout` seconds.
    """
    if end <= low:
        return []
    reader = LogConsumer(kafka, f"bmswitch-read-{uuid.uuid4().hex}", partitions=1, queued_kib=1024)
    deadline = time.monotonic() + timeout
    try:
        reader.assign_one(topic, partition, low)
        while time.monotonic() <= deadline:
            batch = reader.read(1, 0.1)
            if batch.records or batch.ends:
                return batch.records
    finally:
        reader.close()
    raise UnreachableError(f"topic {topic} partition {partition} could not be read within {timeout:.0f} s")


_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - the library's own names of local errors
    KafkaError._TRANSPORT,  # noqa: SLF001 - the same
    KafkaError._RESOLVE,  # noqa: SLF001 - the same
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the same
}


def _record(message: Message) -> LogRecord:
    headers = message.headers()
    return LogRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key() or b"",
        message.value(),
        _headers(headers) if isinstance(headers, list) else (),
    )


def _headers(headers: list[tuple[str, str | bytes | None]]) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers)


def _shared(kafka: Kafka) -> BmswitchError:
    return RefusedError(
        "workers of this copy are at work already",
        evidence=f"the consumer group on {kafka.bootstrap} has members",
        consequence="this process wrote nothing",
        next_command="end them (replicate --join on other machines), or start it with --workers",
    )


def _gone(topic: str, partition: int, said: str, kafka: Kafka) -> BmswitchError:
    return RefusedError(
        f"records of {topic} partition {partition} are gone from {kafka.bootstrap} before they were read",
        evidence=said,
        consequence="the copy would have a hole: it was stopped",
        next_command="make a new plan and start the replication from the beginning, on empty topics",
    )
