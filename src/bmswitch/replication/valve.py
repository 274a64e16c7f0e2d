"""How much may be read now: a rate that the operator gave, and reasons to stand still (a pause, the source's health)."""

import threading
import time
from collections.abc import Callable

BURST = 1.0
"""Seconds of the rate that may be caught up at once after a quiet moment: a switch's barrier comes all at once."""


class Valve:
    """Asked by the mirror before each read; reasons are given and taken back by other threads.

    `rate` is records per second, 0 for no limit. Reasons stand side by side, and the one that was given first is told.
    """

    def __init__(self, rate: float = 0.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._held = 0.0
        self._since = 0.0
        self._tokens = 0.0
        self._filled = clock()

    def permit(self, most: int) -> int:
        """How many records may be read now; 0 means: wait a moment and ask again."""
        if self._reasons:
            return 0
        if not self.rate:
            return most
        now = self._clock()
        room = max(1.0, self.rate * BURST)
        self._tokens = min(room, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        return min(most, int(self._tokens))

    def took(self, records: int) -> None:
        """So many were read."""
        if self.rate:
            self._tokens -= records

    def hold(self, name: str, reason: str) -> None:
        """Nothing more is read until `lift(name)`."""
        with self._lock:
            if not self._reasons:
                self._since = self._clock()
            self._reasons[name] = reason

    def lift(self, name: str) -> None:
        """Takes a reason back; fine when it was not given."""
        with self._lock:
            if self._reasons.pop(name, None) is not None and not self._reasons:
                self._held += self._clock() - self._since

    def reason(self, name: str) -> str:
        """What was given under a name; empty when it was taken back."""
        return self._reasons.get(name, "")

    @property
    def held(self) -> str:
        """Why nothing is read now, `name: reason`; empty when something is."""
        with self._lock:
            return next((f"{name}: {reason}" for name, reason in self._reasons.items()), "")

    @property
    def held_seconds(self) -> float:
        """For how long nothing was read, altogether."""
        with self._lock:
            return self._held + (self._clock() - self._since if self._reasons else 0.0)
