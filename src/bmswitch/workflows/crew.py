"""The worker processes of one machine: started, watched, replaced when they die or stand still, ended.

On the machine that leads the crew also sums up what all workers on all machines have done. The place of each partition is what the
consumer group has committed: Kafka takes it from the owner alone.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.group import SESSION
from bmswitch.model import errors
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, UnreachableError
from bmswitch.model.status import WorkerStatus
from bmswitch.replication.crew_files import Order, forget_dead, forget_worker, read_workers, save_order
from bmswitch.replication.mirror import Progress
from bmswitch.replication.quarantine import FILE, entries
from bmswitch.workflows.cures import Noted
from bmswitch.workflows.worker import Hired

_TICK = 0.1
_STOP_WITHIN = 90.0
_DEATHS, _WITHIN = 5, 60.0
"""A crew whose workers die more often than so many times each within so many seconds has failed."""
_PASSING = {"busy", "unreachable"}
_SILENT = 5.0
"""Seconds beyond the session after which a worker of this machine that says nothing is killed: it can not write late then."""
_SHARE = 20


class Crew:
    """`size` workers of this machine. Answers like `MirrorThread`.

    Args:
        config: this machine's, given to each worker.
        order: what is copied where.
        size: how many.
        name: how the workers' names begin; one of a kind on all machines.
        leads: sums up all workers, on every machine.
    """

    def __init__(self, config: Config, order: Order, size: int, name: str, *, leads: bool) -> None:
        self._config, self._order, self._name = config, order, name
        self._run_dir = Path(config.run_dir)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._size, self._started = size, 0
        self._deaths: deque[float] = deque(maxlen=_DEATHS * size)
        self._heard: dict[str, WorkerStatus] = {}
        self._begun: dict[str, float] = {}
        self._failure: BmswitchError | None = None
        self._stop = threading.Event()
        self._places = _Places(config, order) if leads else None
        self._silence = float(config.source.kafka.settings.get(SESSION, 10_000)) / 1000 + _SILENT
        self._thread = threading.Thread(target=self._run, name="crew", daemon=True)
        self._quarantine = _Count(self._run_dir / FILE)
        self.replaced = 0

    def start(self) -> None:
        """Starts the workers."""
        forget_dead(self._run_dir)
        self._thread.start()

    def add(self, topics: dict[str, int], names: dict[str, str], targets: dict[str, int]) -> None:
        """Has further topics of the source copied too; the target must have them already."""
        self._order = msgspec.structs.replace(
            self._order,
            names=self._order.names | names,
            counts=self._order.counts | topics,
            targets=self._order.targets | targets,
        )
        save_order(self._run_dir, self._order)
        if self._places is not None:
            self._places.counts = self._order.counts

    @property
    def workers(self) -> list[WorkerStatus]:
        """Every worker that is at work or is not known to be gone, on any machine."""
        return read_workers(self._run_dir)

    @property
    def here(self) -> list[WorkerStatus]:
        """Those of this crew."""
        return [worker for worker in self.workers if worker.name.startswith(self._name)]

    @property
    def noted(self) -> list[Noted]:
        """What the cures of every worker passed as it is."""
        return [Noted(worker.left, worker.unknown) for worker in list(self._heard.values())]

    @property
    def mine(self) -> int:
        """Records that this crew has copied."""
        self._heard |= {worker.name: worker for worker in self.here}
        return sum(w.records for w in list(self._heard.values()) if w.name.startswith(self._name))

    @property
    def progress(self) -> Progress:
        """The moment; places as Kafka has them."""
        now = self.workers
        self._heard |= {worker.name: worker for worker in now}
        all_of_them = list(self._heard.values())
        return Progress(
            records=sum(worker.records for worker in all_of_them),
            bytes=sum(worker.bytes for worker in all_of_them),
            quarantined=self._quarantine(),
            positions=self._places() if self._places else {},
            last_ms=max((worker.last_ms for worker in now), default=0),
            farewell=any(worker.farewell for worker in now),
            finished=self.finished,
        )

    @property
    def finished(self) -> bool:
        """A worker has ended for good, as green leads."""
        return any(worker.finished for worker in list(self._heard.values()))

    @property
    def alive(self) -> bool:
        """False when it ended for good or failed: then `check` tells."""
        return self._thread.is_alive() and not self.finished

    def check(self) -> None:
        """Raises what made it fail, if anything did."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Has every worker of this machine hand over and end; raises what made it fail."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_WITHIN + 5)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._replace_dead()
                while len(self._running) < self._size and not self.finished:
                    self._hire()
                self._stop.wait(_TICK)
        except BmswitchError as failure:
            self._failure = failure
        finally:
            self._end()

    def _hire(self) -> None:
        self._started += 1
        name = f"{self._name}-{self._started}"
        process = subprocess.Popen(
            [sys.executable, "-m", "bmswitch.workflows.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._running[name], self._begun[name] = process, time.monotonic()
        hired = Hired(name, self._config, self._order)
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(hired) + b"\n")
                process.stdin.flush()

    def _replace_dead(self) -> None:
        """Raises what a worker died of, unless another one may go on."""
        said = {worker.name: worker for worker in self.workers}
        self._heard |= said
        for name, process in list(self._running.items()):
            if process.poll() is None and self._silent(name, said.get(name)):
                process.kill()
                process.wait()
            if process.poll() is None:
                continue
            del self._running[name]
            _close(process)
            self._bury(name, process.returncode, said.get(name))

    def _silent(self, name: str, said: WorkerStatus | None) -> bool:
        """It says nothing for so long that its partitions are another's: killed, it can not write late."""
        if said is None:
            return time.monotonic() - self._begun[name] > 60.0 + self._silence
        return time.time() - said.at > self._silence

    def _bury(self, name: str, code: int, said: WorkerStatus | None) -> None:
        forget_worker(self._run_dir, name)
        if said is not None and said.finished:
            return
        error = said.error if said is not None else {}
        self.replaced += 1
        self._deaths.append(time.monotonic())
        often = len(self._deaths) == self._deaths.maxlen and self._deaths[-1] - self._deaths[0] < _WITHIN
        if error and (often or error["kind"] not in _PASSING):
            raise _error(error)
        if often:
            raise UnreachableError(
                "the workers end again and again",
                evidence=f"worker {name} ended with {code}",
                consequence="what was acknowledged is committed; the next run goes on from there",
                next_command="bmswitch replicate without --workers tells why",
            )

    def _end(self) -> None:
        """Each worker flushes, commits and leaves when its standard input ends."""
        for process in self._running.values():
            _close(process)
        end = time.monotonic() + _STOP_WITHIN
        for name, process in self._running.items():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._heard |= {worker.name: worker for worker in self.workers}
            forget_worker(self._run_dir, name)
        self._running = {}
        if self._places is not None:
            self._places.close()


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Ends its standard input; one that is gone already does not mind."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


class _Places:
    """What the group has committed, read at most ten times a second. `counts` are the source's topics."""

    def __init__(self, config: Config, order: Order) -> None:
        self._reader = LogConsumer(config.source.kafka, order.group)
        self.counts: Mapping[str, int] = order.counts
        self._last: dict[str, list[int]] = {}
        self._again = 0.0
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self) -> dict[str, list[int]]:
        with self._lock:
            now = time.monotonic()
            if now < self._again or self._closed:
                return self._last
            worked = time.thread_time()
            self._read()
            self._again = now + max(_TICK / 2, _SHARE * (time.thread_time() - worked))
            return self._last

    def _read(self) -> None:
        try:
            found = self._reader.committed(self.counts)
        except BmswitchError:
            return
        self._last = {name: [at or 0 for at in offsets] for name, offsets in found.items()}

    def close(self) -> None:
        """One last look."""
        with self._lock:
            if not self._closed:
                self._read()
                self._closed = True
                self._reader.close()


class _Count:
    """How many records are parked; the file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path, self._size, self._count = path, -1, 0

    def __call__(self) -> int:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size != self._size:
            self._size, self._count = size, len(entries(self._path))
        return self._count


def _error(told: Mapping[str, str]) -> BmswitchError:
    """An error of a worker as it was raised there."""
    name = "".join(word.capitalize() for word in told["kind"].split("_")) + "Error"
    kind = getattr(errors, name, UnreachableError)
    error: BmswitchError = kind(
        told["cause"],
        evidence=told["evidence"],
        consequence=told["consequence"],
        next_command=told["next_command"],
    )
    return error
