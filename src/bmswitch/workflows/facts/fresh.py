"""Looks for the bodies that the newest records of the log name: an object store that lags behind is found (C 18)."""

import contextlib
import re
import time
import uuid
from collections.abc import Mapping

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config, Kafka
from bmswitch.model.errors import RecordError, UnknownError
from bmswitch.model.records import LogRecord, Operation, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind, parse
from bmswitch.workflows.sites import open_bucket

_NEWEST = 20
"""Records of each partition that are looked at: several minutes of a busy installation."""
_WITHIN = 10.0
_GUID = re.compile(r"[0-9a-f]{40}")


def fresh_bodies(config: Config, topics: Mapping[str, int]) -> tuple[int, list[str]]:
    """How many bodies the newest records of the domains' topics name, and those that the bucket does not have.

    Raises:
        UnknownError: the log could not be read to its end in time.
        UnreachableError, AccessError: Kafka or the bucket.
    """
    domains = {name: n for name, n in topics.items() if (t := parse(name)) and t.kind is TopicKind.DOMAIN}
    guids = _newest_guids(config.source.kafka, domains)
    with contextlib.closing(open_bucket(config.bucket)) as bucket:
        return len(guids), sorted(bucket.missing(guids))


def _newest_guids(kafka: Kafka, topics: Mapping[str, int]) -> set[str]:
    asked = Topics(kafka)
    lows, ends = asked.lows(topics), asked.ends(topics)
    starts = {
        name: [max(low, end - _NEWEST) for low, end in zip(lows[name], ends[name], strict=True)]
        for name in topics
    }
    open_parts = {(n, p) for n in topics for p, end in enumerate(ends[n]) if end > starts[n][p]}
    guids: set[str] = set()
    if not open_parts:
        return guids
    reader = LogConsumer(kafka, f"bmswitch-fresh-{uuid.uuid4().hex}", partitions=len(open_parts))
    deadline = time.monotonic() + _WITHIN
    try:
        for name, partition in sorted(open_parts):
            reader.assign_one(name, partition, starts[name][partition])
        while open_parts:
            if time.monotonic() > deadline:
                raise UnknownError(
                    f"the newest records were not read within {_WITHIN:g} s",
                    evidence=f"{len(open_parts)} partitions were left",
                )
            batch = reader.read(1000, 0.05)
            guids.update(guid for record in batch.records if (guid := _guid(record)))
            open_parts -= {place for place, end in batch.ends.items() if end >= ends[place[0]][place[1]]}
    finally:
        reader.close()
    return guids


def _guid(record: LogRecord) -> str:
    """The body that a record says was stored, empty for any other; what is not understood is another guard's business."""
    if record.value is None:
        return ""
    try:
        key = decode_key(record.key)
        if key.type != "message_bodies" or key.operation is Operation.DELETE:
            return ""
        uid = decode_item_uid(record.value)
    except RecordError:
        return ""
    return uid if uid and _GUID.fullmatch(uid) else ""
