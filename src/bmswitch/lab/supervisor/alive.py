"""When a process was started, read from the system: the half of its identity that a reused pid does not have."""

import contextlib
import os
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None when it is gone or a zombie. Reaps our own child.

    A killed process whose first thread is a zombie already is still there while other threads of it hold its ports.
    """
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    return None if state in "ZX" and threads <= 1 else started


def boot_id() -> str:
    """Changes at each boot of the machine: pids and ticks mean something within one only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
