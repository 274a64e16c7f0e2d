"""How far the copy is behind, for how long it will be, and how long the log still lives. Pure: fed with positions, ends and times.

Seconds are the age of the oldest record that is not acknowledged: the moment at which the log's end was seen to pass it. With a look
every 100 ms that moment is known to 50 ms, whatever the clocks of the producers say. For what was there before the first look
only the records' own timestamps tell.
"""

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

Place = tuple[str, int]
MARKS = 512
"""Moments kept of each partition; beyond, neighbours are merged and the older moment of the two holds."""
SLICE = 2.0
SLICES = 30
FEWEST = 4
"""Slices of speed that a prediction is made from: seconds of each, how many at most, how many at least."""
CERTAIN = 2.0
"""Standard errors on each side of a predicted speed: about 95 % of the time the truth lies between."""


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """What is not acknowledged yet. `records` counts offsets, of which a compacted log has fewer; `bytes` is estimated from them."""

    records: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds until the end is reached, between `low` and `high`; `high` None: it may never be at this speed."""

    seconds: float
    low: float
    high: float | None


class LagMeter:
    """Fed by `look`; times are seconds of any clock that only grows."""

    def __init__(self) -> None:
        self._marks: dict[Place, deque[tuple[int, float]]] = {}
        self._looked = -math.inf

    def look(
        self, now: float, positions: Mapping[str, Sequence[int]], ends: Mapping[str, Sequence[int]]
    ) -> tuple[int, float]:
        """Offsets and seconds behind; `inf` seconds when the oldest was there before the first look."""
        written = (self._looked + now) / 2
        self._looked = now
        behind, oldest = 0, now
        for topic, there in ends.items():
            for partition, (at, end) in enumerate(zip(positions.get(topic, ()), there, strict=False)):
                if end <= at and (topic, partition) not in self._marks:
                    continue
                mark = self._mark((topic, partition), at, end, written)
                if mark is not None:
                    behind, oldest = behind + end - at, min(oldest, mark)
        return behind, now - oldest

    def _mark(self, place: Place, at: int, end: int, written: float) -> float | None:
        """When the log's end passed our position; None when it did not."""
        marks = self._marks.setdefault(place, deque())
        if not marks or end > marks[-1][0]:
            marks.append((end, written))
        while marks and marks[0][0] <= at:
            marks.popleft()
        if not marks:
            del self._marks[place]
            return None
        if len(marks) > MARKS:
            self._marks[place] = _merged(marks)
        return marks[0][1]


def _merged(marks: deque[tuple[int, float]]) -> deque[tuple[int, float]]:
    """Half as many; the newest stays as it is."""
    old = list(marks)
    pairs = zip(old[:-1:2], old[1:-1:2], strict=False)
    return deque([*((later[0], earlier[1]) for earlier, later in pairs), old[-1]])


class Speed:
    """The speed at which the distance to the end shrinks, in slices of time, and what it predicts."""

    def __init__(self) -> None:
        self._slices: deque[float] = deque(maxlen=SLICES)
        self._from: tuple[float, int] | None = None

    def see(self, now: float, behind: int) -> None:
        """One look at the distance."""
        if self._from is None:
            self._from = (now, behind)
            return
        then, before = self._from
        if now - then >= SLICE:
            self._slices.append((before - behind) / (now - then))
            self._from = (now, behind)

    def forget(self) -> None:
        """What was seen so far says nothing about what comes: the copy was held back."""
        self._slices.clear()
        self._from = None

    def left(self, behind: int) -> Left | None:
        """The prediction; None while too little was seen, `inf` seconds while the end is not coming nearer."""
        if not behind:
            return Left(seconds=0.0, low=0.0, high=0.0)
        if len(self._slices) < FEWEST:
            return None
        mean = statistics.fmean(self._slices)
        error = CERTAIN * statistics.stdev(self._slices) / math.sqrt(len(self._slices))
        if mean <= 0:
            return Left(
                seconds=math.inf, low=behind / (mean + error) if mean + error > 0 else math.inf, high=None
            )
        high = behind / (mean - error) if mean > error else None
        return Left(seconds=behind / mean, low=behind / (mean + error), high=high)


class Life:
    """How long the oldest record that is not copied will still be there, from how fast the log loses its beginning."""

    def __init__(self, *, window: float = 600.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, Mapping[str, Sequence[int]]]] = deque()

    def look(
        self, now: float, lows: Mapping[str, Sequence[int]], positions: Mapping[str, Sequence[int]]
    ) -> float:
        """Seconds; `inf` while no beginning moves."""
        self._seen.append((now, lows))
        while now - self._seen[0][0] > self._window:
            self._seen.popleft()
        then, before = self._seen[0]
        passed = now - then
        lives = (
            (at - low) / (low - old) * passed
            for topic, first in lows.items()
            for at, low, old in zip(positions.get(topic, ()), first, before.get(topic, first), strict=False)
            if low > old
        )
        return max(0.0, min(lives, default=math.inf))


def too_late(life: float, left: Left | None) -> bool:
    """The log's remaining life is shorter than twice the predicted catch-up (seconds)."""
    return left is not None and life < 2 * left.seconds
