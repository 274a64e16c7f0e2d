"""Mends the log that a side wrote while it led, before that side becomes a clone that reads it.

A mirrored log is cured on its way. On the way back the standby reads its own log, which nobody cured, up to the promotion: so
what the cure `uidvalidity` would have added is added at its end. A folder that has been updated since, or deleted, needs nothing.
"""

from collections.abc import Iterable

import msgspec

from bmswitch.kafka.consumer import read_whole
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_key
from bmswitch.model.topics import TopicKind
from bmswitch.replication.cures.uidvalidity import UidValidity
from bmswitch.replication.sink import KafkaSink

_MARK = b'"replicated_mailboxes"'
_BATCH = 1000
_READ_WITHIN = 3600.0
Place = tuple[int, int]


def mend_own_log(kafka: Kafka, own: dict[str, int]) -> int:
    """Adds the missing UPDATE of each folder to the domain topics among `own` (topic: partitions); how many.

    Can be repeated: what it added is an UPDATE. The log is read twice, so that memory holds places and no values.

    Raises:
        UnreachableError: Kafka does not answer, or the log can not be read within an hour.
    """
    sink = KafkaSink(kafka)
    try:
        return sum(
            _mend(kafka, topic, partitions, sink) for topic, partitions in own.items() if _is_domain(topic)
        )
    finally:
        sink.close()


def _mend(kafka: Kafka, topic: str, partitions: int, sink: KafkaSink) -> int:
    wanted = created_only(read_whole(kafka, topic, partitions, timeout=_READ_WITHIN))
    if not wanted:
        return 0
    cure, waiting = UidValidity(), list[LogRecord]()
    for record in read_whole(kafka, topic, partitions, timeout=_READ_WITHIN):
        if (record.partition, record.offset) not in wanted:
            continue
        waiting += cure(record)[1:]
        if len(waiting) >= _BATCH:
            sink.send(waiting)
            waiting = []
    sink.send(waiting)
    sink.flush()
    return len(wanted)


def created_only(records: Iterable[LogRecord]) -> set[Place]:
    """Partition and offset of each folder's CREATE that no UPDATE or DELETE follows. Other records are passed over."""
    last: dict[int, Place] = {}
    for record in records:
        if _MARK not in record.key:
            continue
        try:
            key = decode_key(record.key)
        except RecordError:
            continue
        if key.type not in UidValidity.types:
            continue
        if key.operation is Operation.CREATE and record.value is not None:
            last[_folder(key)] = (record.partition, record.offset)
        elif record.value is not None:
            last.pop(_folder(key), None)
    return set(last.values())


def _folder(key: RecordKey) -> int:
    """Stands for a folder: 64 bits, as there may be a million of them."""
    return hash(msgspec.structs.astuple(key)[1:4])


def _is_domain(topic: str) -> bool:
    parsed = topics.parse(topic)
    return parsed is not None and parsed.kind is TopicKind.DOMAIN
