"""Simulated time: events in a heap, one after the other, from a seed."""

import heapq
import itertools
import random
from collections.abc import Callable

START_MS = 1_700_000_000_000


class Clock:
    """Time in milliseconds. `check` is called after each event: that is where the invariants are looked at."""

    def __init__(self, seed: int) -> None:
        self.now = START_MS
        self.random = random.Random(seed)  # noqa: S311 -- a seed must repeat, not be secret
        self.check: Callable[[], None] = lambda: None
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, delay_ms: float, event: Callable[[], None]) -> None:
        """Does `event` in `delay_ms`."""
        heapq.heappush(self._events, (self.now + max(0, int(delay_ms)), next(self._order), event))

    def run_until(self, end: int) -> None:
        """Everything up to `end`, in order."""
        while self._events and self._events[0][0] <= end:
            at, _, event = heapq.heappop(self._events)
            self.now = max(self.now, at)
            event()
            self.check()
        self.now = max(self.now, end)

    def between(self, low: float, high: float) -> int:
        """A random whole number of milliseconds."""
        return int(self.random.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability
