"""Parks records that can not be understood, with everything needed to look at them; their neighbours go on.

The file (NDJSON, 0600) only grows: a decision about a parked record is a further line, never an edit. What holds is a
record's last line: `parked`, `accepted` (by somebody, for a reason), or `retried` (green's log has it now).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.model.errors import JournalError, RefusedError
from bmswitch.model.records import LogRecord

LIMIT = 10_000
FILE = "quarantine.ndjson"
State = Literal["parked", "accepted", "retried"]


class Parked(msgspec.Struct, frozen=True):
    """One line of the file; `key` and `value` are base64, `value` null for a tombstone, `at` epoch seconds.

    `waits_for`: the parent that has not come, empty when it is parked for another reason (the cure `children_wait`).
    """

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes
    value: bytes | None
    at: float
    timestamp_ms: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()
    waits_for: str = ""

    def record(self) -> LogRecord:
        """The record as it was read from blue."""
        return LogRecord(
            self.topic,
            self.partition,
            self.offset,
            self.timestamp_ms or int(self.at * 1000),
            self.key,
            self.value,
            self.headers,
        )


class Decision(msgspec.Struct, frozen=True):
    """A later line about a parked record. `who` took it, `reason` says why; a retry has no `who`."""

    verb: Literal["accepted", "retried"]
    topic: str
    partition: int
    offset: int
    reason: str
    at: float
    who: str = ""


class Entry(msgspec.Struct, frozen=True):
    """A parked record and what was decided. `number` counts from 1 in the order of parking and never changes."""

    number: int
    parked: Parked
    decision: Decision | None = None

    @property
    def state(self) -> State:
        """What holds now."""
        return self.decision.verb if self.decision else "parked"


class Quarantine:
    """The file of parked records, open for the mirror. The same record is kept once, however often it is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = {_place(entry.parked): entry.state for entry in entries(path)}
        self._parked = sum(state == "parked" for state in self._seen.values())
        self._dirty = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"the quarantine {path} can not be written", evidence=str(error)) from error

    @property
    def count(self) -> int:
        """How many different records were parked, whatever was decided about them."""
        return len(self._seen)

    def park(self, record: LogRecord, reason: str, waits_for: str = "") -> None:
        """Writes the record down; durable after `sync`. Raises RefusedError beyond 10,000 that are parked at a time.

        One that a retry had brought onto another green before is parked anew.
        """
        place = (record.topic, record.partition, record.offset)
        if self._seen.get(place, "retried") != "retried":
            return
        if self._parked >= LIMIT:
            raise RefusedError(
                f"more than {LIMIT} records can not be understood",
                evidence=f"last: {record.topic} partition {record.partition} offset {record.offset}: {reason}",
                consequence="the copy was stopped: this is no exception any more, it is another format",
                next_command="bmswitch quarantine list",
            )
        line = Parked(
            *place,
            reason,
            record.key,
            record.value,
            time.time(),
            record.timestamp_ms,
            record.headers,
            waits_for,
        )
        self._append(line)
        self._seen[place] = "parked"
        self._parked += 1

    def decide(self, decision: Decision) -> None:
        """Writes a decision down; durable after `sync`."""
        self._append(decision)
        place = _place(decision)
        self._parked -= self._seen.get(place) == "parked"
        self._seen[place] = decision.verb

    def settle(self, record: LogRecord, said: str) -> None:
        """A record that waited goes on by itself; durable after `sync`."""
        self.decide(Decision("retried", record.topic, record.partition, record.offset, said, time.time()))

    def sync(self) -> None:
        """Makes what was written durable: called before any position moves beyond it."""
        if self._dirty:
            os.fsync(self._file)
            self._dirty = False

    def close(self) -> None:
        """Syncs and closes the file."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            self._file = -1

    def _append(self, line: Parked | Decision) -> None:
        """One whole line, also while another process appends; a line that a crash cut off makes room for it."""
        whole = msgspec.json.encode(line) + b"\n"
        try:
            with _locked(self._file):
                _cut_torn_line(self._file)
                if os.write(self._file, whole) != len(whole):
                    raise OSError("the disk is full")  # noqa: TRY301 - told like any other failure to write
        except OSError as error:
            raise JournalError(
                f"the quarantine {self._path} can not be written", evidence=str(error)
            ) from error
        self._dirty = True


def entries(path: Path) -> list[Entry]:
    """The parked records of a file with what holds for each, in the order of parking; none when there is no file.

    A last line cut by a crash is left out. Raises JournalError when the file is damaged.
    """
    found: dict[tuple[str, int, int], Entry] = {}
    for line in _lines(path):
        place = _place(line)
        known = found.get(place)
        if isinstance(line, Parked):
            found[place] = Entry(known.number if known else len(found) + 1, line)
        elif known is None:
            raise JournalError(
                f"the quarantine {path} is damaged", evidence=f"a decision about nothing parked: {place}"
            )
        else:
            found[place] = msgspec.structs.replace(known, decision=line)
    return list(found.values())


def parked(path: Path) -> list[Parked]:
    """The parked records of a file, whatever was decided about them. Raises JournalError when damaged."""
    return [entry.parked for entry in entries(path)]


def undecided(path: Path) -> list[Entry]:
    """The parked records that stand in the way of a switch. Raises JournalError when damaged."""
    return [entry for entry in entries(path) if entry.state == "parked"]


class _Verb(msgspec.Struct):
    verb: str = "parked"


def _lines(path: Path) -> Iterator[Parked | Decision]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(f"the quarantine {path} can not be read", evidence=str(error)) from error
    try:
        for line in filter(None, lines[:-1]):
            verb = msgspec.json.decode(line, type=_Verb).verb
            if verb == "parked":
                yield msgspec.json.decode(line, type=Parked)
            else:
                yield msgspec.json.decode(line, type=Decision)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise JournalError(f"the quarantine {path} is damaged", evidence=str(error)) from error


def _place(line: Parked | Decision) -> tuple[str, int, int]:
    return (line.topic, line.partition, line.offset)


@contextmanager
def _locked(file: int) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _cut_torn_line(file: int) -> None:
    """Cuts what follows the last line end: what a crash left there was never synced, so no position moved beyond it."""
    size = os.fstat(file).st_size
    end = size
    while end and os.pread(file, 1, end - 1) != b"\n":
        step = min(4096, end)
        at = os.pread(file, step, end - step).rfind(b"\n")
        end = end - step + at + 1
    if end != size:
        os.ftruncate(file, end)
