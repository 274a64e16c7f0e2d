"""Reads of a side that serves give way to its own clients: as many at a time as it answers without letting them wait, none while held."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from bmswitch.bluemind.limit import Limit

_HELD = 0.05


class Gate(Protocol):
    """A rate and reasons to stand still (`replication.valve.Valve`)."""

    def permit(self, most: int) -> int:
        """How many may be read now."""

    def took(self, records: int) -> None:
        """So many were read."""


class Pace:
    """Around each read; use on one event loop. `most` reads at a time at most."""

    def __init__(
        self, most: int, gate: Gate | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._gate, self._clock = Limit(most), gate, clock
        self._busy = 0
        self._free = asyncio.Condition()

    @property
    def limit(self) -> int:
        """Reads at a time, now."""
        return int(self._limit.now)

    async def enter(self) -> float:
        """Waits until one more may be asked; when that was."""
        while self._gate is not None and not self._gate.permit(1):  # noqa: ASYNC110 -- other threads lift it
            await asyncio.sleep(_HELD)
        if self._gate is not None:
            self._gate.took(1)
        async with self._free:
            while self._busy >= self.limit:
                await self._free.wait()
            self._busy += 1
        return self._clock()

    async def leave(self, began: float, kind: str) -> None:
        """One read of this kind has ended."""
        self._limit.answered(kind, self._clock() - began)
        async with self._free:
            self._busy -= 1
            self._free.notify(max(1, self.limit - self._busy))


class Turn:
    """One read's place in a pace; None has no limit. `kind` names reads that take about as long as each other."""

    def __init__(self, pace: Pace | None, kind: str) -> None:
        self._pace, self._kind, self._began = pace, kind, 0.0

    async def __aenter__(self) -> None:
        if self._pace is not None:
            self._began = await self._pace.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pace is not None:
            await self._pace.leave(self._began, self._kind)
