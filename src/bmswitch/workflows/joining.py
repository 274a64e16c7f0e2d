"""Workers of another machine share the copy that a leading `replicate` has begun.

The run folder must be one that both machines see (NFS 4): order, status, pause and quarantine are in it. The leading one alone makes
topics, asks for green's clone and writes `replicate.json`.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.errors import RefusedError
from bmswitch.model.plan import Plan
from bmswitch.model.status import ReplicateStatus
from bmswitch.replication.crew_files import Order, load_order
from bmswitch.replication.state import read_status
from bmswitch.workflows.crew import Crew
from bmswitch.workflows.replicate import refuse_sharing

FRESH = 5.0
_TICK = 0.2
_ENDED = ("stopped", "failed")


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What the workers of this machine did. `leader` says how the leading process ended, empty when we were told to stop."""

    workers: int
    records: int
    seconds: float
    replaced: int
    leader: str


def run_join(
    config: Config, plan: Plan, workers: int, *, tell: Callable[[str], None], stop: threading.Event
) -> Joined:
    """Works until told to stop, or until the leading process says that it has ended. One that is silent is not waited for: work goes on.

    Raises:
        RefusedError: no leading process is seen through this run folder, or it does not share its work.
        UnreachableError: a Kafka does not answer, or the workers end again and again.
    """
    if config.replication.mode == "shared":
        refuse_sharing(config, None)
    run_dir, began = Path(config.run_dir), time.monotonic()
    order = _order(run_dir, plan)
    crew = Crew(config, order, workers, f"{socket.gethostname()}-{os.getpid()}", leads=False)
    crew.start()
    leader = ""
    try:
        while not leader and crew.alive and not stop.wait(_TICK):
            crew.check()
            status = read_status(run_dir)
            leader = status.phase if status is not None and status.phase in _ENDED else ""
            tell(_words(crew))
    finally:
        crew.stop()
    crew.check()
    return Joined(
        workers=workers,
        records=crew.mine,
        seconds=round(time.monotonic() - began, 3),
        replaced=crew.replaced,
        leader=leader,
    )


def _order(run_dir: Path, plan: Plan) -> Order:
    status, order = read_status(run_dir), load_order(run_dir)
    why = _why_not(status, order, plan)
    if why or order is None:
        raise RefusedError(
            "there is no leading replicate to join",
            evidence=why,
            consequence="nothing was read or written",
            next_command="bmswitch replicate --workers N on the first machine, then this command, on the same run folder",
        )
    return order


def _why_not(status: ReplicateStatus | None, order: Order | None, plan: Plan) -> str:
    if status is None or order is None:
        return "this run folder has no replicate.json with workers"
    age = time.time() - status.updated_at
    if age > FRESH:
        return f"replicate.json is {age:.0f} s old: this run folder is a copy, or the leading process is gone"
    if status.phase in _ENDED:
        return f"the leading process says {status.phase}"
    if status.plan_id != plan.id:
        return f"it works on plan {status.plan_id}, ours is {plan.id}"
    return ""


def _words(crew: Crew) -> str:
    mine = crew.here
    owned = sum(worker.owned for worker in mine)
    return f"{len(mine)} workers, {owned} partitions, {crew.mine} records"
