"""Prevents that a deletion whose uid has a quote or a backslash ends green's clone.

BlueMind builds a deletion's value by putting the uid between quotes as it is (change-log.md 3.3), so such a value is no JSON. What
stands between the quotes is the uid: it is written again as JSON. So the deletion is done on green as well.
"""

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, Operation, decode_key
from bmswitch.model.topics import TopicKind

_HEAD, _TAIL = b'{"uid":"', b'"}'


class DeletionsMended:
    """Writes the value of a deletion anew when it is no JSON. It is asked for records that can not be read only."""

    kinds = frozenset({TopicKind.DOMAIN, TopicKind.PRESYNC, TopicKind.ORPHANS})
    types: frozenset[str] = frozenset()
    when = "always"
    without = "such a deletion is parked, and the item stays on green; without a copy it ends green's clone"

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record as it is: it is read already."""
        return [record]

    def mend(self, record: LogRecord) -> LogRecord | None:
        """The record with a value that is JSON; None when it is no such deletion."""
        value = record.value
        if value is None or not (value.startswith(_HEAD) and value.endswith(_TAIL)):
            return None
        try:
            if decode_key(record.key).operation is not Operation.DELETE:
                return None
            uid = value[len(_HEAD) : -len(_TAIL)].decode()
        except (RecordError, UnicodeDecodeError):
            return None
        return msgspec.structs.replace(record, value=msgspec.json.encode({"uid": uid}))
