"""How many reads a side may be asked at a time, found out from what its answers take. Pure.

As congestion is avoided by delay in networks (TCP Vegas; RFC 6297 1.2): of so many reads under way, those that wait for others show as time beyond
what an answer takes in a quiet moment. One more while hardly any wait, fewer when several do: then a side works, and next to
nobody stands in a queue before its own clients.
"""

import statistics
from collections import deque
from typing import Final

START: Final = 2
"""Few, so that the first answers tell what one takes that waits for nobody."""
WINDOW: Final = 8
"""Answers, at least, between two judgements."""
FEW: Final = 1.0
MANY: Final = 2.0
"""Reads that may wait for others at a time: below `FEW` one more is asked, above `MANY` fewer."""
GRACE: Final = 0.001
"""Seconds that are added on both sides of a comparison: below them a difference says nothing."""
PROBE: Final = 40
"""Judgements between two windows with half as many reads, which tell again what an answer takes that does not wait."""
KEPT: Final = 100
"""Judgements for which the quickest is remembered, for each kind of read: what is read changes on the way."""


class Limit:
    """`now` is the limit, 1 to `most`; tell it every answer with `answered`."""

    def __init__(self, most: int) -> None:
        self.now = float(min(START, most))
        self._most = float(most)
        self._window: list[tuple[str, float]] = []
        self._quiet: dict[str, deque[float]] = {}
        self._judged = 0
        self._before: float | None = None

    def answered(self, kind: str, seconds: float) -> None:
        """One answer came after `seconds`; answers of one `kind` take about as long when nobody waits."""
        self._window.append((kind, seconds))
        if len(self._window) >= max(WINDOW, int(self.now)):
            self._judge()

    def _judge(self) -> None:
        waiting = self.now * (1 - 1 / self._slower())
        self._judged += 1
        if self._before is not None:
            self.now, self._before = self._before, None
        elif self._judged % PROBE == 0:
            self.now, self._before = max(1.0, self.now / 2), self.now
        elif waiting < FEW:
            self.now = min(self._most, self.now + 1)
        elif waiting > 2 * MANY:
            self.now = max(1.0, self.now * 2 / 3)
        elif waiting > MANY:
            self.now = max(1.0, self.now - 1)

    def _slower(self) -> float:
        """Times the quiet moment's time that the answers of the window took, at least 1; it begins anew."""
        window, self._window = self._window, []
        took: dict[str, list[float]] = {}
        for kind, seconds in window:
            took.setdefault(kind, []).append(seconds)
        for kind, times in took.items():
            self._quiet.setdefault(kind, deque(maxlen=KEPT)).append(statistics.median(times))
        quiet = {kind: min(self._quiet[kind]) for kind in took}
        return max(1.0, statistics.median((s + GRACE) / (quiet[kind] + GRACE) for kind, s in window))
