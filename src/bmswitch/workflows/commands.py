"""The operator's own commands: bounded, logged, and never two of one kind at a time, not even after kill -9 of bmswitch.

A command outlives the bmswitch that began it. So who runs is written down (process and its start time), and whoever runs the
next command of the same kind ends what an older attempt left behind: a late `stop` must not follow a newer `start`.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.config import Argv
from bmswitch.model.switch import Result

_GONE = 2.0


class _Running(msgspec.Struct, frozen=True):
    """A command under way. `started` is in clock ticks since boot: a process number may be given to another."""

    pid: int
    started: str


def run_command(command: Argv, log: Path, timeout: float, kind: str = "core") -> Result:
    """Runs a command; what it prints goes to a file (0600), as a daemon may keep it open.

    It gets its own session: Ctrl-C for bmswitch is not for it, and at its deadline all of it is ended.
    """
    begun, note = time.monotonic(), log.with_name(f"command-{kind}.json")
    end_leftover(note)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, start_new_session=True
        )
    except OSError as error:
        return Result(answer="no", said=f"{command[0]} can not be run: {error.strerror}")
    finally:
        os.close(handle)
    try:
        with contextlib.suppress(OSError):  # a full disk must not keep a core from being started
            replace_file(note, msgspec.json.encode(_Running(child.pid, _started(child.pid))), durable=False)
        code = _wait(child, timeout)
    except subprocess.TimeoutExpired:
        _end(child.pid)
        child.wait()
        return Result(answer="unknown", said=f"{command[0]} did not end within {timeout:g} s, see {log}")
    finally:
        note.unlink(missing_ok=True)
    facts: dict[str, int | str] = {"ms": int((time.monotonic() - begun) * 1000)}
    if code:
        return Result(answer="no", said=f"{command[0]} ended with {code}, see {log}", facts=facts)
    return Result(answer="yes", facts=facts)


def _wait(child: "subprocess.Popen[bytes]", timeout: float) -> int:
    """Exit code, in the moment of the end: `Popen.wait` with a timeout looks every 50 ms, which is dear in a hold.

    Raises:
        subprocess.TimeoutExpired: it runs on.
    """
    end = os.pidfd_open(child.pid)
    try:
        ready = select.poll()
        ready.register(end, select.POLLIN)
        ready.poll(timeout * 1000)
    finally:
        os.close(end)
    return child.wait(0.0)


def end_leftover(note: Path) -> None:
    """Ends the command that an older attempt has left running, if there is one, and waits until it is gone."""
    try:
        left = msgspec.json.decode(note.read_bytes(), type=_Running)
    except (OSError, msgspec.MsgspecError):
        return
    until = time.monotonic() + _GONE
    while left.started and _started(left.pid) == left.started and time.monotonic() < until:
        _end(left.pid)
        time.sleep(0.01)
    note.unlink(missing_ok=True)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _started(pid: int) -> str:
    """When a process began; empty when it is gone or only a zombie, or when the kernel does not tell."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
