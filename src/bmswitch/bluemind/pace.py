"""How many reads a side that serves is asked at a time: as many as it answers without getting slower, and none while it is held.

Additive increase, multiplicative decrease by what its answers take: more at a time while they take about as long as in quiet
moments, a third fewer when they take longer. So the proof gives way to the side's own clients before they feel it.
"""

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

START = 8
SLOWER = 2.5
"""Times the quiet moment's time that an answer may take."""
GRACE = 0.005
"""Seconds that do not count: below them a difference says nothing."""
_QUIET = 50
"""Windows that the quietest moment is looked for in: the size of what is read changes on the way."""
_HELD = 0.05


class Gate(Protocol):
    """A rate and reasons to stand still (`replication.valve.Valve`)."""

    def permit(self, most: int) -> int:
        """How many may be read now."""

    def took(self, records: int) -> None:
        """So many were read."""


class Pace:
    """An async context manager around each read; use on one event loop. `most` reads at a time at most."""

    def __init__(
        self, most: int, gate: Gate | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = float(min(START, most))
        self._most, self._gate, self._clock = most, gate, clock
        self._busy = 0
        self._free = asyncio.Condition()
        self._window: list[float] = []
        self._quiet: deque[float] = deque(maxlen=_QUIET)

    async def enter(self) -> float:
        """Waits until one more may be asked; when that was."""
        while self._gate is not None and not self._gate.permit(1):  # noqa: ASYNC110 -- other threads lift it
            await asyncio.sleep(_HELD)
        if self._gate is not None:
            self._gate.took(1)
        async with self._free:
            while self._busy >= int(self.limit):
                await self._free.wait()
            self._busy += 1
        return self._clock()

    async def leave(self, began: float) -> None:
        """One read has ended."""
        self._window.append(self._clock() - began)
        if len(self._window) >= max(START, int(self.limit)):
            self._adjust()
        async with self._free:
            self._busy -= 1
            self._free.notify(max(1, int(self.limit) - self._busy))

    def _adjust(self) -> None:
        took, self._window = statistics.median(self._window), []
        self._quiet.append(took)
        if took > SLOWER * min(self._quiet) + GRACE:
            self.limit = max(1.0, self.limit * 2 / 3)
        else:
            self.limit = min(float(self._most), self.limit + 1)


class Turn:
    """One read's place in a pace; None has no limit."""

    def __init__(self, pace: Pace | None) -> None:
        self._pace, self._began = pace, 0.0

    async def __aenter__(self) -> None:
        if self._pace is not None:
            self._began = await self._pace.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pace is not None:
            await self._pace.leave(self._began)
