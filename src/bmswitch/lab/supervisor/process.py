"""Detached processes that are known by pid and start time, so that a reused pid is never taken for a part.

Each process carries `BMSWITCH_LAB=<folder of the lab>` and `BMSWITCH_LAB_PART=<name>` in its environment: with that,
parts are found even when every file that names them is gone.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bmswitch.lab.supervisor.alive import boot_id, start_ticks
from bmswitch.lab.supervisor.layout import Layout, write_private
from bmswitch.model.errors import LabError

LAB_MARK = "BMSWITCH_LAB"
PART_MARK = "BMSWITCH_LAB_PART"
POLL = 0.02
GRACE = 5.0
_TAIL_BYTES = 16_384


class Process(msgspec.Struct, frozen=True):
    """One process: `started` is its start time in clock ticks since the boot named by `boot`."""

    name: str
    pid: int
    started: int
    boot: str

    @property
    def running(self) -> bool:
        """Whether exactly this process still runs; a zombie does not."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.started


def spawn(layout: Layout, name: str, argv: list[str], environment: dict[str, str] | None = None) -> Process:
    """Starts a part in a session of its own, output appended to its log, and records it in its pid file.

    Raises:
        LabError: the program is missing or may not be run.
    """
    program = shutil.which(argv[0]) or argv[0]
    log = str(layout.log(name))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        pid = os.posix_spawn(
            program,
            argv,
            os.environ | marks(layout, name) | (environment or {}),
            file_actions=actions,
            setsid=True,
            setsigmask=[],
        )
    except (FileNotFoundError, PermissionError) as error:
        raise missing_program(name, argv[0], error) from error
    started = Process(name, pid, start_ticks(pid) or 0, boot_id())
    write_private(pid_file(layout, name), msgspec.json.encode(started).decode())
    return started


def missing_program(part: str, program: str, error: OSError) -> LabError:
    """What is said when a part's program can not be run."""
    return LabError(
        f"the program of {part} can not be run",
        evidence=f"{program}: {error.strerror}",
        next_command="pip install 'bmswitch[lab]' for the embedded parts, scripts/install-real-parts for the others",
    )


def marks(layout: Layout, name: str) -> dict[str, str]:
    """The environment by which a part of this lab is recognised."""
    return {LAB_MARK: str(layout.root), PART_MARK: name, "PYTHONUNBUFFERED": "1"}


def pid_file(layout: Layout, name: str) -> Path:
    """Where a part is recorded."""
    return layout.pids / f"{name}.json"


def recorded(layout: Layout, name: str) -> Process | None:
    """The part as its pid file has it, if that process still runs."""
    try:
        found = msgspec.json.decode(pid_file(layout, name).read_bytes(), type=Process)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.running else None


def forget(layout: Layout, name: str) -> None:
    """Removes the pid file of a stopped part."""
    pid_file(layout, name).unlink(missing_ok=True)


def marked(layout: Layout) -> list[Process]:
    """Every process on this machine that carries the mark of this lab, whatever the files say; never this one."""
    wanted = f"{LAB_MARK}={layout.root}".encode()
    found = []
    for pid in _pids():
        environment = _environment(pid)
        ticks = start_ticks(pid)
        if wanted in environment and ticks is not None and pid != os.getpid():
            names = [
                e.partition(b"=")[2].decode() for e in environment if e.startswith(PART_MARK.encode() + b"=")
            ]
            found.append(Process(names[0] if names else "unknown", pid, ticks, boot_id()))
    return found


def stop(process: Process, *, grace: float = GRACE, hard: bool = False) -> bool:
    """SIGTERM, then after `grace` seconds SIGKILL to it and its session; True when nothing of it is left.

    `hard`: SIGKILL at once.
    """
    members = session_members(process)
    if process.running:
        _signal(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
    gone = wait_until(lambda: not process.running, grace)
    left = [one for one in members if one.running]
    for one in left:
        _signal(one.pid, signal.SIGKILL)
    return (gone and not left) or wait_until(lambda: not any(one.running for one in members), grace)


def session_members(process: Process) -> list[Process]:
    """The process and all that it started in its session (the workers of HAProxy, for example)."""
    found = [process] if process.running else []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if pid != process.pid and os.getsid(pid) == process.pid:
                ticks = start_ticks(pid)
                if ticks is not None and ticks >= process.started:
                    found.append(Process(process.name, pid, ticks, process.boot))
    return found


def memory(process: Process) -> int:
    """Resident memory in bytes of it and its session."""
    total = 0
    for one in session_members(process):
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls until the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


def await_ready(layout: Layout, process: Process, ready: Callable[[], bool], seconds: float) -> None:
    """Waits for a part to be ready; one that dies or is late is a LabError with the last lines of its log."""
    wait_until(lambda: not process.running or ready(), seconds)
    if process.running and ready():
        return
    what = f"was not ready within {seconds:g} s" if process.running else "stopped while it started"
    stop(process, grace=1.0)
    raise LabError(
        f"{process.name} {what}",
        evidence=tail(layout.log(process.name)),
        consequence="the other parts run on",
        next_command=f"read {layout.log(process.name)}, then bmswitch lab up again, or bmswitch lab down",
    )


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, or that there are none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError as error:
        return f"{log.name}: {error.strerror}"
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(kept) if kept else f"{log.name} is empty"


def _pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
