"""Blue's log shared with other workers by a consumer group: what is ours, from where, and how it is handed over.

Why no old record ends up behind a newer one of the same key is argued in docs/decisions/0008.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import starmap

from bmswitch.kafka.group import GroupReader, Mark
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import BusyError, RefusedError
from bmswitch.model.holding import read, takeover, written
from bmswitch.replication.api import Batch, Place
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.sole_writer import SoleWriter
from bmswitch.replication.source import refuse_holes

REPAIRS = 5
"""Times that one partition is written again for a foreign record, before somebody else is at work and not a worker that woke."""
_HAND_OVER_WITHIN = 5.0


class SharedSource:
    """See `Source`. `names` are blue's topics with green's name of each, `counts` the partitions of blue's."""

    def __init__(
        self,
        kafka: Kafka,
        group: str,
        worker: str,
        *,
        names: Mapping[str, str],
        counts: Mapping[str, int],
        writer: SoleWriter,
    ) -> None:
        self._topics, self._writer = Topics(kafka), writer
        self._names, self._counts = dict(names), dict(counts)
        self._since: dict[Place, int | None] = {}
        self._unkept: dict[Place, int] = {}
        self._unopened: dict[Place, int] = {}
        self._repaired: dict[Place, int] = {}
        self._ends: dict[str, list[int]] = {}
        self._mirror: Mirror | None = None
        self._reader = GroupReader(kafka, group, worker, self)
        self._polled = time.monotonic()
        self.takeovers = self.repairs = 0

    def serve(self, mirror: Mirror) -> None:
        """Begins to take part; `mirror` is told of what comes and goes."""
        self._mirror = mirror
        self._reader.subscribe(list(self._names))

    def add(self, names: Mapping[str, str], counts: Mapping[str, int]) -> None:
        """Takes part in further topics."""
        self._names |= names
        self._counts |= counts
        self._writer.counts |= {names[topic]: count for topic, count in counts.items()}
        self._served.add({topic: [0] * count for topic, count in counts.items()})
        self._reader.subscribe(list(self._names))

    @property
    def owned(self) -> frozenset[Place]:
        """The partitions that are ours now."""
        return self._reader.owned

    @property
    def share(self) -> float:
        """Our part of all partitions."""
        return len(self._reader.owned) / max(1, sum(self._counts.values()))

    def read(self, limit: int, timeout: float) -> Batch:
        """See `Source`."""
        batch = self._reader.read(limit, timeout)
        self._polled = time.monotonic()
        if batch.records and self._unopened:
            self._open()
        return Batch(batch.records, batch.ends)

    def _open(self) -> None:
        """Before the first record of a partition is written, its note says that we are at work: else we could not be told from nobody."""
        noted = {place: (at, written(self._since.get(place), None)) for place, at in self._unopened.items()}
        if not self._reader.commit_until(noted, _HAND_OVER_WITHIN):
            raise BusyError(
                "Kafka does not take this worker's places",
                evidence=f"{len(noted)} partitions, for {_HAND_OVER_WITHIN:g} s",
                consequence="nothing of them was written",
            )
        self._unopened = {}

    def wait(self, timeout: float) -> None:
        """See `Source`."""
        self._reader.wait(timeout)
        self._polled = time.monotonic()

    def still_ours(self) -> None:
        """Raises BusyError when this process stood still for so long that Kafka may have given its partitions away."""
        stood = time.monotonic() - self._polled
        if stood > self._reader.session / 2:
            raise BusyError(
                "this worker stood still: its partitions may be another's",
                evidence=f"{stood:.1f} s, and after {self._reader.session:g} s Kafka gives them away",
                consequence="it ends before it writes; what it had is written by its successor",
            )

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:
        """See `Source`. What the group does not take now is committed with the next ones."""
        ours = self._reader.owned
        self._unkept |= positions
        wanted = {place: at for place, at in self._unkept.items() if place in ours}
        noted = {place: (at, written(self._since.get(place), None)) for place, at in wanted.items()}
        if self._reader.commit_until(noted, _HAND_OVER_WITHIN if wait else 0.0):
            self._unkept = {}

    def ends(self) -> dict[str, list[int]]:
        """See `Source`: asked by the leading process, which shares the work out."""
        return dict(self._ends)

    def close(self) -> None:
        """Gives back what is ours and leaves."""
        self._reader.close()

    def repair(self) -> int:
        """Goes back where a foreign record may have overtaken newer ones; in how many partitions.

        To be called when all that was sent is acknowledged. Green's own writes are foreign too, once it leads: whoever calls this asks
        before the next batch whether anything may be written at all.
        """
        before = self.repairs
        targets = {self._target(place): place for place in self._reader.owned}
        for target in self._writer.foreign():
            place = targets[target]
            since = self._since.get(place)
            if since is None:
                continue
            self._repaired[place] = self._repaired.get(place, 0) + 1
            if self._repaired[place] > REPAIRS:
                raise RefusedError(
                    f"somebody else writes to {target[0]} partition {target[1]} on green's Kafka",
                    evidence=f"it has grown {REPAIRS} times by records that no worker of ours sent",
                    consequence="the copy was stopped",
                    next_command="find out who writes there: a second replicate, a core that leads",
                )
            if self._reader.commit_until({place: (since, written(since, None))}, _HAND_OVER_WITHIN):
                self._unkept.pop(place, None)
                self._begin({place: since})
                self._reader.seek(place, since)
                self.repairs += 1
        return self.repairs - before

    def gained(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `Owner`. Raises RefusedError where the log has a hole or is another one."""
        marks = self._reader.marks(places)
        self._refuse_holes(marks)
        ends = self._writer.take([self._target(place) for place in places])
        start: dict[Place, int] = {}
        for place in places:
            mark = marks[place]
            begun = takeover(mark.offset or 0, read(mark.note), ends[self._target(place)])
            self._since[place] = begun.since
            self.takeovers += begun.unclean
            start[place] = begun.start
        self._unopened |= start
        self._begin(start)
        return start

    def given(self, places: Sequence[Place]) -> None:
        """See `Owner`: everything acknowledged, looked at for foreign records, committed with a note that says so."""
        mirror = self._served
        mirror.settle()
        foreign = set(self._writer.foreign())
        leaving: dict[Place, tuple[int, str]] = {}
        for place in places:
            since, target = self._since.get(place), self._target(place)
            again = target in foreign and since is not None
            at = since if again and since is not None else mirror.position(place)
            leaving[place] = (at, written(since, None if again else self._writer.end(target)))
        self._reader.commit_until(leaving, _HAND_OVER_WITHIN)
        self._forget(places)

    def lost(self, places: Sequence[Place]) -> None:
        """See `Owner`: this process can not take back what it has sent, so it ends at once."""
        self._forget(places)
        raise BusyError(
            "Kafka has given this worker's partitions to others",
            evidence=f"{len(places)} partitions: it stood still, or its broker did not hear it",
            consequence="it ends; what it had is written by its successor",
        )

    @property
    def _served(self) -> Mirror:
        if self._mirror is None:
            raise AssertionError("serve() comes first")
        return self._mirror

    def _begin(self, start: Mapping[Place, int]) -> None:
        self._served.place(start)

    def _forget(self, places: Sequence[Place]) -> None:
        self._writer.drop(self._target(place) for place in places)
        self._served.leave(places)
        for place in places:
            self._since.pop(place, None)
            self._unkept.pop(place, None)
            self._unopened.pop(place, None)

    def _target(self, place: Place) -> Place:
        return (self._names[place[0]], place[1])

    def _refuse_holes(self, marks: Mapping[Place, Mark]) -> None:
        topics = {name: self._counts[name] for name, _ in marks}
        lows, ends = self._topics.lows(topics), self._topics.ends(topics)
        for (name, partition), mark in marks.items():
            refuse_holes(name, {partition: mark.offset}, lows[name], ends[name])
        self._ends |= {
            name: list(starmap(max, zip(self._ends.get(name, at), at, strict=True)))
            for name, at in ends.items()
        }
