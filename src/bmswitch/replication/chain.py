"""Which cures a record passes through: looked up by topic and record type, so that most records meet none."""

from collections.abc import Callable, Sequence

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import Pair, is_known
from bmswitch.model.records import LogRecord, RecordKey, decode_key
from bmswitch.model.topics import parse
from bmswitch.replication.api import Cure, Settled
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.reading import understand

NAMED = 1000
"""How many unknown types are counted by name; those beyond are counted together."""
_OTHERS = ("others", None)


class Chain:
    """Cures in their order. `unknown` counts records of types that nobody knows: they pass as they are."""

    def __init__(self, cures: Sequence[Cure], waiting: ChildrenWait | None = None) -> None:
        self._cures, self._waiting = cures, waiting
        self._tables: dict[str, dict[Pair, tuple[Cure, ...]]] = {}
        self.unknown: dict[Pair, int] = {}

    def __call__(self, record: LogRecord, key: RecordKey) -> list[LogRecord] | None:
        """What goes on instead of the record whose key is `key`; None when no cure wants it. Raises RecordError."""
        waiting = self._waiting
        if waiting is None or key.type not in waiting.types:
            return self._cured(record, key)
        waiting.hold(record, key)
        out = self._cured(record, key)
        for child in waiting.came(record, key):
            out = [record] if out is None else out
            out += self._follows(waiting, child, record)
        return out

    def mended(self, record: LogRecord) -> list[LogRecord] | None:
        """What goes on instead of a record that can not be read; None when no cure can mend it. Raises RecordError."""
        for cure in self._of(record.topic):
            mend: Callable[[LogRecord], LogRecord | None] | None = getattr(cure, "mend", None)
            found = mend(record) if mend is not None else None
            if found is not None:
                out = self(found, understand(found))
                return [found] if out is None else out
        return None

    def settled(self) -> list[Settled]:
        """Parked records that do not wait any more, once: they were handed on, or there is nothing to restore."""
        return self._waiting.settled() if self._waiting is not None else []

    def _follows(self, waiting: ChildrenWait, child: LogRecord, parent: LogRecord) -> list[LogRecord]:
        """A record whose parent has passed; one that waits for a further parent stays parked."""
        try:
            out = self(child, decode_key(child.key))
        except RecordError:
            return []
        waiting.follows(child, parent)
        return [child] if out is None else out

    def _cured(self, record: LogRecord, key: RecordKey) -> list[LogRecord] | None:
        pair = (key.type, key.value_class)
        try:
            cures = self._tables[record.topic][pair]
        except KeyError:
            cures = self._meet(record.topic, pair)
        if key.__class__ is not RecordKey:
            return self._old(record, cures)
        return _through(cures, record) if cures else None

    def _old(self, record: LogRecord, cures: tuple[Cure, ...]) -> list[LogRecord]:
        """A record with a legacy key: brought up to date first, then as any other of its type."""
        modern = _through(tuple(c for c in self._of(record.topic) if getattr(c, "old_keys", False)), record)
        out: list[LogRecord] = []
        for one in modern:
            key = decode_key(one.key)
            passed = self._cured(one, key) if key.__class__ is RecordKey else _through(cures, one)
            out += [one] if passed is None else passed
        return out

    def _meet(self, topic: str, pair: Pair) -> tuple[Cure, ...]:
        """The cures for a type; kept for the next record when the type is known, counted when it is not."""
        cures = tuple(c for c in self._of(topic) if c.types is None or pair[0] in c.types)
        if is_known(pair):
            self._tables.setdefault(topic, {})[pair] = cures
        else:
            name = pair if pair in self.unknown or len(self.unknown) < NAMED else _OTHERS
            self.unknown[name] = self.unknown.get(name, 0) + 1
        return cures

    def _of(self, topic: str) -> list[Cure]:
        parsed = parse(topic)
        return [c for c in self._cures if parsed is not None and parsed.kind in c.kinds]


def _through(cures: tuple[Cure, ...], record: LogRecord) -> list[LogRecord]:
    records = [record]
    for cure in cures:
        records = [cured for r in records for cured in cure(r)]
    return records
