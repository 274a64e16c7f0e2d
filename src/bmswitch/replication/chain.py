"""Which cures a record passes through: looked up by topic and record type, so that most records meet none."""

from collections.abc import Sequence

from bmswitch.model.record_types import Pair, is_known
from bmswitch.model.records import LogRecord, RecordKey, decode_key
from bmswitch.model.topics import parse
from bmswitch.replication.api import Cure

NAMED = 1000
"""How many unknown types are counted by name; those beyond are counted together."""
_OTHERS = ("others", None)


class Chain:
    """Cures in their order. `unknown` counts records of types that nobody knows: they pass as they are."""

    def __init__(self, cures: Sequence[Cure]) -> None:
        self._cures = cures
        self._tables: dict[str, dict[Pair, tuple[Cure, ...]]] = {}
        self.unknown: dict[Pair, int] = {}

    def __call__(self, record: LogRecord, key: RecordKey) -> list[LogRecord] | None:
        """What goes on instead of the record whose key is `key`; None when no cure wants it."""
        pair = (key.type, key.value_class)
        try:
            cures = self._tables[record.topic][pair]
        except KeyError:
            cures = self._meet(record.topic, pair)
        if key.__class__ is not RecordKey:
            return self._old(record, cures)
        return _through(cures, record) if cures else None

    def _old(self, record: LogRecord, cures: tuple[Cure, ...]) -> list[LogRecord] | None:
        """A record with a legacy key: brought up to date first, then as any other of its type."""
        table = self._topic(record.topic)
        modern = _through(tuple(c for c in table if getattr(c, "old_keys", False)), record)
        out: list[LogRecord] = []
        for one in modern:
            key = decode_key(one.key)
            passed = self(one, key) if key.__class__ is RecordKey else _through(cures, one)
            out += [one] if passed is None else passed
        return out

    def _meet(self, topic: str, pair: Pair) -> tuple[Cure, ...]:
        """The cures for a type; kept for the next record when the type is known, counted when it is not."""
        cures = tuple(c for c in self._topic(topic) if c.types is None or pair[0] in c.types)
        if is_known(pair):
            self._tables.setdefault(topic, {})[pair] = cures
        else:
            name = pair if pair in self.unknown or len(self.unknown) < NAMED else _OTHERS
            self.unknown[name] = self.unknown.get(name, 0) + 1
        return cures

    def _topic(self, topic: str) -> list[Cure]:
        parsed = parse(topic)
        return [c for c in self._cures if parsed is not None and parsed.kind in c.kinds]


def _through(cures: tuple[Cure, ...], record: LogRecord) -> list[LogRecord]:
    records = [record]
    for cure in cures:
        records = [cured for r in records for cured in cure(r)]
    return records
