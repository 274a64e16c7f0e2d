"""One worker process: copies the partitions that the consumer group gives to it, until its standard input ends.

Started by `Crew` as `python -m bmswitch.workflows.worker`; one line of JSON on its standard input says who it is.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec

from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, BusyError, UnreachableError
from bmswitch.model.status import WorkerStatus
from bmswitch.replication.chain import Chain
from bmswitch.replication.crew_files import Order, load_order, write_worker
from bmswitch.replication.mirror import BATCH, Mirror
from bmswitch.replication.quarantine import FILE, Quarantine
from bmswitch.replication.runner import move
from bmswitch.replication.shared_source import SharedSource
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.sole_writer import SoleWriter
from bmswitch.replication.valve import Valve
from bmswitch.workflows.clone_watch import RUNNING
from bmswitch.workflows.cures import passed, pipeline
from bmswitch.workflows.due import Due
from bmswitch.workflows.pausing import farewell_seen, note_farewell, obey_leading
from bmswitch.workflows.sites import open_core

CHECKPOINT = 0.1
_STATUS_EVERY = 0.1
_ORDER_EVERY = 1.0
_REPAIR_EVERY = 0.25
_ASK_GREEN_EVERY = 0.25
_HELD = 0.05


class Hired(msgspec.Struct, frozen=True):
    """Who a worker is, and the configuration of its own machine."""

    name: str
    config: Config
    order: Order


class Work:
    """The loop of one worker."""

    def __init__(self, hired: Hired) -> None:
        config, self._order = hired.config, hired.order
        self._name, self._run_dir = hired.name, Path(config.run_dir)
        self._green = open_core(config, config.standby)
        self._asked, self._may = 0.0, True
        green = Topics(config.target.kafka)
        self._writer = SoleWriter(KafkaSink(config.target.kafka), green.ends, self._order.targets)
        self._source = SharedSource(
            config.source.kafka,
            self._order.group,
            self._name,
            names=self._order.names,
            counts=self._order.counts,
            writer=self._writer,
        )
        self._writer.before = self._source.still_ours
        self._cures = pipeline(config, self._order.blue_id, self._order.green_id, "")
        self._chain = Chain(self._cures)
        self._mirror = Mirror(
            self._source,
            self._writer,
            self._chain,
            Quarantine(self._run_dir / FILE),
            {name: [0] * count for name, count in self._order.counts.items()},
            may_write=self._may_write,
            ask_always=True,
            checkpoint=CHECKPOINT,
        )
        self._valve = Valve(self._order.rate)
        self._due = Due()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop, or until green leads. Raises what must end it."""
        self._source.serve(self._mirror)
        going_on = True
        while going_on and not stop.is_set():
            obey_leading(self._run_dir, self._valve)
            going_on = self._move()
            self._look_around()
        self._mirror.checkpoint()
        self._mirror.close()
        self.tell()

    def _move(self) -> bool:
        self._valve.rate = self._order.rate * self._source.share
        most = BATCH if self._order.rate and not self._valve.rate else self._valve.permit(BATCH)
        return move(self._mirror, self._valve, most, held=_HELD)

    def _look_around(self) -> None:
        if self._mirror.progress_flags.farewell and not farewell_seen(self._run_dir):
            note_farewell(self._run_dir)
        if self._mirror.settled and self._due("repair", _REPAIR_EVERY):
            if self._source.repair():
                self._asked = 0.0
            self._source.commit({}, wait=False)
        if self._due("status", _STATUS_EVERY):
            self.tell()
        if self._due("order", _ORDER_EVERY):
            self._follow_order()

    def _follow_order(self) -> None:
        """Topics that came later, another rate."""
        order = load_order(self._run_dir)
        if order is None or order == self._order:
            return
        new = {name: count for name, count in order.counts.items() if name not in self._order.counts}
        self._order = order
        if new:
            self._source.add({name: order.names[name] for name in new}, new)

    def _may_write(self) -> bool:
        """Green's log takes no record of blue once green leads; asked before each batch after the leader's farewell."""
        now = time.monotonic()
        if farewell_seen(self._run_dir):
            return self._green.state() != RUNNING
        if now - self._asked >= _ASK_GREEN_EVERY:
            with contextlib.suppress(UnreachableError):
                self._may = self._green.state() != RUNNING
            self._asked = now
        return self._may

    def tell(self, error: BmswitchError | None = None) -> None:
        """Writes the status file."""
        done, noted = self._mirror.progress_flags, passed(self._cures, self._chain)
        write_worker(
            self._run_dir,
            WorkerStatus(
                name=self._name,
                host=socket.gethostname(),
                pid=os.getpid(),
                at=time.time(),
                owned=len(self._source.owned),
                records=done.records,
                bytes=done.bytes,
                last_ms=done.last_ms,
                takeovers=self._source.takeovers,
                repairs=self._source.repairs,
                farewell=done.farewell,
                finished=done.finished,
                left=noted.left,
                unknown=noted.unknown,
                error=parts(error) if error else {},
            ),
        )


def parts(error: BmswitchError) -> dict[str, str]:
    """An error as it goes from process to process."""
    return {
        "kind": error.kind,
        "cause": error.cause,
        "evidence": error.evidence,
        "consequence": error.consequence,
        "next_command": error.next_command,
    }


def main() -> None:
    """Exits with the error's code; at once, without another word to Kafka, when it may not be the owner any more."""
    hired = msgspec.json.decode(sys.stdin.buffer.readline(), type=Hired)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def until_left_alone() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=until_left_alone, daemon=True).start()
    work: Work | None = None
    try:
        work = Work(hired)
        work.run(stop)
    except BmswitchError as error:
        if work is not None:
            work.tell(error)
        if isinstance(error, BusyError):
            os._exit(error.exit_code)
        sys.stderr.write(f"{error.cause} {error.evidence}\n")
        sys.stderr.flush()
        os._exit(error.exit_code)


if __name__ == "__main__":
    main()
