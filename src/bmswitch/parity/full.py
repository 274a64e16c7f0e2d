"""The whole proof: every domain, entry, container and item of both sides, a bounded number of entries at a time."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bmswitch.model.differences import Place
from bmswitch.model.digest import Print
from bmswitch.model.scope import Scope
from bmswitch.parity.containers import Held
from bmswitch.parity.directory import Entry
from bmswitch.parity.seen import Seen, Tally
from bmswitch.parity.sides import CONTAINERS, COUNT, ENTRIES, ENTRY, META, SIDE, Pair, Sides
from bmswitch.parity.tables import NOT_RESTORED

__all__ = ["EVERYTHING", "FullPass", "Hooks", "Seen"]

EVERYTHING = Scope()
_BUSY = 0.05
_OF_ENTRIES = frozenset({"directory", "entries", "side data"})


@dataclass
class Hooks:
    """What a pass tells: `bodies` the guids that a folder's records name, `shown` a line of progress.

    `read` gets each entry that was read whole, with what was found in it. No entry is begun while `busy` says so.
    """

    bodies: Callable[[Place, set[str]], None]
    shown: Callable[[str], None] = lambda _: None
    read: Callable[[str, str, Seen], None] = lambda *_: None
    busy: Callable[[], bool] = lambda: False


class FullPass:
    """Reads everything in the scope once. `done` are entries that were read before, as (domain, uid)."""

    def __init__(
        self,
        sides: Sides,
        hooks: Hooks,
        *,
        entries_at_once: int = 32,
        scope: Scope = EVERYTHING,
        done: Collection[tuple[str, str]] = (),
    ) -> None:
        self.sides = sides
        self.seen = Seen()
        self._hooks = hooks
        self._scope = scope
        self._at_once = entries_at_once
        self._before = done
        self._started = time.monotonic()

    async def run(self, domains: Collection[str]) -> None:
        """The directories of all domains, then every entry that both sides have."""
        queue: list[tuple[str, Entry]] = []
        for domain in domains:
            if self._scope.domain(domain):
                queue += [(domain, entry) for entry in await self._directory(domain)]
        todo = [(domain, entry) for domain, entry in queue if (domain, entry.uid) not in self._before]
        await self._all(todo, len(queue))

    async def _all(self, todo: list[tuple[str, Entry]], total: int) -> None:
        left, done = iter(todo), total - len(todo)
        self._started = time.monotonic()

        async def worker() -> None:
            nonlocal done
            for domain, entry in left:
                while self._hooks.busy():  # noqa: ASYNC110 -- a thread of somebody else's makes room
                    await asyncio.sleep(_BUSY)
                mine = Seen()
                await self._owner(domain, entry, mine)
                self.seen.merge(mine)
                self._hooks.read(domain, entry.uid, mine)
                done += 1
                self._hooks.shown(self._line(done, total, done - (total - len(todo))))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._at_once, len(todo))):
                group.create_task(worker())

    def _line(self, done: int, total: int, now: int) -> str:
        """`now` entries were read by this run."""
        seconds = (time.monotonic() - self._started) / now * (total - done)
        figures = f"{self.seen.containers:,} containers, {self.seen.items:,} items"
        return f"{done:,} of {total:,} entries, {figures}, about {duration(seconds)} left"

    async def _directory(self, domain: str) -> list[Entry]:
        """Compares the directory of a domain; the entries to be read."""
        pair, entries = await self.sides.entries(domain)
        found = [*entries.values()]
        if domain not in entries:
            found.append(Entry(domain, "DOMAIN"))
            self.sides.kinds[domain, domain] = "DOMAIN"
        if domain_book(domain) not in pair.uids:
            found.append(Entry(domain_book(domain), ""))
        if not self._scope.everything:
            found = [entry for entry in found if self._scope.owner(entry.uid, entry.email)]
            chosen = {entry.uid for entry in found}
            _leave(pair, [uid for uid in pair.uids if uid not in chosen and not self._alone(uid, entries)])
        if self._scope.dimension("directory") and not self._scope.containers:
            self.seen.take("directory", pair)
        return found

    def _alone(self, uid: str, both: Collection[str]) -> bool:
        """True for an entry in the scope that one side only has."""
        return uid not in both and self._scope.owner(uid)

    async def follow(self, appeared: dict[Place, set[str]]) -> bool:
        """Reads what is in entries and containers that only just appeared on both sides; False when there are none."""
        found = False
        self.seen.suspects = {}
        for place, uids in appeared.items():
            found = found or bool(uids)
            if place.type == ENTRIES:
                for uid in uids:
                    kind = self.sides.kinds.get((place.domain, uid), "")
                    await self._owner(place.domain, Entry(uid, kind), self.seen)
            else:
                _, held = await self.sides.held(place.domain, place.owner)
                for container in held:
                    if container.uid in uids:
                        await self._container(place.domain, place.owner, container, self.seen)
        return found

    async def _owner(self, domain: str, entry: Entry, seen: Seen) -> None:
        await self._place("entries", Place(domain, entry.uid, "", ENTRY), seen)
        await self._place("side data", Place(domain, entry.uid, "", SIDE), seen)
        if self._scope.dimensions and self._scope.dimensions <= _OF_ENTRIES:
            return
        pair, held = await self.sides.held(domain, entry.uid)
        if self._scope.dimension("containers") and not self._scope.containers:
            seen.take(CONTAINERS, pair)
        for container in held:
            if self._scope.container(container.uid):
                await self._container(domain, entry.uid, container, seen)

    async def _place(self, dimension: str, place: Place, seen: Seen) -> None:
        """Something of an entry that is in no container."""
        if self._scope.dimension(dimension) and not self._scope.containers:
            seen.take(dimension, await self.sides.pair(place))

    async def _container(self, domain: str, owner: str, container: Held, seen: Seen) -> None:
        seen.containers += 1
        if self._scope.dimension("access and settings"):
            place = Place(domain, owner, container.uid, META)
            seen.take("access and settings", await self.sides.pair(place))
        names = "bodies" if container.type == "mailbox_records" else container.type
        if self._scope.dimension(container.type) or names in self._scope.dimensions:
            await self._items(Place(domain, owner, container.uid, container.type), seen)

    async def _items(self, place: Place, seen: Seen) -> None:
        """Counts first: two empty containers are equal, and two counts that differ are a suspect of their own."""
        if place.type in NOT_RESTORED:
            self.sides.skipped.add(place.type)
            return
        source, target = await self.sides.counts(place)
        if source == target == 0:
            seen.tallies.setdefault(place.type, Tally()).places += 1
            return
        pair = await self.sides.pair(place)
        seen.items += len(pair.source.prints)
        if pair.source.guids:
            self._hooks.bodies(place, pair.source.guids)
        if not pair.suspects and source != target:
            pair.source.prints[COUNT] = Print((("count", source),), 0)
            pair.target.prints[COUNT] = Print((("count", target),), 0)
        seen.take(place.type, pair)


def domain_book(domain: str) -> str:
    """The domain's address book owns itself, and is no entry of the directory (change-log.md 8.2)."""
    return f"addressbook_{domain}"


def _leave(pair: Pair, uids: Collection[str]) -> None:
    """Takes entries out of both readings."""
    for uid in uids:
        pair.source.prints.pop(uid, None)
        pair.target.prints.pop(uid, None)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
