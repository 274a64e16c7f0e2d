"""Follows the source's log in a thread and keeps which places and items its records touch."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from bmswitch.kafka.consumer import Batch, LogConsumer
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, RefusedError, UnknownError
from bmswitch.model.proof import Position
from bmswitch.parity.suspects import Moved, nothing_moved
from bmswitch.parity.touched import Touched

_READ = 5000
_POLL = 0.05
_MAX_PLACES = 500_000


class Log(Protocol):
    """A reader of the source's log, as far as this needs it."""

    def read(self, limit: int, timeout: float) -> Batch:
        """What is there, or what comes within `timeout` seconds."""

    def close(self) -> None:
        """Leaves."""


def open_log(config: Config, group: str, start: Position) -> Log:
    """The source's log from a position; nothing is ever committed to the group."""
    consumer = LogConsumer(config.source.kafka, group, partitions=sum(map(len, start.values())))
    consumer.assign(start)
    return consumer


class Tail:
    """Reads the source's log in a thread and keeps what it touched. Bounded: too much touched is an error, never forgotten."""

    def __init__(self, log: Log, start: Mapping[str, list[int]]) -> None:
        self._log = log
        self._touched = Touched()
        self._next = {
            (name, p): offset for name, offsets in start.items() for p, offset in enumerate(offsets)
        }
        self._changed = threading.Condition()
        self._error: BmswitchError | None = None
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="the source-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops the thread."""
        with self._changed:
            self._stop = True
        self._thread.join(5)
        self._log.close()

    def touched_until(self, ends: Position, timeout: float) -> Touched:
        """What was touched since the last call, up to `ends` at least; UnknownError when that is not read in `timeout` seconds."""
        self.wait(ends, time.monotonic() + timeout)
        return self.take()

    def take(self) -> Touched:
        """What was touched since the last call."""
        with self._changed:
            taken, self._touched = self._touched, Touched()
        return taken

    def wait(self, ends: Position, deadline: float) -> None:
        """Returns when every record below `ends` was seen; UnknownError at the (monotonic) deadline."""
        with self._changed:
            while behind := self._behind(ends):
                left = deadline - time.monotonic()
                if self._error is not None:
                    raise self._error
                if left <= 0:
                    raise UnknownError(
                        "the source's log could not be read to its end in time",
                        evidence=f"{behind} records were left",
                    )
                self._changed.wait(left)

    def _behind(self, ends: Position) -> int:
        return sum(
            max(0, end - self._next.get((name, p), 0))
            for name, offsets in ends.items()
            for p, end in enumerate(offsets)
        )

    def _run(self) -> None:
        while not self._stop:
            try:
                batch = self._log.read(_READ, _POLL)
            except BmswitchError as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        with self._changed:
            for record in batch.records:
                self._touched.add(record)
                at = (record.topic, record.partition)
                self._next[at] = max(self._next.get(at, 0), record.offset + 1)
            for at, end in batch.ends.items():
                self._next[at] = max(self._next.get(at, 0), end)
            if len(self._touched) > _MAX_PLACES:
                self._error = RefusedError(
                    "too much has changed since the last proof to prove it at the switch",
                    evidence=f"{len(self._touched)} containers",
                    next_command="bmswitch verify",
                )
            self._changed.notify_all()


@asynccontextmanager
async def watching(
    position: Callable[[], Position], log: Callable[[Position], Log] | None, within: float
) -> AsyncIterator[Moved]:
    """What the source's log touches from here on, for a settling; `log` None: its values alone tell whether it moves.

    Each look must reach the log's end within `within` seconds.
    """
    if log is None:
        yield nothing_moved
        return
    start = await asyncio.to_thread(position)
    tail = Tail(await asyncio.to_thread(log, start), start)

    def touched() -> Touched:
        return tail.touched_until(position(), within)

    try:
        yield lambda: asyncio.to_thread(touched)
    finally:
        await asyncio.to_thread(tail.close)
