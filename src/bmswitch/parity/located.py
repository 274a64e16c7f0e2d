"""Since which record of the source's log the target differs: the newest record of each differing item.

The log is read only when there are differences, and only in the partitions of their owners (change-log.md 2).
"""

from collections.abc import Iterable, Mapping

import msgspec

from bmswitch.model.causes import likely_cause
from bmswitch.model.differences import Difference, LogPlace, Place
from bmswitch.model.errors import RecordError
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord, decode_key
from bmswitch.model.topics import TopicKind, parse
from bmswitch.parity.bodies import DAMAGED, MISSING
from bmswitch.parity.mends import mend_of
from bmswitch.parity.passwords import PASSWORDS
from bmswitch.parity.sides import COUNT, ENTRIES
from bmswitch.parity.tables import DOMAIN
from bmswitch.parity.touched import Touched

Spot = tuple[Place, str]

_BY_MEMBER = frozenset({"members", "organisation administrators"})
"""Side data of an entry whose records belong to others: they can be in any partition."""
_NOT_TOLD = frozenset({COUNT, "settings", "domain settings", "server roles", "server assignments", DOMAIN})
"""Items of which a log without a record says nothing: a user's settings are read with the domain's, which are elsewhere."""


def place_of(found: Difference) -> Place:
    """Where a difference is."""
    return Place(found.domain, found.owner, found.container, found.type)


def wanted_partitions(found: Iterable[Difference], topics: Mapping[str, int]) -> dict[str, set[int]]:
    """The partitions of the source's topics in which records of the differing items can be."""
    by_domain = {
        parsed.domain: name
        for name in topics
        if (parsed := parse(name)) is not None and parsed.kind is TopicKind.DOMAIN
    }
    wanted: dict[str, set[int]] = {}
    for one in found:
        topic = by_domain.get(one.domain)
        if topic is None:
            continue
        parts = wanted.setdefault(topic, set())
        if one.item in _BY_MEMBER or (one.owner == one.domain and one.type != ENTRIES):
            parts.update(range(topics[topic]))
        else:
            parts.update(partition_of(token, topics[topic]) for token in (one.item, one.owner))
    return wanted


class Newest:
    """Keeps the newest record of each wanted item. Memory: one entry for each item."""

    def __init__(self, found: Iterable[Difference]) -> None:
        self._wanted = {(place_of(one), one.item.split(" (again)")[0]) for one in found if one.item != COUNT}
        self.records: dict[Spot, LogPlace] = {}

    def take(self, record: LogRecord) -> None:
        """Looks at one record; tombstones and what is not understood say nothing."""
        touched = Touched()
        touched.add(record)
        for place, items in touched.places.items():
            for item in items or ():
                if (place, item) in self._wanted:
                    self._keep((place, item), record)

    def _keep(self, spot: Spot, record: LogRecord) -> None:
        try:
            operation = str(decode_key(record.key).operation)
        except RecordError:
            return
        self.records[spot] = LogPlace(record.topic, record.partition, record.offset, operation)


def told(found: Iterable[Difference], newest: Newest | None) -> list[Difference]:
    """The differences with their record and likely cause; `newest` None: the log was not read."""
    return [_told(one, newest) for one in found]


def _told(one: Difference, newest: Newest | None) -> Difference:
    mend = mend_of(one) if one.known is None else None
    one = msgspec.structs.replace(one, repair=mend.words if mend else None)
    if newest is None:
        return msgspec.structs.replace(one, cause=likely_cause(one))
    record = newest.records.get((place_of(one), one.item.split(" (again)")[0]))
    silent = None if one.item in _NOT_TOLD or one.what in (MISSING, DAMAGED) or one.type == PASSWORDS else ""
    log = record.operation if record else silent
    return msgspec.structs.replace(one, record=record, cause=likely_cause(one, log))
