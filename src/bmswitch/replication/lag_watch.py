"""Looks every 100 ms how far the mirror is behind, what time is left, and how long the log still keeps what is not copied.

Ends are asked for, and taken from what the broker tells the reader with its answers: of both the later ones.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from bmswitch.kafka.topics import Topics
from bmswitch.model.errors import BmswitchError
from bmswitch.model.lag import Lag, LagMeter, Left, Life, Speed
from bmswitch.replication.mirror import Progress

EVERY = 0.1
_LOWS_EVERY = 5.0
_SHARE = 20
"""A look that costs much processor time is repeated less often, a question that the broker takes long for, too."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One look, `at` a moment of the monotonic clock. `life` is in seconds, `inf` while the log loses nothing; `left` None while nothing can be predicted."""

    progress: Progress
    at: float = 0.0
    lag: Lag = Lag()
    left: Left | None = None
    life: float = math.inf


class Log(Protocol):
    """What is asked of the source's Kafka: `Topics`."""

    def ends(self, topics: Mapping[str, int], timeout: float = ...) -> dict[str, list[int]]:
        """End offsets."""

    def lows(self, topics: Mapping[str, int], timeout: float = ...) -> dict[str, list[int]]:
        """First offsets."""


class LagWatch:
    """A thread of its own between `start` and `stop`.

    Args:
        progress: the mirror's latest moment.
        log: the source's Kafka.
        held: True while nothing is read on purpose.
        retention: seconds after which the log deletes a record, `inf` when it does not.
    """

    def __init__(
        self,
        progress: Callable[[], Progress],
        log: Log | Topics,
        held: Callable[[], bool],
        *,
        retention: float = math.inf,
    ) -> None:
        self._progress, self._log, self._held, self._retention = progress, log, held, retention
        self._meter, self._speed, self._life = LagMeter(), Speed(), Life()
        self._ends: dict[str, list[int]] = {}
        self._ask_at = self._lows_at = 0.0
        self._gone = math.inf
        self._started = time.monotonic()
        self._stop = threading.Event()
        self.latest = Watched(progress=progress())
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, with one last look at the mirror's place."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.latest = self._look()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self._ask(began)
            worked = time.thread_time()
            self.latest = self._look()
            pause = _SHARE * (time.thread_time() - worked)
            self._stop.wait(max(pause, EVERY - (time.monotonic() - began), 0.0))

    def _ask(self, now: float) -> None:
        """A broker that does not answer is asked again later: what it told before still holds."""
        topics = {name: len(at) for name, at in self._progress().positions.items()}
        worked = time.thread_time()
        with contextlib.suppress(BmswitchError):
            if now >= self._ask_at:
                self._ends = self._log.ends(topics)
                self._ask_at = now + _SHARE * (time.thread_time() - worked)
            if now >= self._lows_at:
                self._gone = self._life.look(now, self._log.lows(topics), self._progress().positions)
                self._lows_at = now + max(_LOWS_EVERY, _SHARE * (time.thread_time() - worked))

    def _look(self) -> Watched:
        progress = self._progress()
        now = time.monotonic()
        ends = {
            name: list(map(max, known, self._ends.get(name, known)))
            for name, known in (self._ends | progress.ends).items()
        }
        records, seconds = self._meter.look(now, progress.positions, ends)
        if math.isinf(seconds):
            aged = time.time() - progress.last_ms / 1000 if progress.last_ms else 0.0
            seconds = max(aged, now - self._started)
        if self._held():
            self._speed.forget()
        self._speed.see(now, records)
        each = progress.bytes / progress.records if progress.records else 0.0
        return Watched(
            progress=msgspec.structs.replace(progress, ends=ends),
            at=now,
            lag=Lag(records=records, bytes=round(records * each), seconds=round(seconds, 3)),
            left=self._speed.left(records),
            life=min(self._gone, self._retention - seconds) if records else math.inf,
        )
