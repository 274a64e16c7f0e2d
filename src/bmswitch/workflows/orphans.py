"""The orphans topic is read once by a clone: what changes there afterwards is lost on green (traffic-and-objects.md C 22)."""

import time
import uuid

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RecordError, UnknownError
from bmswitch.model.records import CORE_TOKEN_CLASS, LogRecord, decode_key

HEARTBEAT = "container_item_id_seq"
_MAX_SHOWN = 5


def changes(
    kafka: Kafka, topic: str, start: list[int], ends: list[int], *, since_ms: int = 0, timeout: float = 5.0
) -> list[str]:
    """What was recorded in `topic` from `start` to `ends` and after `since_ms` that green does not know.

    The id sequence (every minute) and the core's token do no harm.

    Raises:
        UnknownError: could not be read to its end in time.
    """
    open_parts = {p for p, end in enumerate(ends) if end > start[p]}
    if not open_parts:
        return []
    reader = LogConsumer(kafka, f"bmswitch-orphans-{uuid.uuid4().hex}", partitions=len(ends))
    found: list[str] = []
    deadline = time.monotonic() + timeout
    try:
        reader.assign({topic: start})
        while open_parts:
            if time.monotonic() > deadline:
                raise UnknownError(
                    f"topic {topic} could not be read to its end within {timeout:g} s",
                    evidence=f"{len(open_parts)} partitions were left",
                )
            batch = reader.read(1000, 0.05)
            found += [harm(record) for record in batch.records if record.timestamp_ms > since_ms]
            open_parts -= {p for (_, p), end in batch.ends.items() if end >= ends[p]}
    finally:
        reader.close()
    return sorted({said for said in found if said})[:_MAX_SHOWN]


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
