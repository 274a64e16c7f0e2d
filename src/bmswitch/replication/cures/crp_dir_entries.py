"""Prevents that green's clone fails for want of `<hex32>-crp-dir-entries`.

The clone reads its known owners from that topic and aborts without it; it is written by the central reverse proxy, which
many installations do not have (change-log.md 8.6, clone-and-api.md 0.10). Then it is derived from the domain topics, by
the proxy's own rules. When blue has the topic, it is mirrored like every other one and this cure is left out.
"""

import msgspec

from bmswitch.model.murmur import murmur2_partition
from bmswitch.model.records import (
    SYSTEM,
    LogRecord,
    Operation,
    RecordKey,
    decode_item_uid,
    decode_key,
    encode_key,
)
from bmswitch.model.topics import TopicKind

PARTITIONS = 8


class CrpDirEntries:
    """Adds, after a domain's `dir` or `memberships` record, its copy for the proxy's topic `topic`."""

    kinds = frozenset({TopicKind.DOMAIN})
    types = frozenset({"dir", "memberships"})
    when = "blue has no such topic"
    without = "green's clone fails at once, unless somebody else fills the topic"

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record and its derived ones; a tombstone derives nothing."""
        if record.value is None:
            return [record]
        key = decode_key(record.key)
        copy = msgspec.structs.replace(record, topic=self._topic, partition=_partition(key, record.value))
        if key.operation is not Operation.DELETE:
            return [record, copy]
        return [record, *(_tombstone(copy, key, o) for o in (Operation.UPDATE, Operation.CREATE)), copy]


def _partition(key: RecordKey, value: bytes) -> int:
    token = SYSTEM if key.owner == SYSTEM else decode_item_uid(value) or "default"
    return murmur2_partition(token, PARTITIONS)


def _tombstone(copy: LogRecord, key: RecordKey, operation: Operation) -> LogRecord:
    return msgspec.structs.replace(
        copy, key=encode_key(msgspec.structs.replace(key, operation=operation)), value=None
    )
