"""The orphans topic is read once by a clone: what changes there afterwards is lost on green (traffic-and-objects.md C 22)."""

import time
import uuid
from collections.abc import Iterable

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RecordError, UnknownError
from bmswitch.model.records import CORE_TOKEN_CLASS, LogRecord, decode_key

HEARTBEAT = "container_item_id_seq"
_MAX_SHOWN = 5


class OrphanReader:
    """Follows the orphans topic from `start` on, one offset a partition.

    It is opened before the hold and kept: a consumer that has its connections reads what is new in a few milliseconds, a new
    one needs 200 ms. One thread at a time.
    """

    def __init__(self, kafka: Kafka, topic: str, start: list[int]) -> None:
        self._topic = topic
        self._at = list(start)
        self._told = list(start)
        self._seen: list[tuple[LogRecord, str]] = []
        self._reader = LogConsumer(kafka, f"bmswitch-orphans-{uuid.uuid4().hex}", partitions=len(start))
        self._reader.assign({topic: start})

    def since(self, ms: int, ends: list[int], *, timeout: float = 5.0) -> list[str]:
        """What was recorded up to `ends` and after `ms` that green does not know; `later` goes on from `ends`.

        The id sequence (every minute) and the core's token do no harm.

        Raises:
            UnknownError: could not be read to its end in time.
        """
        self._read_to(ends, timeout)
        self._told = list(ends)
        return _shown(said for record, said in self._seen if record.timestamp_ms > ms)

    def later(self, ends: list[int], *, timeout: float = 1.0) -> list[str]:
        """What was recorded between the ends of the last `since` and these, whatever its timestamp says. Raises as `since`."""
        self._read_to(ends, timeout)
        return _shown(said for record, said in self._seen if record.offset >= self._told[record.partition])

    def close(self) -> None:
        """Frees the connections."""
        self._reader.close()

    def _read_to(self, ends: list[int], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while left := [p for p, end in enumerate(ends) if self._at[p] < end]:
            if time.monotonic() > deadline:
                raise UnknownError(
                    f"topic {self._topic} could not be read to its end within {timeout:g} s",
                    evidence=f"{len(left)} partitions were left",
                )
            self._read()

    def _read(self) -> None:
        batch = self._reader.read(1000, 0.05)
        for record in batch.records:
            self._at[record.partition] = max(self._at[record.partition], record.offset + 1)
            if said := harm(record):
                self._seen.append((record, said))
        for (_, partition), end in batch.ends.items():
            self._at[partition] = max(self._at[partition], end)


def _shown(found: Iterable[str]) -> list[str]:
    return sorted(set(found))[:_MAX_SHOWN]


def harm(record: LogRecord) -> str:
    """What a record changes, empty when it does no harm to a clone that never reads it."""
    where = f"{record.topic}:{record.partition}:{record.offset}"
    try:
        key = decode_key(record.key)
    except RecordError:
        return f"a record that is not understood at {where}"
    if key.type == HEARTBEAT or key.value_class == CORE_TOKEN_CLASS:
        return ""
    return f"{key.operation} of {key.type} {key.uid} at {where}"
