"""What the three loads share: configuration, counters, ledger, dice and identifiers."""

import asyncio
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.ledger import Entry, Ledger, Outcome, Protocol
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.stats import Stats


@dataclass(slots=True)
class Write:
    """A write under way: what the ledger will say about it."""

    id: str
    protocol: Protocol
    kind: str
    object: str
    expected: str
    scheduled: float
    sent: float = field(default_factory=time.monotonic)


class Context:
    """One run. Times given to it are of the monotonic clock, the ledger gets epoch seconds. `tasks`: requests under way.

    `ending`: no new ones are begun.
    """

    def __init__(self, config: TrafficConfig, stats: Stats, ledger: Ledger, people: list[Person]) -> None:
        self.config = config
        self.stats = stats
        self.ledger = ledger
        self.people = people
        self.chance = random.Random(config.seed)  # noqa: S311 - dice of a load, no secret
        self.tasks: set[asyncio.Task[None]] = set()
        self.ending = False
        self._run = f"{int(stats.started_wall * 1000):x}"
        self._number = 0

    def new_id(self) -> str:
        """An identifier that no other run has."""
        self._number += 1
        return f"w{self._run}-{self._number}"

    def person(self) -> Person:
        """Any load user."""
        return self.chance.choice(self.people)

    async def under_way(self, work: Coroutine[None, None, None]) -> None:
        """Does the work of a kept session as a request of its own: the load waits for it at its end, and begins no more."""
        if self.ending:
            work.close()
            return
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        await task

    def note(self, write: Write, outcome: Outcome, *, side: str = "", reason: str = "") -> None:
        """Write down how a write ended."""
        wall = self.stats.wall
        self.ledger.add(
            Entry(
                id=write.id,
                protocol=write.protocol,
                kind=write.kind,
                object=write.object,
                expected=write.expected,
                scheduled=round(wall(write.scheduled), 4),
                sent=round(wall(write.sent), 4),
                answered=round(time.time(), 4),
                outcome=outcome,
                side=side,
                reason=reason,
            )
        )
