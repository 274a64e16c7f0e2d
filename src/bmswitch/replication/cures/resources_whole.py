"""Prevents that the calendar of a resource is lost on green when the resource is changed.

BlueMind's clone gives a resource an id of green's own, takes each later record of it for another resource, deletes the one that it has,
calendar and rights included, and makes it anew (clone-and-api.md 3.3). What the resource had is in the log before that record, so it
is repeated behind it. Mails of a resource are not among what is repeated.
"""

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import ENTRY_CLASS
from bmswitch.model.records import SYSTEM, LogRecord, Operation, RecordKey, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind

MOST = 256 << 20
"""Bytes that are remembered; what comes beyond is counted and not repeated."""
_RESOURCE = b'"kind":"RESOURCE"'
_OWNED = frozenset({"calendar", "containers_meta", "container_flat_hierarchy", "mailfilters"})


class ResourcesWhole:
    """Repeats what a resource owns behind each later record of it. `left` counts what did not fit into the memory.

    `fresh`: the log is read from its beginning. Else an UPDATE of a resource is parked, as what it had was read by an earlier run.
    """

    kinds = frozenset({TopicKind.DOMAIN})
    types = _OWNED | {"dir"}
    when = "one process copies"
    without = "each change of a resource empties its calendar on green, until verify finds it"

    def __init__(self, *, fresh: bool) -> None:
        self.left = 0
        self._fresh, self._bytes = fresh, 0
        self._owned: dict[tuple[str, str], dict[bytes, LogRecord]] = {}

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record, and behind a changed resource what it owns. Raises RecordError."""
        key = decode_key(record.key)
        if key.type != "dir":
            held = self._owned.get((record.topic, key.owner))
            if held is not None:
                self._remember(held, record, key)
            return [record]
        if record.value is None or key.owner != SYSTEM:
            return [record]
        place = (record.topic, decode_item_uid(record.value))
        if key.operation is Operation.DELETE:
            self._forget(place)
            return [record]
        if key.value_class != ENTRY_CLASS or _RESOURCE not in record.value:
            return [record]
        held = self._owned.get(place)
        if held is not None:
            return [record, *held.values()]
        if not self._fresh and key.operation is Operation.UPDATE:
            raise RecordError(
                "a changed resource would lose its calendar on green",
                evidence=f"{place[1]}: what it has was copied by an earlier run; make the change on green after the switch",
            )
        self._owned[place] = {}
        return [record]

    def _remember(self, held: dict[bytes, LogRecord], record: LogRecord, key: RecordKey) -> None:
        self._drop(held, record.key)
        if key.operation is Operation.DELETE:
            for operation in (b"CREATE", b"UPDATE"):
                self._drop(held, record.key.replace(b'"DELETE"}', b'"%b"}' % operation))
        elif record.value is not None and self._bytes + len(record.value) <= MOST:
            held[record.key] = record
            self._bytes += len(record.value)
        elif record.value is not None:
            self.left += 1

    def _drop(self, held: dict[bytes, LogRecord], key: bytes) -> None:
        gone = held.pop(key, None)
        self._bytes -= len(gone.value or b"") if gone is not None else 0

    def _forget(self, place: tuple[str, str]) -> None:
        for one in self._owned.pop(place, {}).values():
            self._bytes -= len(one.value or b"")
