"""Blue's log as a source: every partition of every topic, from where this run stopped."""

import time
from collections.abc import Mapping, Sequence
from itertools import starmap

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RefusedError
from bmswitch.replication.api import Batch, Place


class KafkaSource:
    """Reads from the committed offsets of `group`; where nothing was committed from `first`, else from the log's beginning.

    Not `alone`: it only keeps the first places, and workers of the group read. Raises (constructor): RefusedError when records are
    gone before they were read, the log was made anew, or the group has workers although it should be alone.
    """

    def __init__(
        self,
        kafka: Kafka,
        group: str,
        topics: Mapping[str, int],
        *,
        first: Mapping[str, list[int]] | None = None,
        queued_kib: int = 16_384,
        alone: bool = True,
    ) -> None:
        self._first_of, self._alone = first or {}, alone
        self._topics = Topics(kafka)
        self._consumer = LogConsumer(kafka, group, partitions=sum(topics.values()), queued_kib=queued_kib)
        self._ends: dict[str, list[int]] = {}
        self.start: dict[str, list[int]] = {}
        self.resumed = False
        try:
            self.add(topics)
        except BaseException:
            self._consumer.close()
            raise

    def add(self, topics: Mapping[str, int]) -> None:
        """Starts to read further topics. Their start is committed at once: from then on what the target has is ours."""
        committed = self._consumer.committed(topics)
        lows, ends = self._topics.lows(topics), self._topics.ends(topics)
        start = {
            name: list(map(_first, committed[name], self._first_of.get(name, lows[name]))) for name in topics
        }
        for name in topics:
            wanted = start[name] if name in self._first_of else committed[name]
            refuse_holes(name, dict(enumerate(wanted)), lows[name], ends[name])
        self.resumed = self.resumed or any(o is not None for offsets in committed.values() for o in offsets)
        self._consumer.commit(
            {
                (name, p): at
                for name, offsets in start.items()
                for p, at in enumerate(offsets)
                if self._alone or committed[name][p] is None
            }
        )
        if self._alone:
            self._consumer.assign(start)
        self.start |= start
        self._ends |= ends

    def only(self, positions: Mapping[Place, int]) -> None:
        """Reads exactly these partitions from now on, from these offsets."""
        self._consumer.assign_only(positions)

    def read(self, limit: int, timeout: float) -> Batch:
        """See `Source`."""
        batch = self._consumer.read(limit, timeout)
        return Batch(batch.records, batch.ends)

    def wait(self, timeout: float) -> None:
        """See `Source`."""
        time.sleep(timeout)

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:
        """See `Source`."""
        self._consumer.commit(positions, wait=wait)

    def ends(self) -> dict[str, list[int]]:
        """End offsets that the broker told with its last answers."""
        for name, known in self._ends.items():
            seen = self._consumer.known_ends(name, len(known))
            self._ends[name] = list(starmap(max, zip(known, seen, strict=True)))
        return dict(self._ends)

    def close(self) -> None:
        """See `Source`."""
        self._consumer.close()


def _first(committed: int | None, first: int) -> int:
    return first if committed is None else committed


def refuse_holes(
    topic: str, committed: Mapping[int, int | None], lows: Sequence[int], ends: Sequence[int]
) -> None:
    """Raises RefusedError where reading on would leave a hole, or would read another log than before.

    `committed` is the next offset to read by partition, `lows` and `ends` are those of all partitions.
    """
    for partition, at in committed.items():
        low, end = lows[partition], ends[partition]
        where = f"{topic} partition {partition}"
        if low > (at or 0):
            raise RefusedError(
                f"records of {where} are gone before they were read",
                evidence=f"next to read {at or 0}, first one there {low}",
                consequence="the copy would have a hole: nothing was written",
                next_command="find out who deletes from blue's log; then plan anew, onto empty topics",
            )
        if at is not None and at > end:
            raise RefusedError(
                f"the log of {where} is not the one that was read before",
                evidence=f"read up to {at}, it ends at {end}",
                next_command="make a new plan: bmswitch plan",
            )
