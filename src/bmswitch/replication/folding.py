"""The first pass, folded: a source that leaves out what a later record of the pass makes needless (`model/fold`).

The snapshot ends, in each partition, at the end offset that it had when the pass began; that is kept in the run folder. Up to
there a group of partitions at a time is read into a `Window` and only then handed on; from there on everything passes as it is.

Why a crash at any moment loses nothing: a record is left out only when a later one of the same item and window is handed on
or was. Positions move with the records that are handed on, in their order, so what made a record needless is behind the
position only when it is on the target. A run that goes on from any position folds the rest by itself; what an earlier one had
on disk is gone with it. Deletions are left out in a run that found the target empty only, and there only in the first window
of a partition.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Batch, Place, Source
from bmswitch.replication.fold_window import KEYS, Window

GROUP = 400_000
"""Offsets of the partitions that are read together; a longer partition is read alone."""
SPILL = 8 << 30
"""Bytes of records on disk at which a window ends although its partition goes on: both are folded each for itself."""


class Held(Source, Protocol):
    """A source that reads what it is told to. `start`: the first offset to read of each partition of its topics."""

    start: dict[str, list[int]]

    def add(self, topics: Mapping[str, int]) -> None:
        """Starts to read further topics."""

    def only(self, positions: Mapping[Place, int]) -> None:
        """Reads exactly these partitions from now on, from these offsets."""


class Folded(msgspec.Struct, frozen=True):
    """Records of the snapshot that were read and handed on; the others were folded away. `done`: it was read to its end."""

    read: int = 0
    kept: int = 0
    done: bool = False


class FoldingSource:
    """`inner` up to `ends` folded, then as it is. `folder` is for temporary files; `fresh`: the target holds nothing yet."""

    def __init__(
        self,
        inner: Held,
        start: Mapping[str, list[int]],
        ends: Mapping[str, list[int]],
        folder: Path,
        *,
        fresh: bool,
        keys: int = KEYS,
        group: int = GROUP,
        spill: int = SPILL,
        tell: Callable[[Folded], None] = lambda _: None,
    ) -> None:
        self._inner, self._folder, self._fresh, self._keys, self._spill = inner, folder, fresh, keys, spill
        self._tell = tell
        self._at = {(name, p): at for name, offsets in start.items() for p, at in enumerate(offsets)}
        self._ends = {(name, p): end for name, offsets in ends.items() for p, end in enumerate(offsets)}
        self._groups = _groups(self._at, self._ends, group)
        self._group: list[Place] = []
        self._window: Window | None = None
        self._out: Iterator[list[LogRecord]] | None = None
        self._waiting: list[LogRecord] = []
        self._untouched = True
        self.folded = Folded()
        self._next_group()

    def read(self, limit: int, timeout: float) -> Batch:
        """See `Source`; an empty batch while a window fills."""
        if self._out is not None:
            return self._hand_on(self._out, limit)
        if not self._group:
            return self._inner.read(limit, timeout)
        return Batch([], {}, self._fill(self._window or self._open(), limit, timeout))

    def wait(self, timeout: float) -> None:
        """See `Source`."""
        self._inner.wait(timeout)

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:
        """See `Source`."""
        self._inner.commit(positions, wait=wait)

    def ends(self) -> dict[str, list[int]]:
        """See `Source`."""
        return self._inner.ends()

    def add(self, topics: Mapping[str, int]) -> None:
        """Further topics: not of the snapshot, read once it is over."""
        self._inner.add(topics)
        self._at |= {(name, p): at for name in topics for p, at in enumerate(self.start[name])}

    @property
    def start(self) -> dict[str, list[int]]:
        """The first offset to read of each partition."""
        return self._inner.start

    def close(self) -> None:
        """See `Source`."""
        if self._window is not None:
            self._window.close()
        self._inner.close()

    def _next_group(self) -> None:
        self._group = self._groups.pop(0) if self._groups else []
        self._untouched = True
        if self._group:
            self._inner.only({place: self._at[place] for place in self._group})
            return
        self._inner.only(self._at)
        self.folded = msgspec.structs.replace(self.folded, done=True)
        self._tell(self.folded)

    def _open(self) -> Window:
        self._window = Window(self._folder, fresh=self._fresh and self._untouched, keys=self._keys)
        return self._window

    def _fill(self, window: Window, limit: int, timeout: float) -> int:
        """Takes one batch into the window; how many records were read."""
        batch = self._inner.read(limit, timeout)
        records = self._inside(batch.records)
        if records:
            window.add(records)
            read = self.folded.read + len(records)
            self.folded = msgspec.structs.replace(self.folded, read=read)
        for place, end in batch.ends.items():
            if place in self._group:
                self._at[place] = max(self._at[place], min(end, self._ends[place]))
        if window.bytes >= self._spill or all(self._at[p] >= self._ends[p] for p in self._group):
            self._out = window.needed()
        return len(batch.records)

    def _inside(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """Those of the snapshot; our place moves behind them."""
        beyond = 0
        for place, last in _lasts(records).items():
            end = self._ends.get(place, 0)
            beyond += last >= end
            self._at[place] = max(self._at[place], min(last + 1, end))
        if not beyond:
            return records
        return [r for r in records if r.offset < self._ends.get((r.topic, r.partition), 0)]

    def _hand_on(self, out: Iterator[list[LogRecord]], limit: int) -> Batch:
        """The next records of a full window; at its end its places too."""
        while len(self._waiting) < limit:
            frame = next(out, None)
            if frame is None:
                return self._end_window()
            self._waiting += frame
        ready, self._waiting = self._waiting[:limit], self._waiting[limit:]
        return Batch(ready, {}, 0)

    def _end_window(self) -> Batch:
        """What is left of a window, and where it ended."""
        ready, self._waiting, self._out = self._waiting, [], None
        kept = self.folded.kept
        if self._window is not None:
            kept += self._window.kept
            self._window.close()
            self._window = None
        self.folded = msgspec.structs.replace(self.folded, kept=kept)
        ends = {place: self._at[place] for place in self._group}
        self._group = [place for place in self._group if self._at[place] < self._ends[place]]
        if self._group:
            self._untouched = False
        else:
            self._next_group()
        return Batch(ready, ends, 0)


def _lasts(records: Sequence[LogRecord]) -> dict[Place, int]:
    """The last offset of each partition."""
    found: dict[Place, int] = {}
    before: LogRecord | None = None
    for record in records:
        if before is not None and (record.partition != before.partition or record.topic != before.topic):
            found[before.topic, before.partition] = before.offset
        before = record
    if before is not None:
        found[before.topic, before.partition] = before.offset
    return found


def _groups(at: Mapping[Place, int], ends: Mapping[Place, int], size: int) -> list[list[Place]]:
    """Partitions that have something to fold, in groups of about `size` offsets."""
    groups: list[list[Place]] = []
    room = 0
    for place, end in ends.items():
        length = end - at.get(place, end)
        if length <= 0:
            continue
        if length > room or not groups:
            groups.append([])
            room = size
        groups[-1].append(place)
        room -= length
    return groups
