"""What a look at one running proxy finds out about its safety: facts only, the judgement is `workflows.proxy_check`'s."""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from bmswitch.model.config import Colour

_PROC: Final = Path("/proc")
_BEGAN_AT: Final = 19  # place of `starttime` behind the name in /proc/PID/stat (proc(5))
_SAME_MOMENT: Final = 0.1


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one node; None, or a line in `unread`, is what could not be read.

    `missing`: pieces of the configuration that are not there. `waits`: how long (seconds) each named timeout lets
    something wait that a hold keeps waiting. `files` and `clients` bound one process: open files, connections of
    clients that it takes; `files_each` is how many open files one of them needs. `rate`:
    requests a second for which this machine's ports last, None if they do not bound it. `changed`: files that are younger than what
    runs. `backlog`: connections that wait at the listener with the shortest queue; `kept_outside`: held ones wait there. `cap`: seconds after which nothing is
    held any more, whatever is asked. `connected`: clients that are connected now, by protocol, as far as it is told. `skew`: seconds by which the node's clock is ahead. `mail`: each colour's mail
    backends, to be greeted directly.
    """

    missing: list[str] = []
    unread: list[str] = []
    old: list[int] = []
    waits: dict[str, float] = {}
    changed: list[str] = []
    files: int | None = None
    clients: int | None = None
    files_each: int = 2
    rate: int | None = None
    backlog: int | None = None
    kept_outside: bool = False
    cap: float | None = None
    connected: dict[str, int] = {}
    skew: float | None = None
    mail: dict[Colour, list[str]] = {}


def open_files_limit(pid: int) -> int | None:
    """Soft limit of open files of a process, None when it can not be read."""
    try:
        text = (_PROC / str(pid) / "limits").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"Max open files\s+(\d+)", text)
    return int(found[1]) if found else None


def younger_files(files: Iterable[Path], pids: Iterable[int]) -> list[str]:
    """Which of `files` were written after the youngest of these processes began: it has not read them so."""
    begins = [at for pid in pids if (at := _began(pid)) is not None]
    if not begins:
        return []
    return [str(one) for one in files if one.is_file() and one.stat().st_mtime > max(begins) + _SAME_MOMENT]


def _began(pid: int) -> float | None:
    """Epoch seconds, to the hundredth."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    ticks = int(text.rpartition(")")[2].split()[_BEGAN_AT])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def command_line(pid: int) -> list[str]:
    """Words with which a process was started, empty when they can not be read."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return []
