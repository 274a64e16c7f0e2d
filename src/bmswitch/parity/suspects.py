"""Live traffic: a difference counts only when the source stood still around two barriers and the target differs after both.

Reading (source b1, target g1 differ) -> barrier -> reading (b2, g2). The source stood still when b1 == b2 *and* its log touched the
item no more since the first reading: values alone come back (one event made, one deleted: the same count). Then all that the source
had at the first reading has passed to the target. One such round is not enough: the source answers reads from its database before
it has sent the record (change-log.md 8.1), so a barrier can overtake a record that is about to be sent. Two rounds in a row decide.
What never stands still is unknown, never different and never equal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from bmswitch.model.differences import Difference, Place, difference, explain
from bmswitch.model.digest import Print
from bmswitch.parity.read import Wanted
from bmswitch.parity.sides import CONTAINERS, COUNT, ENTRIES, SIDE, Pair, Sides
from bmswitch.parity.touched import Touched

AGAIN = " (again)"
_MAX_KEPT = 1000
_PLACES_AT_ONCE = 8
_HOLDERS = frozenset({ENTRIES, CONTAINERS})
UNSETTLED = "changes faster than it can be read"

ROUNDS_STILL = 2
"""Rounds in a row in which the source must have stood still before a difference is certain."""

Barrier = Callable[[], Awaitable[object]]
Moved = Callable[[], Awaitable[Touched]]
"""What the source's log touched since the last call, up to its end at the time of the call."""
Suspects = dict[str, tuple[Print | None, frozenset[int]]]
"""Item uid to the source's print at the last reading and the ids that the item may have."""


@dataclass
class Settled:
    """What became of the suspects: differences that are certain, and items that never stood still.

    `appeared` names entries and containers that were on one side only and are now on both: what is in them was not read.
    """

    differences: list[Difference] = field(default_factory=list)
    unsettled: list[Difference] = field(default_factory=list)
    appeared: dict[Place, set[str]] = field(default_factory=dict)


def suspects_of(pair: Pair) -> Suspects:
    """The items of a place that were not the same, with what is needed to read them again."""
    if pair.source.prints == pair.target.prints:
        return {}
    return {uid: (pair.source.prints.get(uid), _ids(pair, uid)) for uid in pair.suspects}


def _ids(pair: Pair, uid: str) -> frozenset[int]:
    found = (
        dict(p.signals).get("id") for p in (pair.source.prints.get(uid), pair.target.prints.get(uid)) if p
    )
    return frozenset(number for number in found if isinstance(number, int))


async def nothing_moved() -> Touched:
    """For a source that is frozen, or whose log can not be read: its values alone tell whether it stood still."""
    return Touched()


async def settle(
    sides: Sides,
    suspects: dict[Place, Suspects],
    barrier: Barrier,
    *,
    rounds: int,
    moved: Moved = nothing_moved,
) -> Settled:
    """Re-reads the suspects after barriers, at most `rounds` times (at least two, or nothing can be certain)."""
    todo = {place: items for place, items in suspects.items() if items}
    work = _Settling(sides, Settled(), moved)
    for _ in range(max(rounds, ROUNDS_STILL)):
        if not todo:
            return work.settled
        await barrier()
        todo = await work.round(todo)
    for place, items in todo.items():
        work.settled.unsettled += [difference(place, uid, "both", UNSETTLED) for uid in items]
    return work.settled


@dataclass
class _Settling:
    """One settling; `still` counts the rounds in a row in which the source's item stood still while both sides differed."""

    sides: Sides
    settled: Settled
    moved: Moved
    still: dict[tuple[Place, str], int] = field(default_factory=dict)

    async def round(self, todo: dict[Place, Suspects]) -> dict[Place, Suspects]:
        """Reads all suspects once; those that must be read again."""
        gate, pairs = asyncio.Semaphore(_PLACES_AT_ONCE), list[tuple[Pair, Suspects]]()

        async def one(place: Place, before: Suspects) -> None:
            async with gate:
                pairs.append((await self.sides.pair(place, _wanted(before)), before))

        async with asyncio.TaskGroup() as group:
            for place, before in todo.items():
                group.create_task(one(place, before))
        touched = await self.moved()
        again = {pair.place: self._judge(pair, before, touched) for pair, before in pairs}
        return {place: moving for place, moving in again.items() if moving}

    def _judge(self, pair: Pair, before: Suspects, touched: Touched) -> Suspects:
        """Certain differences go to `settled`; what is not certain yet is returned, to be read again."""
        moving: Suspects = {}
        now = suspects_of(pair)
        for uid, (print_now, ids) in now.items():
            old = before.get(uid)
            moves = old is None or old[0] != print_now or _touches(touched, pair.place, uid)
            rounds = self.still[pair.place, uid] = 0 if moves else self.still.get((pair.place, uid), 0) + 1
            if rounds < ROUNDS_STILL:
                moving[uid] = (print_now, ids | (old[1] if old else frozenset()))
            else:
                self.settled.differences += explained(pair, uid)
        if pair.place.type in _HOLDERS:
            both = pair.source.prints.keys() & pair.target.prints.keys() & before.keys()
            self.settled.appeared.setdefault(pair.place, set()).update(both - moving.keys())
        return moving


def _touches(touched: Touched, place: Place, uid: str) -> bool:
    """True when the log touched the item; a count moves with any item, a user's settings also with the domain's (4.4)."""
    if place.type == SIDE and uid == "settings":
        domains = Place(place.domain, place.domain, "", SIDE)
        if _touches_item(touched, domains, "domain settings"):
            return True
    return _touches_item(touched, place, uid.split(AGAIN, maxsplit=1)[0])


def _touches_item(touched: Touched, place: Place, uid: str) -> bool:
    if place not in touched.places:
        return False
    items = touched.places[place]
    return items is None or uid == COUNT or uid in items


def _wanted(before: Suspects) -> Wanted:
    items = {uid.split(AGAIN)[0]: ids for uid, (_, ids) in before.items()}
    return Wanted(items, keep=len(items) <= _MAX_KEPT)


def explained(pair: Pair, uid: str) -> list[Difference]:
    """Every difference of one item of a pair."""
    return explain(
        pair.place,
        uid,
        pair.source.prints.get(uid),
        pair.target.prints.get(uid),
        source_value=pair.source.values.get(uid),
        target_value=pair.target.values.get(uid),
    )


def unexplained(found: Iterable[Difference]) -> list[Difference]:
    """Those without a known reason."""
    return [one for one in found if one.known is None]
