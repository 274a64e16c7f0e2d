"""What leading process and workers tell each other, on any machine that sees the run folder: `workers/` in it.

`order.json` says what is copied where; each worker has a status file of its own.
"""

import socket
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.errors import JournalError
from bmswitch.model.status import WorkerStatus

FOLDER = "workers"
ORDER = "order.json"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is copied where. `names`: green's topic for each of blue's; `counts`: partitions of blue's, `targets` of green's.

    `rate` is the most records a second that all workers together may read, 0 for no limit.
    """

    plan_id: str
    group: str
    blue_id: str
    green_id: str
    names: dict[str, str]
    counts: dict[str, int]
    targets: dict[str, int]
    rate: float = 0.0


def save_order(run_dir: Path, order: Order) -> None:
    """Replaces the order; workers follow it within a second."""
    _write(run_dir / FOLDER / ORDER, msgspec.json.encode(order))


def load_order(run_dir: Path) -> Order | None:
    """The order, None when nobody has shared the work of this run folder yet. Raises JournalError when damaged."""
    path = run_dir / FOLDER / ORDER
    try:
        return msgspec.json.decode(path.read_bytes(), type=Order)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalError(f"{path} is damaged", evidence=str(error)) from error


def write_worker(run_dir: Path, status: WorkerStatus) -> None:
    """Replaces the worker's own file."""
    _write(run_dir / FOLDER / f"{status.name}.json", msgspec.json.encode(status))


def read_workers(run_dir: Path) -> list[WorkerStatus]:
    """Every worker that has a file, by name; what can not be read is left out until it can."""
    found: list[WorkerStatus] = []
    for path in sorted((run_dir / FOLDER).glob("*.json")):
        if path.name != ORDER:
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=WorkerStatus))
            except (OSError, msgspec.MsgspecError):
                continue
    return found


def forget_worker(run_dir: Path, name: str) -> None:
    """Removes the file of a worker that is certainly gone."""
    (run_dir / FOLDER / f"{name}.json").unlink(missing_ok=True)


def forget_dead(run_dir: Path) -> None:
    """Removes the files of workers of this machine whose processes are gone: they died with their leader."""
    for worker in read_workers(run_dir):
        if worker.host == socket.gethostname() and not Path(f"/proc/{worker.pid}").exists():
            forget_worker(run_dir, worker.name)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(path, content + b"\n")
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error
