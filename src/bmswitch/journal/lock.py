"""One bmswitch at a time in a run folder: a locked file that says who holds it and since when.

The kernel's lock decides (it goes with the process, even after kill -9); the text in the file is for people.
"""

import datetime as dt
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bmswitch.model.errors import BusyError, JournalError


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock. `since` is ISO 8601 in UTC."""

    pid: int
    host: str
    command: str
    since: str


class Lock:
    """A held lock; `taken_over` tells of a dead process that held it before, empty otherwise.

    Raises:
        BusyError: a living process holds it.
        JournalError: the file can not be written.
    """

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"the lock file {path} can not be written", evidence=str(error)) from error
        before = _holder(self._file)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise _busy(path, before) from error
        self.taken_over = _words(before, dead=True) if before else ""
        me = Holder(
            pid=os.getpid(),
            host=socket.gethostname(),
            command=command,
            since=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(me) + b"\n", 0)

    def check(self) -> None:
        """Raises BusyError when the file was removed or replaced: another process may hold a lock of the same name.

        A process that stood still (SIGSTOP, a sleeping machine) asks this before it changes anything.
        """
        try:
            mine, there = os.fstat(self._file), self.path.stat()
        except OSError:
            mine, there = None, None
        if mine is None or there is None or (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            raise taken_over(f"the lock file {self.path} is not the one that this process holds")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Gives the lock back: an empty file is a lock that nobody holds. Twice is fine."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def taken_over(evidence: str) -> BusyError:
    """The error of a process that is not the only one any more: it changes nothing from here on."""
    return BusyError(
        "another bmswitch has taken over this run",
        evidence=evidence,
        consequence="this process stops here and changes nothing any more",
        next_command="bmswitch journal show, and let the other one go on",
    )


def _holder(handle: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(handle, 4096, 0), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _words(holder: Holder, *, dead: bool) -> str:
    state = "that is gone, held" if dead else "holds"
    return f"process {holder.pid} on {holder.host} ({holder.command}) {state} it since {holder.since}"


def _busy(path: Path, holder: Holder | None) -> BusyError:
    frozen = holder is not None and _stands_still(holder)
    told = _words(holder, dead=False) if holder else f"{path} is locked"
    look = f"wait for it, or look at it with `ps -p {holder.pid}`" if holder else "wait for it"
    return BusyError(
        "another bmswitch works on this run",
        evidence=f"{told}; it is stopped and does nothing" if frozen else told,
        consequence="this command did nothing",
        next_command=f"`kill -9 {holder.pid}`, then this command again" if holder and frozen else look,
    )


def _stands_still(holder: Holder) -> bool:
    """The process is there and stopped (SIGSTOP, a debugger), as the kernel tells; False where that can not be known."""
    if holder.host != socket.gethostname():
        return False
    try:
        stat = Path(f"/proc/{holder.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] in (["T"], ["t"])
