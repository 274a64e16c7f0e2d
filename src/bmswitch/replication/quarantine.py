"""Parks records that can not be understood, with everything needed to look at them; their neighbours go on."""

import os
import time
from pathlib import Path

import msgspec

from bmswitch.model.errors import JournalError, RefusedError
from bmswitch.model.records import LogRecord

LIMIT = 10_000


class Parked(msgspec.Struct, frozen=True):
    """One line of the file; `key` and `value` are base64, `value` null for a tombstone, `at` epoch seconds."""

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes
    value: bytes | None
    at: float


class Quarantine:
    """The file of parked records (NDJSON, 0600). The same record is kept once, however often it is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[tuple[str, int, int]] = {(p.topic, p.partition, p.offset) for p in parked(path)}
        self._dirty = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        except OSError as error:
            raise JournalError(f"the quarantine {path} can not be written", evidence=str(error)) from error

    @property
    def count(self) -> int:
        """How many different records are parked."""
        return len(self._seen)

    def park(self, record: LogRecord, reason: str) -> None:
        """Writes the record down; durable after `sync`. Raises RefusedError beyond 10,000 records."""
        place = (record.topic, record.partition, record.offset)
        if place in self._seen:
            return
        if len(self._seen) >= LIMIT:
            raise RefusedError(
                f"more than {LIMIT} records can not be understood",
                evidence=f"last: {record.topic} partition {record.partition} offset {record.offset}: {reason}",
                consequence="the copy was stopped: this is no exception any more, it is another format",
                next_command=f"look at {self._path}",
            )
        line = msgspec.json.encode(Parked(*place, reason, record.key, record.value, time.time()))
        self._file.write(line + b"\n")
        self._seen.add(place)
        self._dirty = True

    def sync(self) -> None:
        """Makes what was parked durable: called before any position moves beyond it."""
        if self._dirty:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._dirty = False

    def close(self) -> None:
        """Syncs and closes the file."""
        if not self._file.closed:
            self.sync()
            self._file.close()


def parked(path: Path) -> list[Parked]:
    """The parked records of a file; none when there is no file. A last line cut by a crash is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    whole = lines[:-1]
    try:
        return [msgspec.json.decode(line, type=Parked) for line in whole if line]
    except msgspec.MsgspecError as error:
        raise JournalError(f"the quarantine {path} is damaged", evidence=str(error)) from error
