"""The proof of what was touched only: reads the touched items on both sides; its cost depends on the changes alone."""

import asyncio
from dataclasses import dataclass, field

from bmswitch.model.differences import Difference, Place
from bmswitch.parity.sides import COUNT, Sides
from bmswitch.parity.suspects import Suspects, explained, suspects_of
from bmswitch.parity.touched import Touched

__all__ = ["COUNT", "Compared", "compare", "details", "learn_kinds"]

_AT_ONCE = 256
"""Places that are read at a time; the readers have limits of their own."""


@dataclass
class Compared:
    """Suspects of the places read, by place, the bodies that their records name, and how much was read."""

    suspects: dict[Place, Suspects] = field(default_factory=dict)
    guids: dict[str, Place] = field(default_factory=dict)
    places: int = 0
    items: int = 0

    @property
    def left(self) -> Touched:
        """The suspects as what has to be read again."""
        return Touched(
            {place: {uid: ids for uid, (_, ids) in items.items()} for place, items in self.suspects.items()}
        )


async def learn_kinds(sides: Sides, touched: Touched) -> None:
    """Reads the kind of each touched owner that is not known yet: one call per side and domain."""
    for domain in {place.domain for place in touched.places}:
        await sides.learn(domain, touched.owners(domain))


async def compare(sides: Sides, touched: Touched) -> Compared:
    """Both sides of every touched place; as many at a time as the readers' own limits allow.

    A pair costs no task of its own where there are enough places to keep every connection busy.
    """
    await learn_kinds(sides, touched)
    found = Compared()
    few = len(touched) < _AT_ONCE

    async def one(place: Place) -> None:
        pair = await sides.pair(place, touched.wanted(place), at_once=few)
        found.places += 1
        found.items += len(pair.source.prints)
        for guid in pair.source.guids:
            found.guids.setdefault(guid, place)
        suspects = suspects_of(pair)
        if suspects:
            found.suspects[place] = suspects

    left = iter(touched.places)

    async def worker() -> None:
        for place in left:
            await one(place)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_AT_ONCE, len(touched))):
            group.create_task(worker())
    return found


async def details(sides: Sides, touched: Touched) -> list[Difference]:
    """Every difference of the touched places, read once more with values."""
    found: list[Difference] = []
    for place in touched.places:
        pair = await sides.pair(place, touched.wanted(place, keep=True))
        for uid in sorted(pair.suspects):
            found += explained(pair, uid)
    return found
