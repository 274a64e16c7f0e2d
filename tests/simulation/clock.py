"""Simulated time: events in a heap, one after the other; every source of chance has its own stream, all from one seed."""

import heapq
import itertools
import random
from collections.abc import Callable

START_MS = 1_700_000_000_000


class Stream:
    """Chance of one part. Parts do not share a stream: leaving out one fault must not change everything else."""

    def __init__(self, seed: int, name: str) -> None:
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311 -- a seed must repeat, not be secret
        self.choice = self._random.choice
        self.below = self._random.randrange

    def between(self, low: float, high: float) -> int:
        """A whole number."""
        return int(low + (high - low) * self._random.random())

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self._random.random() < probability


class Clock:
    """Time in milliseconds. `check` is called after each event: that is where the invariants are looked at."""

    def __init__(self, seed: int) -> None:
        self.now = START_MS
        self.seed = seed
        self.check: Callable[[], None] = _nothing
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def stream(self, name: str) -> Stream:
        """The chance of one part."""
        return Stream(self.seed, name)

    def after(self, delay_ms: float, event: Callable[[], None]) -> None:
        """Does `event` in `delay_ms`."""
        heapq.heappush(self._events, (self.now + max(0, int(delay_ms)), next(self._order), event))

    def run_until(self, end: int, enough: Callable[[], bool] | None = None) -> None:
        """Everything up to `end` in order, or until it is `enough`."""
        events = self._events
        while events and events[0][0] <= end:
            if enough is not None and enough():
                return
            at, _, event = heapq.heappop(events)
            self.now = max(self.now, at)
            event()
            self.check()
        if end > self.now and not (enough is not None and enough()):
            self.now = end

    def run_for(self, duration_ms: int) -> None:
        """Everything in the next `duration_ms`."""
        self.run_until(self.now + duration_ms)


def _nothing() -> None:
    """Nobody looks yet."""
