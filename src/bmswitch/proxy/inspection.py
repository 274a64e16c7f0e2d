"""What a look at one running proxy finds out about its safety: facts only, the judgement is `workflows.proxy_check`'s."""

import re
from pathlib import Path
from typing import Final

import msgspec

from bmswitch.model.config import Colour

_PROC: Final = Path("/proc")


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one node; None, or a line in `unread`, is what could not be read.

    `missing`: pieces of the configuration that are not there. `waits`: how long (seconds) each named timeout lets
    something wait that a hold keeps waiting. `files` and `clients` bound one process: open files, connections of
    clients that it takes; `files_each` is how many open files one of them needs. `rate`:
    requests a second for which this machine's ports last, None if they do not bound it. `cap`: seconds after which nothing is
    held any more, whatever is asked. `skew`: seconds by which the node's clock is ahead. `mail`: each colour's mail
    backends, to be greeted directly.
    """

    missing: list[str] = []
    unread: list[str] = []
    old: list[int] = []
    waits: dict[str, float] = {}
    files: int | None = None
    clients: int | None = None
    files_each: int = 2
    rate: int | None = None
    cap: float | None = None
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


def command_line(pid: int) -> list[str]:
    """Words with which a process was started, empty when they can not be read."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except OSError:
        return []
