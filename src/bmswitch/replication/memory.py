"""In-memory twins of source and sink: the whole pipeline in a test, with crashes at any step."""

from collections.abc import Mapping, Sequence

from bmswitch.model.errors import UnreachableError
from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Batch, Place


class MemorySource:
    """A log in memory; `committed` survives a crash when it is handed to the next source."""

    def __init__(self, log: Mapping[Place, Sequence[LogRecord]], committed: dict[Place, int]) -> None:
        self._log = log
        self.committed = committed
        self._next = {place: committed.get(place, 0) for place in log}
        self.start: dict[str, list[int]] = {}
        for (topic, partition), at in sorted(self._next.items()):
            self.start.setdefault(topic, [0] * partition).append(at)

    def read(self, limit: int, timeout: float) -> Batch:  # noqa: ARG002 - the protocol's signature
        """Takes from the partitions in their order until `limit`; never waits."""
        taken: list[LogRecord] = []
        ends: dict[Place, int] = {}
        for place, records in self._log.items():
            if place not in self._next:
                continue
            part = [r for r in records if r.offset >= self._next[place]][: limit - len(taken)]
            taken += part
            if part:
                self._next[place] = part[-1].offset + 1
            end = records[-1].offset + 1 if records else 0
            if self._next[place] >= end:
                ends[place] = end
        return Batch(taken, ends)

    def wait(self, timeout: float) -> None:
        """Never waits."""

    def only(self, positions: Mapping[Place, int]) -> None:
        """See `Held`."""
        self._next = dict(positions)

    def add(self, topics: Mapping[str, int]) -> None:
        """See `Held`."""
        self._next |= {(name, p): 0 for name, count in topics.items() for p in range(count)}

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:  # noqa: ARG002 - the protocol's signature
        """See `Source`."""
        self.committed.update(positions)

    def ends(self) -> dict[str, list[int]]:
        """End offsets of the log, by topic."""
        found: dict[str, list[int]] = {}
        for (topic, partition), records in sorted(self._log.items()):
            ends = found.setdefault(topic, [])
            ends += [0] * (partition + 1 - len(ends))
            ends[partition] = records[-1].offset + 1 if records else 0
        return found

    def close(self) -> None:
        """See `Source`."""


class MemorySink:
    """What was acknowledged is in `written`; what was only sent can be lost by a crash.

    `crash_after` sends that many records more and fails then, with `reached` of the queued ones written all the same:
    a broker may well have taken what it never acknowledged.
    """

    def __init__(self, written: list[LogRecord], *, crash_after: int | None = None, reached: int = 0) -> None:
        self.written = written
        self._queue: list[LogRecord] = []
        self._left = crash_after
        self._reached = reached

    def send(self, records: Sequence[LogRecord]) -> None:
        """See `Sink`. Raises UnreachableError at the planned crash."""
        for record in records:
            if self._left == 0:
                self.written += self._queue[: self._reached]
                raise UnreachableError("the planned crash")
            self._queue.append(record)
            if self._left is not None:
                self._left -= 1

    def flush(self) -> None:
        """See `Sink`."""
        self.written += self._queue
        self._queue = []

    def close(self) -> None:
        """See `Sink`."""
        self._queue = []
