"""Twins of the two cores, and of the source's log with the target's clone behind it. Facts: clone-and-api.md 2."""

from collections.abc import Callable
from functools import partial

from tests.simulation.clock import Clock

from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT

PARTITIONS = 4
LINGER_MS = 250


class CoreTwin:
    """One installation: its state, what it has stored, and whether the runner can reach it."""

    def __init__(self, clock: Clock, state: str) -> None:
        self.clock = clock
        self.state = state
        self.store: set[str] = set()
        self.died_at = 0
        self.refuses = False
        self.election_ms = 0
        self.leads_at = 0
        self.cut_until = 0
        self.withheld = False
        """Its rights to write to the bucket and to its log are withdrawn."""

    @property
    def dead(self) -> bool:
        """It will not come back."""
        return self.died_at > 0

    @property
    def cut(self) -> bool:
        """The network between the runner and this core is cut; clients and the other core still reach it."""
        return self.clock.now < self.cut_until

    @property
    def seen(self) -> str:
        """As the runner reads it: what does not answer is silent, whatever the reason."""
        return SILENT if self.dead or self.cut else self.state

    def leads(self) -> bool:
        """RUNNING and alive: item writes are accepted and logged."""
        return self.state == RUNNING and not self.dead

    def accepts(self, *, plain: bool) -> bool:
        """Item writes pass on a leader and on a clone; plain stores (passwords) are not fenced at all."""
        if self.dead or self.state == SILENT or self.withheld:
            return False
        return plain or self.state in (RUNNING, CLONING)

    def follow(self) -> None:
        """Stopped, and started again as a clone of the other side, with its rights: it can be promoted anew."""
        self.state, self.withheld, self.refuses = CLONING, False, False
        self.election_ms = self.leads_at = 0

    def demote(self) -> None:
        """A leader steps down; anything else does not care."""
        if self.state == RUNNING and not self.dead:
            self.state = DEMOTED

    def promote(self) -> None:
        """A clone leads, at once or when its leader election is over."""
        if self.refuses or self.leads_at:
            return
        self.leads_at = self.clock.now + self.election_ms
        if self.election_ms:
            self.clock.after(self.election_ms, self._elected)
        else:
            self._elected()

    def _elected(self) -> None:
        if self.state == CLONING and not self.dead:
            self.state = RUNNING


class LogTwin:
    """One side's change log and the other side's clone behind it: asynchronous producer, mirror, restorer, each partition in order."""

    def __init__(self, clock: Clock, name: str, target: CoreTwin, restored: Callable[[str], None]) -> None:
        self.clock = clock
        self.target = target
        self.restored = restored
        self.chance = clock.stream(name)
        self.pending: list[tuple[int, str]] = []
        self.log: list[list[str]] = [[] for _ in range(PARTITIONS)]
        self.applied: list[int] = [0] * PARTITIONS
        self.slow = self.chance.choice((40, 120, 120, 120, 700))
        self.grown_ms = 0
        self.flushing = False

    def publish(self, partition: int, record: str) -> None:
        """What the producer lingers over; on the log within 250 ms."""
        self.pending.append((partition, record))
        if not self.flushing:
            self.flushing = True
            self.clock.after(self.chance.between(1, LINGER_MS), self.flush)

    def flush(self) -> None:
        """The producer sends its batch."""
        self.flushing = False
        for partition, record in self.pending:
            self.log[partition].append(record)
            self.grown_ms = self.clock.now
            self.clock.after(self.chance.between(2, self.slow), partial(self._apply, partition))
        self.pending.clear()

    def _apply(self, partition: int) -> None:
        """The clone restores the next record; one that is promoted, stopped or dead restores nothing."""
        if self.target.dead or self.target.state != CLONING:
            return
        if self.applied[partition] < len(self.log[partition]):
            self.restored(self.log[partition][self.applied[partition]])
            self.applied[partition] += 1

    def tail(self) -> None:
        """The clone was started just now: it restores all that it does not have yet."""
        for partition, records in enumerate(self.log):
            for _ in range(len(records) - self.applied[partition]):
                self.clock.after(self.chance.between(2, 2 * self.slow), partial(self._apply, partition))

    def ends(self) -> list[int]:
        """End offsets."""
        return [len(records) for records in self.log]

    def position(self) -> int:
        """All end offsets as one number."""
        return sum(map(len, self.log))

    def complete(self, ends: list[int]) -> bool:
        """The clone has restored everything below `ends`."""
        return all(done >= end for done, end in zip(self.applied, ends, strict=True))
