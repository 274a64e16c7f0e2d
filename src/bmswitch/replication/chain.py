"""Which cures a record passes through: looked up by topic and key type, so that most records meet none."""

from collections.abc import Sequence

from bmswitch.model.records import LogRecord
from bmswitch.model.topics import parse
from bmswitch.replication.api import Cure

_EVERY = ""


class Chain:
    """Cures in their order. A topic's table is made once, at its first record."""

    def __init__(self, cures: Sequence[Cure]) -> None:
        self._cures = cures
        self._tables: dict[str, dict[str, tuple[Cure, ...]]] = {}

    def __call__(self, record: LogRecord, key_type: str) -> list[LogRecord] | None:
        """What goes on instead of the record; None when no cure wants it."""
        table = self._tables.get(record.topic)
        if table is None:
            table = self._tables[record.topic] = self._table(record.topic)
        if not table:
            return None
        cures = table.get(key_type)
        if cures is None:
            cures = table[_EVERY]
        return _through(cures, record) if cures else None

    def _table(self, topic: str) -> dict[str, tuple[Cure, ...]]:
        parsed = parse(topic)
        mine = [c for c in self._cures if parsed is not None and parsed.kind in c.kinds]
        if not mine:
            return {}
        named = {t for c in mine if c.types is not None for t in c.types}
        table = {t: tuple(c for c in mine if c.types is None or t in c.types) for t in named}
        table[_EVERY] = tuple(c for c in mine if c.types is None)
        return table


def _through(cures: tuple[Cure, ...], record: LogRecord) -> list[LogRecord]:
    records = [record]
    for cure in cures:
        records = [cured for r in records for cured in cure(r)]
    return records
