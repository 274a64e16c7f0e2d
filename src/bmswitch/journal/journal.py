"""The run's journal: appended, flushed to the disk line by line, read back with every line checked.

A last line without its end is what a crash leaves behind: its effect was not begun (or its answer can be read again), so it
is cut off and said. Any other damage stops the run: going on from a wrong past is worse than stopping.
"""

import datetime as dt
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bmswitch.files import sync
from bmswitch.journal.lines import DamageError, decode, encode
from bmswitch.journal.lock import taken_over
from bmswitch.model.errors import JournalError
from bmswitch.model.switch import Entry

MAX_BYTES = 64 * 1024 * 1024
"""A switch writes some 20 kB; a file of this size is no journal of ours."""


class Journal:
    """An open journal. `cut` says what was cut off at the end, empty if nothing. One runner writes; any thread may `check`.

    Args:
        path: the file; made (0600) when missing.
        still_ours: raises when the run is not ours any more (the lock's `check`); asked before each line.
        durable: False leaves out the flush to the disk (simulations only).

    Raises:
        JournalError: damaged, unreadable, not writable, disk full.
    """

    def __init__(
        self, path: Path, *, still_ours: Callable[[], None] = lambda: None, durable: bool = True
    ) -> None:
        self.path = path
        self._still_ours = still_ours
        self._writing = threading.Lock()
        self._durable = durable
        self.entries, whole, self.cut = _check(path)
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            if self.cut:
                os.ftruncate(self._file, whole)
            if durable:
                sync(path.parent)
        except OSError as error:
            raise _not_writable(path, error) from error
        self._end = whole

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, entry: Entry, at_ms: int, *, flush: bool = True) -> Entry:
        """Writes one entry, numbered and dated, and returns it; on the disk when this returns.

        Without `flush` it is only handed to the system, and reaches the disk with the next one that is flushed.
        """
        numbered = msgspec.structs.replace(
            entry, seq=self.last_seq + 1, at=_wall(time.time() if self._durable else 0.0), at_ms=at_ms
        )
        line = encode(numbered)
        with self._writing:
            self._require_ours()
            try:
                self._write(line, flush=flush)
            except OSError as error:
                self._take_back(len(line))
                raise _not_writable(self.path, error) from error
            self._end += len(line)
        self.entries.append(numbered)
        return numbered

    def check(self) -> None:
        """Nobody else works on this run: asked right before an effect, as the process may have stood still since its line.

        Raises:
            BusyError: the lock is not ours any more, or the journal has lines that this process did not write.
        """
        with self._writing:
            self._require_ours()

    def _require_ours(self) -> None:
        self._still_ours()
        try:
            mine, there = os.fstat(self._file), self.path.stat()
        except OSError as error:
            raise taken_over(f"{self.path} is gone") from error
        if not stat.S_ISREG(mine.st_mode):
            return
        if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
            raise taken_over(f"{self.path} was replaced")
        if mine.st_size != self._end:
            raise taken_over(f"{self.path} has lines that this process did not write")

    @property
    def last_seq(self) -> int:
        """Number of the newest entry, 0 when there is none."""
        return self.entries[-1].seq if self.entries else 0

    def close(self) -> None:
        """Closes the file; twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: bytes, *, flush: bool) -> None:
        if os.write(self._file, line) != len(line):
            raise OSError("only a part of the line could be written")
        if self._durable and flush:
            os.fdatasync(self._file)

    def _take_back(self, length: int) -> None:
        """A half-written line must not stand between whole ones; a crash here leaves a torn last line, which is fine."""
        try:
            if os.fstat(self._file).st_size <= self._end + length:
                os.ftruncate(self._file, self._end)
        except OSError:
            return


def read_journal(path: Path) -> tuple[list[Entry], str]:
    """All entries, and what is torn at the end (not cut off: reading changes nothing)."""
    entries, _, torn = _check(path)
    return entries, torn


def _check(path: Path) -> tuple[list[Entry], int, str]:
    """Entries, length in bytes of the whole lines, and a sentence about a torn end."""
    try:
        raw = _bytes(path)
    except OSError as error:
        raise JournalError(
            f"the journal {path} can not be read",
            evidence=str(error),
            next_command="look at the file's owner and the disk",
        ) from error
    end = raw.rfind(b"\n") + 1
    entries: list[Entry] = []
    for number, line in enumerate(raw[:end].split(b"\n")[:-1], start=1):
        try:
            entry = decode(line)
        except DamageError as error:
            raise _damaged(path, number, str(error)) from error
        if entry.seq != number:
            raise _damaged(path, number, f"entry {entry.seq} where {number} was expected: lines are missing")
        entries.append(entry)
    torn = len(raw) - end
    said = f"line {len(entries) + 1} was torn by a crash ({torn} bytes): cut off" if torn else ""
    return entries, end, said


def _bytes(path: Path) -> bytes:
    if not path.exists():
        return b""
    if path.stat().st_size > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES} bytes")
    return path.read_bytes()


def _damaged(path: Path, number: int, why: str) -> JournalError:
    return JournalError(
        f"the journal is damaged: {path}, line {number}",
        evidence=why,
        consequence="the past of the switch is not known: nothing was done; traffic is where the proxies point",
        next_command=(
            "`bmswitch status` shows where traffic is and what both cores are; when blue serves and nothing is held, "
            f"move {path.name} away and start again"
        ),
    )


def _not_writable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"the journal {path} can not be written",
        evidence=str(error),
        consequence="no further effect is begun; a hold in the proxies ends by itself with its lease",
        next_command="free or repair the disk, then `bmswitch cutover --resume`",
    )


def _wall(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")
