"""One member of a consumer group: Kafka shares the partitions among the members, and refuses the commits of one that it gave up.

Cooperative rebalance: only partitions that change hands stop for a moment.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from bmswitch.kafka.client import explained, settings, told
from bmswitch.kafka.consumer import TIMEOUT, Batch, batch_of
from bmswitch.model.config import Kafka
from bmswitch.model.records import LogRecord

Place = tuple[str, int]
Told = TypeVar("Told")
SESSION = "session.timeout.ms"
_SESSION_MS = 10_000
_NOT_NOW = {
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._TIMED_OUT,  # noqa: SLF001 - the library's own name of a local error
    KafkaError._WAIT_COORD,  # noqa: SLF001 - the same
    KafkaError._TRANSPORT,  # noqa: SLF001 - the same
}


class Mark(msgspec.Struct, frozen=True):
    """A committed place: the next offset to read, None for none, and the text that was kept with it."""

    offset: int | None
    note: str = ""


class Owner(Protocol):
    """Who is told of partitions that come and go. Called while `read` or `wait` runs, by its thread."""

    def gained(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Ours from now on; answers from which offset each is read. Every place must be answered."""

    def given(self, places: Sequence[Place]) -> None:
        """Ours until this returns: what was written must be acknowledged and committed by then."""

    def lost(self, places: Sequence[Place]) -> None:
        """Somebody else may have them already."""


class GroupReader:
    """Reads what the group gives to it, from the offsets that `owner` names. `name` is told to the broker."""

    def __init__(
        self, kafka: Kafka, group: str, name: str, owner: Owner, *, queued_kib: int = 16_384
    ) -> None:
        self._kafka, self._owner = kafka, owner
        own: dict[str, Any] = {
            "group.id": group,
            "client.id": f"bmswitch-{name}",
            "partition.assignment.strategy": "cooperative-sticky",
            SESSION: _SESSION_MS,
            "heartbeat.interval.ms": 1000,
            "max.poll.interval.ms": 300_000,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.max.bytes": 4_194_304,
            "queued.min.messages": 50_000,
            "queued.max.messages.kbytes": queued_kib,
            "fetch.queue.backoff.ms": 5,
            "fetch.error.backoff.ms": 100,
        }
        given = own | settings(kafka) | {"client.id": own["client.id"]}
        self.session = float(given[SESSION]) / 1000
        with explained(kafka):
            self._consumer = Consumer(given)
        self._owned: set[Place] = set()
        self._gained: dict[Place, int] = {}
        self._gone: set[Place] = set()
        self._seen_ends: dict[Place, int] = {}
        self._failure: BaseException | None = None
        self._paused = False

    @property
    def owned(self) -> frozenset[Place]:
        """The partitions that are ours now."""
        return frozenset(self._owned)

    def subscribe(self, topics: Sequence[str]) -> None:
        """Takes part in reading these topics, and in no others."""
        with explained(self._kafka):
            self._consumer.subscribe(
                list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def read(self, limit: int, timeout: float) -> Batch:
        """See `LogConsumer.read`. Records of a partition that changed hands meanwhile are left out, and read again if it is ours."""
        self._resume()
        self._gained.clear()
        self._gone.clear()
        with explained(self._kafka):
            first = self._consumer.poll(timeout)
            messages = [] if first is None else [first, *self._consumer.consume(limit - 1, 0)]
        self._raise_failure()
        batch = batch_of(messages, self._kafka)
        ends = self._seen_ends | batch.ends
        self._seen_ends = {}
        if not self._gained and not self._gone:
            return Batch(batch.records, ends)
        return self._settled(batch.records, ends)

    def _settled(self, records: list[LogRecord], ends: dict[Place, int]) -> Batch:
        """What is certainly ours of a read in which partitions came and went."""
        doubtful = self._gained.keys() | self._gone
        met = {(r.topic, r.partition) for r in records} | ends.keys()
        for place in met & self._gained.keys() & self._owned:
            self.seek(place, self._gained[place])
        return Batch(
            [r for r in records if (r.topic, r.partition) not in doubtful],
            {place: end for place, end in ends.items() if place not in doubtful},
        )

    def wait(self, timeout: float) -> None:
        """Reads nothing for a moment, and stays a member."""
        if not self._paused and self._owned:
            with explained(self._kafka):
                self._consumer.pause(self._parts(self._owned))
            self._paused = True
        self._gained.clear()
        self._gone.clear()
        with explained(self._kafka):
            message = self._consumer.poll(timeout)
        self._raise_failure()
        if message is None:
            return
        batch = batch_of([message], self._kafka)
        self._seen_ends |= batch.ends
        for record in batch.records:
            place = (record.topic, record.partition)
            if place in self._owned:
                self.seek(place, self._gained.get(place, record.offset))

    def _resume(self) -> None:
        if self._paused:
            with explained(self._kafka):
                self._consumer.resume(self._parts(self._owned))
            self._paused = False

    def seek(self, place: Place, offset: int) -> None:
        """Reads one of our partitions from another offset on."""
        with explained(self._kafka):
            self._consumer.seek(TopicPartition(*place, offset))

    def marks(self, places: Sequence[Place]) -> dict[Place, Mark]:
        """What the group has committed for these places. Raises UnreachableError."""
        with explained(self._kafka):
            answers = self._consumer.committed(self._parts(places), timeout=TIMEOUT)
        for answer in answers:
            if answer.error is not None:
                raise told(answer.error, self._kafka)
        return {
            (a.topic, a.partition): Mark(a.offset if a.offset >= 0 else None, a.metadata or "")
            for a in answers
        }

    def commit(self, positions: Mapping[Place, tuple[int, str]]) -> bool:
        """Keeps places with their notes; False when the group does not take them from us now, or not any more."""
        wanted = [TopicPartition(*place, offset, note) for place, (offset, note) in positions.items()]
        if not wanted:
            return True
        try:
            answers = self._consumer.commit(offsets=wanted, asynchronous=False) or ()
        except KafkaException as failure:
            if failure.args[0].code() in _NOT_NOW:
                return False
            raise told(failure.args[0], self._kafka) from failure
        for answer in answers:
            if answer.error is not None:
                if answer.error.code() in _NOT_NOW:
                    return False
                raise told(answer.error, self._kafka)
        return True

    def commit_until(self, positions: Mapping[Place, tuple[int, str]], seconds: float) -> bool:
        """The same, tried again for a while."""
        end = time.monotonic() + seconds
        while not self.commit(positions):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        """Leaves the group: what is ours is given back first."""
        with contextlib.suppress(KafkaException, RuntimeError):
            self._consumer.close()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _on_assign(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        places = [(part.topic, part.partition) for part in parts]
        start: Mapping[Place, int] = {}
        if places:
            start = self._caught(lambda: self._owner.gained(places), start)
        self._gained |= start
        self._owned.update(start)
        consumer.incremental_assign([TopicPartition(*place, offset) for place, offset in start.items()])
        if self._paused:
            consumer.pause(self._parts(start))

    def _on_revoke(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._leave(consumer, parts, self._owner.given)

    def _on_lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._leave(consumer, parts, self._owner.lost)

    def _leave(
        self, consumer: Consumer, parts: list[TopicPartition], tell: Callable[[Sequence[Place]], None]
    ) -> None:
        places = [(part.topic, part.partition) for part in parts]
        ours = [place for place in places if place in self._owned]
        self._gone.update(places)
        for place in places:
            self._gained.pop(place, None)
            self._seen_ends.pop(place, None)
        if ours:
            self._caught(lambda: tell(ours), None)
        self._owned.difference_update(places)
        consumer.incremental_unassign(parts)

    def _caught(self, call: Callable[[], Told], otherwise: Told) -> Told:
        """An error must not get lost inside the library: the next read raises it."""
        try:
            return call()
        except BaseException as failure:  # noqa: BLE001 -- raised by the next read
            self._failure = self._failure or failure
            return otherwise

    @staticmethod
    def _parts(places: Iterable[Place]) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic, partition in places]
