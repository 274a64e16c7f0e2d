"""Writes records to exact partitions, keeps their order, and says when the broker has acknowledged all of them."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from bmswitch.kafka.client import explained, settings, told
from bmswitch.model.config import Kafka
from bmswitch.model.errors import BmswitchError, RecordError, UnreachableError
from bmswitch.model.records import LogRecord

_MAX_RECORD = 5_505_024


class LogProducer:
    """One writer: idempotent, acks=all, so that a retry neither loses, doubles nor reorders within a session.

    Memory is bounded by `queued_kib`; `send` waits when it is full.
    """

    def __init__(self, kafka: Kafka, *, queued_kib: int = 32_768, stall: float = 60.0) -> None:
        self._kafka = kafka
        self._stall = stall
        self._failure: KafkaError | None = None
        own: dict[str, Any] = {
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "zstd",
            "compression.level": 1,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "message.max.bytes": _MAX_RECORD,
            "queue.buffering.max.kbytes": queued_kib,
            "queue.buffering.max.messages": 100_000,
            "delivery.report.only.error": True,
            "message.timeout.ms": int(stall * 1000),
            "on_delivery": self._delivered,
        }
        with explained(kafka):
            self._producer = Producer(own | settings(kafka))

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    def send(self, record: LogRecord) -> None:
        """Queues one record as it is. Raises RecordError when it is too large, UnreachableError when stalled."""
        deadline = 0.0
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    timestamp=max(record.timestamp_ms, 0),
                    headers=list(record.headers) if record.headers else None,
                )
            except BufferError:
                deadline = deadline or time.monotonic() + self._stall
                if time.monotonic() > deadline:
                    raise self._stalled() from None
                self._producer.poll(0.02)
            except KafkaException as failure:
                raise self._refused(failure, record) from failure
            else:
                return

    def send_all(self, records: Sequence[LogRecord]) -> None:
        """Queues records in their order; faster than one by one."""
        produce = self._producer.produce
        for record in records:
            headers: list[tuple[str, str | bytes | None]] | None = (
                [*record.headers] if record.headers else None
            )
            try:
                produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    timestamp=record.timestamp_ms,
                    headers=headers,
                )
            except (BufferError, KafkaException, ValueError):
                self.send(record)
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Returns when the broker has acknowledged everything that was sent; else raises."""
        left = self._producer.flush(self._stall)
        self._check()
        if left:
            raise self._stalled()

    def _check(self) -> None:
        if self._failure is not None:
            raise told(self._failure, self._kafka)

    def _stalled(self) -> BmswitchError:
        return UnreachableError(
            f"Kafka at {self._kafka.bootstrap} has acknowledged nothing for {self._stall:.0f} s",
            next_command="check the broker; the replication resumes where it stopped",
        )

    def _refused(self, failure: KafkaException, record: LogRecord) -> BmswitchError:
        error = failure.args[0]
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            size = len(record.value or b"") + len(record.key or b"")
            return RecordError("a record is larger than the format allows", evidence=f"{size} bytes")
        return told(error, self._kafka)

    def close(self) -> None:
        """Gives up what is still queued: only what was flushed counts."""
        self._producer.purge(in_queue=True, in_flight=False)
        self._producer.flush(1.0)
