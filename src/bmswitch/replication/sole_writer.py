"""A sink that notices when somebody else writes to its partitions: their ends are then beyond what it has sent itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Place, Sink

Ends = Callable[[Mapping[str, int]], dict[str, list[int]]]


class SoleWriter:
    """Counts what it sends to the partitions it has taken. `ends` asks the target for end offsets; `counts` are its topics.

    `before` is called before anything is sent, and raises when nothing must be sent any more.
    """

    def __init__(self, sink: Sink, ends: Ends, counts: Mapping[str, int]) -> None:
        self._sink, self._ends = sink, ends
        self.before: Callable[[], None] = lambda: None
        self.counts = dict(counts)
        self._wanted: dict[Place, int] = {}

    def take(self, places: Iterable[Place]) -> dict[Place, int]:
        """Ours from now on; their ends."""
        asked = self._now(places)
        self._wanted |= asked
        return asked

    def drop(self, places: Iterable[Place]) -> None:
        """Not ours any more."""
        for place in places:
            self._wanted.pop(place, None)

    def end(self, place: Place) -> int:
        """How far one of ours must reach, once all is acknowledged."""
        return self._wanted[place]

    def send(self, records: Sequence[LogRecord]) -> None:
        """See `Sink`."""
        self.before()
        wanted = self._wanted
        for record in records:
            place = (record.topic, record.partition)
            if place in wanted:
                wanted[place] += 1
        self._sink.send(records)

    def flush(self) -> None:
        """See `Sink`."""
        self._sink.flush()

    def close(self) -> None:
        """See `Sink`."""
        self._sink.close()

    def foreign(self) -> list[Place]:
        """Partitions with records that we did not send; they count as seen. To be asked when all that was sent is acknowledged."""
        now = self._now(self._wanted)
        found = [place for place, end in now.items() if end > self._wanted[place]]
        self._wanted |= {place: now[place] for place in found}
        return found

    def _now(self, places: Iterable[Place]) -> dict[Place, int]:
        wanted = list(places)
        there = self._ends({name: self.counts[name] for name, _ in wanted}) if wanted else {}
        return {(name, partition): there[name][partition] for name, partition in wanted}
