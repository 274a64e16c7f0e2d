"""The whole proof: every domain, entry, container and item of both sides, a bounded number of owners at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bmswitch.model.differences import Place
from bmswitch.model.digest import Print
from bmswitch.parity.containers import Held
from bmswitch.parity.directory import Entry
from bmswitch.parity.sides import CONTAINERS, COUNT, ENTRIES, ENTRY, META, SIDE, Pair, Sides
from bmswitch.parity.suspects import Suspects, suspects_of
from bmswitch.parity.tables import NOT_RESTORED

_MAX_SUSPECTS = 100_000


@dataclass
class Tally:
    """How much was read in one dimension."""

    places: int = 0
    items: int = 0


@dataclass
class Seen:
    """What a pass over both sides found: figures by dimension and the suspects to be settled.

    `overflow` counts suspects beyond the limit, which were dropped: the verdict is then `different` or `unknown` anyway.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    suspects: dict[Place, Suspects] = field(default_factory=dict)
    containers: int = 0
    items: int = 0
    overflow: int = 0

    def take(self, dimension: str, pair: Pair) -> None:
        """Counts a place and keeps its suspects."""
        tally = self.tallies.setdefault(dimension, Tally())
        tally.places += 1
        tally.items += len(pair.source.prints)
        found = suspects_of(pair)
        if not found:
            return
        if sum(map(len, self.suspects.values())) + len(found) > _MAX_SUSPECTS:
            self.overflow += len(found)
            return
        self.suspects[pair.place] = found


Bodies = Callable[[Place, set[str]], None]
Shown = Callable[[str], None]


class FullPass:
    """Reads everything once. `bodies` gets the guids that each folder's records name; `shown` a line of progress."""

    def __init__(self, sides: Sides, *, bodies: Bodies, shown: Shown, owners_at_once: int = 32) -> None:
        self.sides = sides
        self.seen = Seen()
        self._bodies = bodies
        self._shown = shown
        self._owners_at_once = owners_at_once
        self._done = 0

    async def domain(self, domain: str) -> None:
        """One domain: its directory, then every owner that both sides have."""
        pair, entries = await self.sides.entries(domain)
        self.seen.take("directory", pair)
        queue = [*entries.values()]
        if domain not in entries:
            queue.append(Entry(domain, "DOMAIN"))
            self.sides.kinds[domain, domain] = "DOMAIN"
        total, todo = len(queue), iter(queue)

        async def worker() -> None:
            for entry in todo:
                await self._owner(domain, entry)
                self._done += 1
                self._shown(
                    f"{domain}: {self._done}/{total} owners, {self.seen.containers} containers, "
                    f"{self.seen.items} items"
                )

        self._done = 0
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._owners_at_once, total)):
                group.create_task(worker())

    async def follow(self, appeared: dict[Place, set[str]]) -> bool:
        """Reads what is in entries and containers that only just appeared on both sides; False when there are none."""
        self.seen.suspects = {}
        found = False
        for place, uids in appeared.items():
            found = found or bool(uids)
            if place.type == ENTRIES:
                for uid in uids:
                    await self._owner(place.domain, Entry(uid, self.sides.kinds.get((place.domain, uid), "")))
            else:
                _, held = await self.sides.held(place.domain, place.owner)
                for container in held:
                    if container.uid in uids:
                        await self._container(place.domain, place.owner, container)
        return found

    async def _owner(self, domain: str, entry: Entry) -> None:
        await self._place("entries", Place(domain, entry.uid, "", ENTRY))
        await self._place("side data", Place(domain, entry.uid, "", SIDE))
        pair, held = await self.sides.held(domain, entry.uid)
        self.seen.take(CONTAINERS, pair)
        for container in held:
            await self._container(domain, entry.uid, container)

    async def _container(self, domain: str, owner: str, container: Held) -> None:
        self.seen.containers += 1
        await self._place("access and settings", Place(domain, owner, container.uid, META))
        await self._items(Place(domain, owner, container.uid, container.type))

    async def _place(self, dimension: str, place: Place) -> None:
        self.seen.take(dimension, await self.sides.pair(place))

    async def _items(self, place: Place) -> None:
        """Counts first: two empty containers are equal, and two counts that differ are a suspect of their own."""
        if place.type in NOT_RESTORED:
            self.sides.skipped.add(place.type)
            return
        source, target = await self.sides.counts(place)
        if source == target == 0:
            self.seen.tallies.setdefault(place.type, Tally()).places += 1
            return
        pair = await self.sides.pair(place)
        self.seen.items += len(pair.source.prints)
        if pair.source.guids:
            self._bodies(place, pair.source.guids)
        if not pair.suspects and source != target:
            pair.source.prints[COUNT] = Print((("count", source),), 0)
            pair.target.prints[COUNT] = Print((("count", target),), 0)
        self.seen.take(place.type, pair)
