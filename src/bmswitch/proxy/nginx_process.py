"""nginx's processes: the running master, the one before it, their workers, old ones too."""

from pathlib import Path
from typing import Final

from bmswitch.model.errors import UnreachableError

_PROC: Final = Path("/proc")


def masters(pid_file: Path) -> list[int]:
    """The running nginx, and the one before it while a binary is being replaced.

    Raises:
        UnreachableError: no pid file, or nothing runs there.
    """
    files = [pid_file, pid_file.with_name(pid_file.name + ".oldbin")]
    found = [int(text) for text in map(_text, files) if text.strip().isdecimal()]
    running = [pid for pid in found if "nginx" in _text(_PROC / str(pid) / "comm")]
    if not running:
        raise UnreachableError(
            "nginx does not run",
            evidence=f"{pid_file} names no running nginx",
            next_command="start nginx, or correct `pid_file` of this node",
        )
    return running


def workers(pid_file: Path) -> dict[int, bool]:
    """Pid of each worker to whether it is an old one, left by a reload to end what it has.

    Raises:
        UnreachableError: nginx does not run.
    """
    found = {}
    for master in masters(pid_file):
        for pid in _text(_PROC / f"{master}/task/{master}/children").split():
            title = _text(_PROC / pid / "cmdline")
            if "worker process" in title:
                found[int(pid)] = "shutting down" in title
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
