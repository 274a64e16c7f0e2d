"""Which items the source's log touched, kept while replicating: the proof at the switch goes on from here and not from the log.

An append-only file of checksummed lines, written by the mirror: what it saw since the last line, and how far it had read then. A
file that does not reach back to the last proof, belongs to another plan, or has a gap is never trusted: the log is read instead.
Items are kept by the bytes of their key, so that an item that changes a thousand times between two lines costs one entry.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.proof import Position
from bmswitch.model.records import LogRecord, decode_item_uid
from bmswitch.parity.sealed import sealed, whole_lines
from bmswitch.parity.touched import Touched, topic_of

MAX_BYTES = 256 * 1024 * 1024
"""A larger file begins anew: the next proof is then made from the log."""


class Header(msgspec.Struct, frozen=True):
    """The first line: whose it is and from where on it has everything."""

    plan_id: str
    start: Position


class Line(msgspec.Struct, frozen=True):
    """What was touched since the line before (topic to key and item uid), and where each partition that was read stood then."""

    at: list[tuple[str, int, int]]
    seen: dict[str, list[tuple[msgspec.Raw, str]]]


class Ledger:
    """The mirror's side. Not thread-safe. A file that can not be written is given up: the log is still there to be read.

    `start` is where the mirror reads on: an existing file that stood there or further is gone on with.
    """

    def __init__(self, path: Path, plan_id: str, start: Position) -> None:
        self._path, self._plan_id = path, plan_id
        self._seen: dict[tuple[str, bytes], bytes] = {}
        self._at = {
            (topic, p): offset for topic, offsets in start.items() for p, offset in enumerate(offsets)
        }
        self._file = -1
        self._size = 0
        self._open(start)

    def see(self, record: LogRecord) -> None:
        """Takes one record; a tombstone follows a DELETE of the same item."""
        if record.value is not None:
            self._seen[record.topic, record.key] = record.value

    def flush(self, read: Mapping[tuple[str, int], int]) -> None:
        """Everything below these offsets was seen and is on the target's log."""
        if self._file < 0:
            return
        self._at.update(read)
        if self._size > MAX_BYTES:
            self._restart()
        self._write(sealed(Line([(topic, p, offset) for (topic, p), offset in read.items()], self._cut())))

    def close(self) -> None:
        """Closes the file; twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _cut(self) -> dict[str, list[tuple[msgspec.Raw, str]]]:
        """Keys are JSON and stand in the line as they are; the mirror has decoded each of them before."""
        seen: dict[str, list[tuple[msgspec.Raw, str]]] = {}
        for (topic, key), value in self._seen.items():
            try:
                seen.setdefault(topic, []).append((msgspec.Raw(key), decode_item_uid(value)))
            except RecordError:
                continue
        self._seen = {}
        return seen

    def _open(self, start: Position) -> None:
        known = _load(self._path)
        whole = 0
        if known is not None and known.header.plan_id == self._plan_id and _reaches(known.reached, start):
            whole = known.length
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.ftruncate(self._file, whole)
            os.lseek(self._file, whole, os.SEEK_SET)
            self._size = whole
        except OSError:
            self.close()
            return
        if not whole:
            self._write(sealed(Header(self._plan_id, start)))

    def _restart(self) -> None:
        start: dict[str, list[int]] = {}
        for topic, p in sorted(self._at):
            start.setdefault(topic, []).append(self._at[topic, p])
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._size = 0
        self._write(sealed(Header(self._plan_id, start)))

    def _write(self, line: bytes) -> None:
        if self._file < 0:
            return
        try:
            os.write(self._file, line)
            self._size += len(line)
        except OSError:
            self.close()


class _Known(msgspec.Struct):
    header: Header
    reached: Position
    lines: list[Line]
    length: int


def touched_since(path: Path, plan_id: str, position: Position) -> tuple[Touched, Position] | None:
    """What was touched since a position, and how far the file reaches; None when it does not have all of it."""
    known = _load(path)
    if known is None or known.header.plan_id != plan_id or not _reaches(position, known.header.start):
        return None
    touched = Touched()
    for line in known.lines:
        for name, items in line.seen.items():
            if (topic := topic_of(name)) is not None:
                for key, uid in items:
                    touched.note(topic, key, uid)
    reached = {
        topic: [max(a, b) for a, b in zip(offsets, known.reached.get(topic, offsets), strict=False)]
        for topic, offsets in position.items()
    }
    return touched, reached


def _reaches(reached: Position, start: Position) -> bool:
    """True when everything below `start` is also below `reached`: nothing lies between them. Topics that are new begin at 0."""
    return all(
        a >= b
        for topic, offsets in start.items()
        for a, b in zip(reached.get(topic, [0] * len(offsets)), offsets, strict=False)
    )


def _load(path: Path) -> _Known | None:
    """Everything up to the first line that is not whole; None without a header."""
    try:
        lines = whole_lines(path.read_bytes())
        first, length = next(lines)
        header = msgspec.json.decode(first, type=Header)
    except (OSError, StopIteration, msgspec.DecodeError):
        return None
    known = _Known(header, {topic: list(offsets) for topic, offsets in header.start.items()}, [], length)
    for text, end in lines:
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError:
            break
        for topic, p, offset in line.at:
            offsets = known.reached.setdefault(topic, [])
            offsets.extend([0] * (p + 1 - len(offsets)))
            offsets[p] = max(offsets[p], offset)
        known.lines.append(line)
        known.length = end
    return known
