"""Prevents that org units get item ids of green's own.

A unit named by a child in another partition before its own record is read is invented as a placeholder, and a placeholder
keeps its id (change-log.md 8.2 and 8.3). BlueMind's clone replays a domain's `__presync` topic to its end before it begins the
domain's (change-log.md 8.5). So the first record of each org unit that is alive is put there as it is, parents before their
children, all in one partition. The domain's topic then says the same again, and what came later. Copies in the partitions of the
children, as live writes have them (change-log.md 2), were not chosen: an old copy read late would undo a newer name.
"""

from collections.abc import Iterable

import msgspec

from bmswitch.model import topics
from bmswitch.model.record_types import ENTRY_CLASS, DirEntryAndValue
from bmswitch.model.records import LogRecord, Operation, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind

LIMIT = 100_000
_MARK = b"ORG_UNIT"


class _Value(msgspec.Struct):
    value: DirEntryAndValue


_values = msgspec.json.Decoder(_Value)


class ParentsFirst:
    """Puts the first record of each org unit into green's `__presync` topic of the domain, before green's clone starts.

    It reads the proxy's topic, where every directory entry is, and changes no record. `left` counts units beyond the 100,000th
    and units with a parent that is not alive.
    """

    kinds = frozenset({TopicKind.CRP})
    types = frozenset({"dir"})
    when = "once, after the first pass"
    without = "org units whose children are read first have item ids of green's own"

    def __init__(self) -> None:
        self.left = 0
        self._units: dict[tuple[str, str], tuple[LogRecord, str | None]] = {}

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record as it is; org units are remembered. Raises RecordError."""
        if record.value is None:
            return [record]
        key = decode_key(record.key)
        if key.type != "dir":
            return [record]
        if key.operation is Operation.DELETE:
            self._units.pop((key.uid, decode_item_uid(record.value)), None)
        elif key.value_class == ENTRY_CLASS and _MARK in record.value:
            self._remember(key.uid, record, record.value)
        return [record]

    def _remember(self, domain: str, record: LogRecord, value: bytes) -> None:
        try:
            payload = _values.decode(value).value
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        place = (domain, decode_item_uid(value))
        if payload.entry.kind != _MARK.decode() or place in self._units:
            return
        if len(self._units) >= LIMIT:
            self.left += 1
            return
        self._units[place] = (record, payload.value.parent_uid if payload.value else None)

    def presync(self, installation_id: str) -> list[LogRecord]:
        """The records for the presync topics of an installation: parents before children, in partition 0."""
        done: dict[tuple[str, str], LogRecord] = {}
        for place in self._units:
            chain = self._chain(place)
            if chain is None:
                self.left += 1
                continue
            for one in chain:
                record = self._units[one][0]
                topic = topics.presync(installation_id, one[0])
                done.setdefault(one, msgspec.structs.replace(record, topic=topic, partition=0))
        return list(done.values())

    def _chain(self, place: tuple[str, str]) -> Iterable[tuple[str, str]] | None:
        """The unit and its parents, root first; None when one of them is not alive or is its own ancestor."""
        chain: dict[tuple[str, str], None] = {}
        at: tuple[str, str] | None = place
        while at is not None:
            if at in chain or at not in self._units:
                return None
            chain[at] = None
            parent = self._units[at][1]
            at = (at[0], parent) if parent else None
        return reversed(chain)
