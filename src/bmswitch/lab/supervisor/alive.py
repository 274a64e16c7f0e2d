"""When a process was started, read from the system: the half of its identity that a reused pid does not have."""

import contextlib
import os
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None when it is gone or a zombie. Reaps our own child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    """Changes at each boot of the machine: pids and ticks mean something within one only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
