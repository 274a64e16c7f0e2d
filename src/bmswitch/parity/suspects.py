"""Live traffic: a difference counts only when the source stood still around a barrier and the target still differs after it.

First reading (the source b1, the target g1 differ) -> barrier -> second reading (b2, g2). If b1 == b2, all that the source had at the first
reading has passed to the target, so g2 != b2 is a difference. If b1 != b2, the item moves: it is read again in the next round.
What never stands still is unknown, never different and never equal.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from bmswitch.model.differences import Difference, Place, difference, explain
from bmswitch.model.digest import Print
from bmswitch.parity.read import Wanted
from bmswitch.parity.sides import CONTAINERS, ENTRIES, Pair, Sides

AGAIN = " (again)"
_MAX_KEPT = 1000
_PLACES_AT_ONCE = 8
_HOLDERS = frozenset({ENTRIES, CONTAINERS})
UNSETTLED = "changes faster than it can be read"

Barrier = Callable[[], Awaitable[object]]
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
    return {uid: (pair.source.prints.get(uid), _ids(pair, uid)) for uid in pair.suspects}


def _ids(pair: Pair, uid: str) -> frozenset[int]:
    found = (
        dict(p.signals).get("id") for p in (pair.source.prints.get(uid), pair.target.prints.get(uid)) if p
    )
    return frozenset(number for number in found if isinstance(number, int))


async def settle(sides: Sides, suspects: dict[Place, Suspects], barrier: Barrier, *, rounds: int) -> Settled:
    """Re-reads the suspects around a barrier, at most `rounds` times."""
    settled, todo = Settled(), {place: items for place, items in suspects.items() if items}
    for _ in range(rounds):
        if not todo:
            return settled
        await barrier()
        todo = await _round(sides, todo, settled)
    for place, items in todo.items():
        settled.unsettled += [difference(place, uid, "both", UNSETTLED) for uid in items]
    return settled


async def _round(sides: Sides, todo: dict[Place, Suspects], settled: Settled) -> dict[Place, Suspects]:
    gate, again = asyncio.Semaphore(_PLACES_AT_ONCE), dict[Place, Suspects]()

    async def one(place: Place, before: Suspects) -> None:
        async with gate:
            pair = await sides.pair(place, _wanted(before))
        moving = _judge(pair, before, settled)
        if moving:
            again[place] = moving

    async with asyncio.TaskGroup() as group:
        for place, before in todo.items():
            group.create_task(one(place, before))
    return again


def _wanted(before: Suspects) -> Wanted:
    items = {uid.split(AGAIN)[0]: ids for uid, (_, ids) in before.items()}
    return Wanted(items, keep=len(items) <= _MAX_KEPT)


def _judge(pair: Pair, before: Suspects, settled: Settled) -> Suspects:
    """Certain differences go to `settled`; what the source changed meanwhile is returned, to be read again."""
    moving: Suspects = {}
    now = suspects_of(pair)
    for uid, (print_now, ids) in now.items():
        if uid not in before or before[uid][0] != print_now:
            moving[uid] = (print_now, ids | (before[uid][1] if uid in before else frozenset()))
        else:
            settled.differences += explained(pair, uid)
    if pair.place.type in _HOLDERS:
        both = pair.source.prints.keys() & pair.target.prints.keys() & before.keys()
        settled.appeared.setdefault(pair.place, set()).update(both - moving.keys())
    return moving


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
