"""The mirror: read a batch, cure it, write it, and move our place only after the sink acknowledged.

Duplicates are harmless, as records are upserts in the order of their partition; loss is not. After a crash the batch
that was under way is written again, from its first record on.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, is_seppuku
from bmswitch.replication.api import Place, Sink, Source, WaitingError, Watch
from bmswitch.replication.chain import Chain
from bmswitch.replication.quarantine import Quarantine
from bmswitch.replication.reading import understand

BATCH = 1000
CHECKPOINT = 0.25
"""Seconds between commits."""
LOOK = 0.05
"""Seconds between looks at the ends."""
FLUSH = 1.0
"""Seconds after which the sink must acknowledge although more is there to read: each flush is a pause."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the mirror. `positions` are acknowledged by the sink; `last_ms` is the newest record's timestamp."""

    records: int = 0
    bytes: int = 0
    quarantined: int = 0
    positions: dict[str, list[int]] = {}
    ends: dict[str, list[int]] = {}
    last_ms: int = 0
    farewell: bool = False
    finished: bool = False

    @property
    def lag(self) -> int:
        """Offsets of the source that the sink has not acknowledged."""
        return sum(
            max(0, end - at)
            for topic, ends in self.ends.items()
            for at, end in zip(self.positions.get(topic, ()), ends, strict=False)
        )


class Mirror:
    """One pass of `step` at a time, in one thread; `progress` may be read by others.

    `start` is the first offset to read of each partition. `may_write` is asked before each batch once the leader's
    farewell (Seppuku) has been seen, with `ask_always` before each: False ends the mirror for good, before anything more is written. So green's log never
    gets a record of blue after green was promoted.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        chain: Chain,
        quarantine: Quarantine,
        start: dict[str, list[int]],
        *,
        may_write: Callable[[], bool] = lambda: True,
        ask_always: bool = False,
        checkpoint: float = CHECKPOINT,
        batch: int = BATCH,
    ) -> None:
        self._source, self._sink, self._chain, self._quarantine = source, sink, chain, quarantine
        self._may_write = may_write
        self._ask_always, self._checkpoint = ask_always, checkpoint
        self._batch = batch
        self._positions = {topic: list(offsets) for topic, offsets in start.items()}
        self._pending: dict[Place, int] = {}
        self._uncommitted: dict[Place, int] = {}
        self._records = self._read = self._bytes = self._last_ms = 0
        self._farewell = self._finished = False
        self._flushed = self._committed = time.monotonic()
        self._looked = 0.0
        self._ends = source.ends()
        self._watch: Watch | None = None
        self._wanted: Callable[[dict[str, list[int]]], Watch] | None = None

    def watch(self, make: Callable[[dict[str, list[int]]], Watch]) -> None:
        """Has a watch made once all that was read is acknowledged, from these positions on; then it sees every record."""
        self._wanted = make

    @property
    def progress(self) -> Progress:
        """The moment: positions of now, ends as they were seen a twentieth of a second ago."""
        return Progress(
            records=self._records,
            bytes=self._bytes,
            quarantined=self._quarantine.count,
            positions={topic: list(offsets) for topic, offsets in list(self._positions.items())},
            ends=self._ends,
            last_ms=self._last_ms,
            farewell=self._farewell,
            finished=self._finished,
        )

    @property
    def progress_flags(self) -> Progress:
        """The same without positions and ends, which are many."""
        return Progress(
            records=self._records,
            bytes=self._bytes,
            last_ms=self._last_ms,
            farewell=self._farewell,
            finished=self._finished,
        )

    @property
    def read(self) -> int:
        """Records that were read so far, also those that the source folded away."""
        return self._read

    def step(self, timeout: float, most: int | None = None) -> bool:
        """Moves one batch on, of at most `most` records; False when the mirror has ended for good. Raises what stops the run."""
        if self._finished:
            return False
        if self._wanted is not None and not self._pending:
            self._watch = self._wanted({topic: list(offsets) for topic, offsets in self._positions.items()})
            self._wanted = None
        batch = self._source.read(self._batch if most is None else min(most, self._batch), timeout)
        self._read += len(batch.records) if batch.read is None else batch.read
        if batch.records and (self._farewell or self._ask_always) and not self._may_write():
            self._finished = True
            self.checkpoint()
            return False
        if batch.records:
            self._sink.send(self._cured(batch.records))
        self._pending.update(batch.ends)
        now = time.monotonic()
        drained = len(batch.records) < self._batch
        if self._pending and (drained or now - self._flushed >= FLUSH):
            self._flush(now)
        if now - self._committed >= self._checkpoint:
            self._commit(now, wait=False)
        self._look(now)
        return True

    def idle(self, timeout: float) -> None:
        """Reads nothing for a moment; what was read before is acknowledged and committed."""
        self._source.wait(timeout)
        now = time.monotonic()
        if self._pending:
            self._flush(now)
        if now - self._committed >= self._checkpoint:
            self._commit(now, wait=False)
        self._look(now)

    def add(self, start: dict[str, list[int]]) -> None:
        """Takes further topics into the account; the source reads them already."""
        self._positions |= {topic: list(offsets) for topic, offsets in start.items()}

    def settle(self) -> None:
        """Everything sent is acknowledged; nothing is committed by it."""
        self._flush(time.monotonic())

    @property
    def settled(self) -> bool:
        """Everything that was sent is acknowledged."""
        return not self._pending

    def position(self, place: Place) -> int:
        """The next offset of a partition that is not acknowledged."""
        return self._positions[place[0]][place[1]]

    def place(self, positions: Mapping[Place, int]) -> None:
        """These partitions are read from here on now."""
        self.leave(list(positions))
        for (topic, partition), offset in positions.items():
            self._positions[topic][partition] = offset

    def leave(self, places: Sequence[Place]) -> None:
        """What is under way of these partitions is not ours any more."""
        for place in places:
            self._pending.pop(place, None)
            self._uncommitted.pop(place, None)

    def checkpoint(self) -> None:
        """Everything sent is acknowledged, everything acknowledged is committed."""
        now = time.monotonic()
        self._flush(now)
        self._commit(now, wait=True)
        self._ends = self._source.ends()

    def close(self) -> None:
        """Frees source, sink and quarantine; what was not checkpointed will be written again."""
        if self._watch is not None:
            self._watch.close()
        self._sink.close()
        self._quarantine.close()
        self._source.close()

    def _cured(self, records: Sequence[LogRecord]) -> list[LogRecord]:
        """What goes to the sink for a batch, in its order; what is not understood is parked."""
        out: list[LogRecord] = []
        chain, keep, pending = self._chain, out.append, self._pending
        see = self._watch.see if self._watch is not None else None
        size = 0
        for record in records:
            if see is not None:
                see(record)
            pending[record.topic, record.partition] = record.offset + 1
            size += len(record.key) + len(record.value or b"")
            try:
                key = understand(record)
                cured = chain(record, key)
            except RecordError as error:
                out += self._mended(record, error)
                continue
            if cured is None:
                keep(record)
            else:
                out += cured
            if key.type == "dir" and is_seppuku(key):
                self._farewell = True
        self._records += len(records)
        self._bytes += size
        self._last_ms = max(self._last_ms, records[-1].timestamp_ms)
        return out

    def _mended(self, record: LogRecord, error: RecordError) -> list[LogRecord]:
        """What goes on instead of a record that is not understood; nothing when it is parked."""
        try:
            found = None if isinstance(error, WaitingError) else self._chain.mended(record)
        except RecordError as another:
            found, error = None, another
        if found is not None:
            return found
        parent = error.parent if isinstance(error, WaitingError) else ""
        self._quarantine.park(record, f"{error.cause}: {error.evidence}", parent)
        return []

    def _flush(self, now: float) -> None:
        self._sink.flush()
        for one in self._chain.settled():
            self._quarantine.settle(one.record, one.said)
        self._quarantine.sync()
        for (topic, partition), offset in self._pending.items():
            offsets = self._positions[topic]
            offsets[partition] = max(offsets[partition], offset)
        if self._watch is not None:
            self._watch.flush(self._pending)
        self._uncommitted.update(self._pending)
        self._pending = {}
        self._flushed = now

    def _commit(self, now: float, *, wait: bool) -> None:
        """Commits what the sink acknowledged, never more."""
        if self._uncommitted:
            acknowledged = {(t, p): self._positions[t][p] for t, p in self._uncommitted}
            self._source.commit(acknowledged, wait=wait)
            self._uncommitted = {}
        self._committed = now

    def _look(self, now: float) -> None:
        """Only this thread may ask the source: from another one each question would wait for a read."""
        if now - self._looked >= LOOK:
            self._ends = self._source.ends()
            self._looked = now
