"""One domain's thread: its presync topic, then its topic, until the strategy says stop (clone-and-api.md 1.6, 8.5)."""

import threading
import time
import traceback
from collections.abc import Callable
from typing import Literal

import msgspec
from confluent_kafka import Message, TopicPartition

from bmswitch.lab.restore.context import RestoreError
from bmswitch.lab.restore.reader import Reader, place_of
from bmswitch.lab.restore.router import Router
from bmswitch.model.errors import BmswitchError

Mode = Literal["FORK", "TAIL", "PROMOTE"]
BATCH = 100  # records in one transaction at most
SLICE = 0.005  # seconds that one transaction may hold the store
PAUSE = 0.0005  # between two transactions: the core's own thread takes its turn
POLL = 0.1


class Starvation:
    """Decides when the domains' loops end. The set of starved topics only grows; the goal is the orphans' domains."""

    def __init__(
        self,
        mode: Mode,
        goal: int,
        running: Callable[[], bool],
        stop: threading.Event,
        log: Callable[[str], None],
    ) -> None:
        self._mode = mode
        self._goal = goal
        self._running = running
        self._stop = stop
        self._log = log
        self._lock = threading.Lock()
        self._starved: set[str] = set()

    def report(self, topic: str, client: str, records: int) -> None:
        """A topic reached its end offsets; logged once."""
        with self._lock:
            if topic in self._starved:
                return
            self._starved.add(topic)
            count = len(self._starved)
        self._log(
            f'{{"topic":"{topic}","cid":"{client}","records":{records}}} RECORD STARVATION ({self._mode})'
        )
        if count < self._goal:
            self._log(f"We have {count} starved topics, we expect {self._goal}")

    def over(self) -> bool:
        """FORK: every domain starved once. TAIL: the core is running. Always: the process stops."""
        if self._stop.is_set():
            return True
        if self._mode == "TAIL":
            return self._running()
        with self._lock:
            return len(self._starved) >= self._goal


class Fault(msgspec.Struct, frozen=True):
    """A failure on purpose (`task-success-though-domain-failed`): the record that is number `after` fails."""

    after: int
    wanted: Callable[[], bool]


class DomainLoop:
    """Applies the records of one topic in slices. After `run`, `failed` tells whether the worker died."""

    def __init__(
        self,
        reader: Reader,
        router: Router,
        starvation: Starvation,
        log: Callable[[str], None],
        fault: Callable[[], bool] = lambda: False,
    ) -> None:
        self.reader = reader
        self.router = router
        self.records = 0
        self.failed = False
        self._starvation = starvation
        self._log = log
        self._fault = Fault(sum(reader.ends.values()) // 2, fault)

    def replay(self, deadline: float) -> None:
        """Apply everything up to the end offsets (presync). Raises RestoreError, or LabError at the deadline."""
        for message in self.reader.read_all(deadline):
            with self.router.context.batch():
                self._apply_one(message)

    def run(self) -> None:
        """Follow the topic. A record that fails ends the loop, as the death of all workers does; nothing is raised."""
        reader = self.reader
        try:
            while not self._starvation.over():
                batch = reader.take(BATCH, POLL)
                if self._starvation.over():
                    break  # what was read and not applied is lost: the reason for a barrier before `_promote`
                self._apply(batch)
                if reader.finished:
                    self._starvation.report(reader.topic, f"{reader.group}-client-0", len(batch))
                elif batch:
                    reader.commit(wait=False)
            reader.commit(wait=True)
        except (BmswitchError, OSError) as error:
            self.failed = True
            self._died(error)

    def _apply(self, batch: list[Message]) -> None:
        start = 0
        while start < len(batch):
            limit = time.perf_counter() + SLICE
            error: BmswitchError | None = None
            with self.router.context.batch():
                while start < len(batch) and time.perf_counter() < limit:
                    try:
                        self._apply_one(batch[start])
                    except BmswitchError as caught:
                        error = caught
                        break
                    self.reader.applied(*place_of(batch[start]))
                    start += 1
            if error is not None:  # what came before it stays applied: nothing is atomic in BlueMind either
                self._poisoned(batch, start)
                raise error
            time.sleep(PAUSE)

    def _apply_one(self, message: Message) -> None:
        partition, offset = place_of(message)
        if self.records >= self._fault.after and self._fault.wanted():
            raise RestoreError("failure on purpose", evidence=f"[{partition}:{offset}]")
        self.router.apply(message.key(), message.value(), partition, offset)
        self.records += 1

    def _poisoned(self, batch: list[Message], at: int) -> None:
        """Commit the last applied record of the batch, not the one after it, as BlueMind does (change-log.md 8.5)."""
        if at:
            partition, offset = place_of(batch[at - 1])
            self.reader.commit_at([TopicPartition(self.reader.topic, partition, offset)], wait=True)

    def _died(self, error: Exception) -> None:
        evidence = error.evidence if isinstance(error, BmswitchError) else ""
        self._log(f"{evidence} Failure processing {self.reader.topic}")
        self._log(f"op:failure, cause:{error} {evidence}")
        self._log("".join(traceback.format_exception(error)).rstrip())
