"""Stops every part of a lab, also those that no file names any more, and clears the folder."""

import contextlib
import shutil

import msgspec

from bmswitch.lab.supervisor import cores
from bmswitch.lab.supervisor.layout import COLOURS, Layout
from bmswitch.lab.supervisor.process import Process, marked, recorded, stop
from bmswitch.lab.supervisor.state import locked
from bmswitch.model.errors import LabError

_ORDER = (
    "traffic",
    "green-core",
    "blue-core",
    "crp",
    "envoy",
    "haproxy",
    "nginx",
    "gate",
    "s3",
    "green-kafka",
    "blue-kafka",
)
_KEPT = {"run", "traffic"}
"""Folders that are read after a run: they move into `logs` instead of being removed."""


class DownResult(msgspec.Struct, frozen=True):
    """Names of the parts that were stopped, and the folder of what is kept (empty: nothing)."""

    stopped: list[str]
    kept: str


def down(layout: Layout, *, purge: bool) -> DownResult:
    """Clients first, Kafka last. Logs, run folder and ledger are kept in `logs` unless `purge`.

    Raises:
        LabError: a process could not be stopped even by force.
    """
    if not layout.root.is_dir():
        return DownResult([], "")
    with locked(layout):
        stopped = stop_all(layout)
        _clear(layout, purge=purge)
    if purge:
        layout.lock.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            layout.root.rmdir()
    return DownResult(stopped, "" if purge else str(layout.logs))


def stop_all(layout: Layout) -> list[str]:
    """Stops all that runs; names in the order in which they were stopped.

    What a stopped part has left behind (the gate's understudy ignores SIGTERM) gets no grace.
    """
    stopped: list[str] = []
    for process in sorted(find_all(layout), key=_place):
        if not process.running:
            continue
        if not stop(process, hard=process.name in stopped):
            raise LabError(
                f"{process.name} can not be stopped",
                evidence=f"process {process.pid} is still there after SIGKILL",
                consequence="the lab is not down",
                next_command=f"look at it: ps -fp {process.pid}; then bmswitch lab down again",
            )
        stopped.append(process.name)
    return list(dict.fromkeys(stopped))


def find_all(layout: Layout) -> list[Process]:
    """Every process of the lab: by pid file, by the cores' own pid files, and by the mark in its environment."""
    names = [path.stem for path in layout.pids.glob("*.json")] if layout.pids.is_dir() else []
    found = [one for name in names if (one := recorded(layout, name))]
    found += [one for colour in COLOURS if (one := cores.running(layout, colour))]
    found += marked(layout)
    return list({one.pid: one for one in reversed(found)}.values())


def _place(process: Process) -> tuple[int, int]:
    """Parts in their order, each before what it has started."""
    return _ORDER.index(process.name) if process.name in _ORDER else -1, process.started


def _clear(layout: Layout, *, purge: bool) -> None:
    if not purge:
        layout.logs.mkdir(exist_ok=True)
        for name in _KEPT:
            kept = layout.root / name
            if kept.is_dir() and any(kept.iterdir()):
                shutil.rmtree(layout.logs / name, ignore_errors=True)
                kept.rename(layout.logs / name)
    for path in layout.root.iterdir():
        if path == layout.lock or (path == layout.logs and not purge):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
