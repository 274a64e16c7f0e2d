"""Both installations, read place by place: which read belongs to which kind of place."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from bmswitch.bluemind.bulk import ApiError, Bulk
from bmswitch.bluemind.transport import told
from bmswitch.model.differences import Difference, Place, differing
from bmswitch.model.errors import BmswitchError
from bmswitch.model.scope import Scope
from bmswitch.parity.containers import Held, read_containers, read_meta
from bmswitch.parity.directory import Entry, read_directory, read_entry
from bmswitch.parity.fetch import Answers, Ask, asks, decoded, listed, named
from bmswitch.parity.mail import uid_next_is_safe
from bmswitch.parity.paths import fill
from bmswitch.parity.read import ALL, Reading, Wanted, alike, count_items, read_level1, read_of, text
from bmswitch.parity.side import read_side
from bmswitch.parity.tables import KINDS, NOT_RESTORED, Kind

COUNT = "(count)"
"""A suspect of its own: the counts differ although the items that were read do not."""
Answer = TypeVar("Answer")
ENTRIES, ENTRY, SIDE, CONTAINERS, META = "dir", "entry", "side", "containers", "containers_meta"


class Pair(msgspec.Struct):
    """One place as read on both sides."""

    place: Place
    source: Reading
    target: Reading

    @property
    def uids(self) -> set[str]:
        """Every item that a side has."""
        return self.source.prints.keys() | self.target.prints.keys()

    @property
    def suspects(self) -> set[str]:
        """Items that are not the same, a UIDNEXT ahead on the target apart."""
        found = differing(self.source.prints, self.target.prints)
        return {uid for uid in found if not self._harmless(uid)}

    def _harmless(self, uid: str) -> bool:
        mine, theirs = self.source.prints.get(uid), self.target.prints.get(uid)
        return mine is not None and theirs is not None and uid_next_is_safe(mine, theirs)


@dataclass
class Sides:
    """The source and the target. `newer` leaves out fields that only one of two different versions has.

    `kinds` remembers the kind of each directory entry; `unread` the reads that a side does not offer; `skipped` the
    container types whose values were not compared.
    """

    source: Bulk
    target: Bulk
    newer: bool = False
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)
    unread: dict[str, set[str]] = field(default_factory=lambda: {"source": set(), "target": set()})
    skipped: set[str] = field(default_factory=set)

    async def pair(self, place: Place, wanted: Wanted = ALL, *, at_once: bool = True) -> Pair:
        """The place on both sides, read `at_once` or one after the other. What both answer alike is not hashed."""
        kind = _kind_of(place, wanted)
        if kind is not None:
            known = asks(kind, place, wanted)
            mine, theirs = await self._both(
                lambda bulk: self._fetch(bulk, place, kind, known), at_once=at_once
            )
            if mine == theirs:
                return Pair(place, *alike(named(self.source, mine), wanted))
            return Pair(
                place,
                self._read_of(self.source, mine, kind, wanted),
                self._read_of(self.target, theirs, kind, wanted),
            )
        pair = Pair(place, *await self._both(lambda bulk: self.read(bulk, place, wanted), at_once=at_once))
        if place.type == SIDE:
            for name in self.unread["source"] | self.unread["target"]:
                pair.source.prints.pop(name, None)
                pair.target.prints.pop(name, None)
        return pair

    async def _both(
        self, read: Callable[[Bulk], Coroutine[Any, Any, Answer]], *, at_once: bool
    ) -> tuple[Answer, Answer]:
        if not at_once:
            return await read(self.source), await read(self.target)
        other = asyncio.create_task(read(self.target))
        try:
            return await read(self.source), await other
        finally:
            other.cancel()

    async def read(self, bulk: Bulk, place: Place, wanted: Wanted = ALL) -> Reading:
        """The place on one side; empty when it is not there."""
        kind = _kind_of(place, wanted)
        if kind is not None:
            answers = await self._fetch(bulk, place, kind, asks(kind, place, wanted))
            return self._read_of(bulk, answers, kind, wanted)
        try:
            return await self._read(bulk, place, wanted)
        except ApiError as fault:
            if fault.not_found:
                return Reading()
            raise _told(bulk, place, fault) from fault

    def _read_of(self, bulk: Bulk, answers: Answers, kind: Kind, wanted: Wanted) -> Reading:
        return read_of(decoded(bulk, answers), kind, wanted, newer=self.newer)

    async def _fetch(self, bulk: Bulk, place: Place, kind: Kind, known: list[Ask] | None) -> Answers:
        """What one side answers about the items; nothing when their container is not there."""
        try:
            if known is None:
                known = await listed(bulk, kind, place)
            return [(path, await bulk.raw(path, body)) for path, body in known]
        except ApiError as fault:
            if fault.not_found:
                return []
            raise _told(bulk, place, fault) from fault

    async def counts(self, place: Place) -> tuple[int, int]:
        """BlueMind's own count of a container's items on both sides; 0 where the container is gone."""
        async with asyncio.TaskGroup() as group:
            source = group.create_task(self._count(self.source, place))
            target = group.create_task(self._count(self.target, place))
        return source.result(), target.result()

    async def _count(self, bulk: Bulk, place: Place) -> int:
        try:
            return await count_items(bulk, place.container)
        except ApiError as fault:
            if fault.not_found:
                return 0
            raise told(bulk.name, f"the count of {place.container}", fault, write=False) from fault

    async def entries(self, domain: str) -> tuple[Pair, dict[str, Entry]]:
        """The directory of a domain on both sides, and the entries that both have."""
        async with asyncio.TaskGroup() as group:
            source = group.create_task(read_directory(self.source, domain, ALL))
            target = group.create_task(read_directory(self.target, domain, ALL))
        place = Place(domain, "system", domain, ENTRIES)
        (source_reading, source_entries), (target_reading, target_entries) = source.result(), target.result()
        for entry in (*target_entries.values(), *source_entries.values()):
            self.kinds[domain, entry.uid] = entry.kind
        both = {uid: entry for uid, entry in source_entries.items() if uid in target_entries}
        return Pair(place, source_reading, target_reading), both

    async def held(self, domain: str, owner: str) -> tuple[Pair, list[Held]]:
        """The containers of an owner on both sides, and those that both have."""
        async with asyncio.TaskGroup() as group:
            source = group.create_task(read_containers(self.source, owner, ALL))
            target = group.create_task(read_containers(self.target, owner, ALL))
        (source_reading, source_held), (target_reading, target_held) = source.result(), target.result()
        pair = Pair(Place(domain, owner, "", CONTAINERS), source_reading, target_reading)
        return pair, [held for uid, held in source_held.items() if uid in target_held]

    def with_kind(self, one: Difference) -> Difference:
        """A difference of an entry with the entry's kind."""
        if one.type not in (ENTRIES, ENTRY):
            return one
        uid = one.item if one.type == ENTRIES else one.owner
        return msgspec.structs.replace(one, kind=self.kinds.get((one.domain, uid)))

    async def learn(self, domain: str, entries: Collection[str]) -> None:
        """Reads the kinds of these entries that are not known yet: one call per side."""
        self.kinds.setdefault((domain, domain), "DOMAIN")
        missing = {uid for uid in entries if (domain, uid) not in self.kinds}
        if not missing:
            return
        wanted = Wanted(dict.fromkeys(missing, ()))
        async with asyncio.TaskGroup() as group:
            reads = [
                group.create_task(read_directory(bulk, domain, wanted)) for bulk in (self.target, self.source)
            ]
        for read in reads:
            self.kinds.update({(domain, entry.uid): entry.kind for entry in read.result()[1].values()})

    async def _read(self, bulk: Bulk, place: Place, wanted: Wanted) -> Reading:
        match place.type:
            case "dir":
                reading, entries = await read_directory(bulk, place.domain, wanted)
                self.kinds.update({(place.domain, e.uid): e.kind for e in entries.values()})
                return reading
            case "entry":
                return await read_entry(bulk, place.domain, self._entry(place), keep=wanted.keep)
            case "side":
                unread = self.unread["source" if bulk is self.source else "target"]
                return await read_side(bulk, place.domain, self._entry(place), wanted, unread)
            case "containers":
                return (await read_containers(bulk, place.owner, wanted))[0]
            case "containers_meta":
                return await read_meta(bulk, place.container, keep=wanted.keep)
        return await self._read_other(bulk, place, wanted)

    def _entry(self, place: Place) -> Entry:
        return Entry(place.owner, self.kinds.get((place.domain, place.owner), ""))

    async def _read_other(self, bulk: Bulk, place: Place, wanted: Wanted) -> Reading:
        """A container of which only the count or the uids are read, or nothing."""
        reading = Reading()
        if place.type in NOT_RESTORED:
            self.skipped.add(place.type)
        elif _is_count(wanted):
            reading.add(COUNT, (("count", await self._count(bulk, place)),), None, keep=False)
        else:
            self.skipped.add(place.type)
            reading = await read_level1(bulk, place, wanted)
        return reading


def _kind_of(place: Place, wanted: Wanted) -> Kind | None:
    """How the items of a place are read and compared; None: it is no container, or its values are not compared."""
    return None if place.type in NOT_RESTORED or _is_count(wanted) else KINDS.get(place.type)


def _is_count(wanted: Wanted) -> bool:
    return wanted.items is not None and COUNT in wanted.items


def _told(bulk: Bulk, place: Place, fault: ApiError) -> BmswitchError:
    return told(bulk.name, f"the read of {place.type} of {place.owner}", fault, write=False)


async def owners_of(sides: Sides, scope: Scope) -> Scope:
    """A scope of containers with their owners in it, so that nothing else has to be looked through for them."""
    if not scope.containers or scope.users:
        return scope
    owners = set()
    for container in sorted(scope.containers):
        for bulk in (sides.source, sides.target):
            owners.add(await _owner_of(bulk, container))
    return msgspec.structs.replace(scope, users=frozenset(owners - {""}))


async def _owner_of(bulk: Bulk, container: str) -> str:
    try:
        answer = await bulk.get(fill("/api/containers/_manage/{container}/_descriptor", container=container))
    except ApiError as fault:
        if fault.not_found:
            return ""
        raise told(bulk.name, f"the read of container {container}", fault, write=False) from fault
    return text(answer, "owner") if isinstance(answer, dict) else ""
