"""One stretch of the log on disk, with the records marked that a later one of the same stretch makes needless.

Memory grows by a few bytes a record only: the records are in a file, and of their items at most `KEYS` are in memory, the
others in `fold_spill`. The files have no name: they are gone with the process, so that nothing of them is ever taken up again.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path

import msgspec

from bmswitch.model.errors import JournalError, RecordError
from bmswitch.model.fold import ALWAYS, BETWEEN, ODD, Step, step_of
from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Place
from bmswitch.replication.fold_spill import Spill
from bmswitch.replication.reading import understand

KEYS = 200_000
"""Items in memory at once: some 60 MiB."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[LogRecord])


_Write = tuple[int, bytes, bool]


class _Items(msgspec.Struct):
    """Of one partition: the last write to each item (number of the record, run, whether it may be left out).

    `odd`: it has mail records that the fold does not read, so no deletion of a mail may be left out.
    """

    prefix: bytes
    last: dict[bytes, _Write]
    odd: bool = False


class Window:
    """Takes records in the order of their partitions, gives back those that are needed, in the same order.

    `fresh`: nothing of these partitions is on the target yet, so the deletion of what is folded away may go too.
    Every call raises JournalError when the disk is full.
    """

    def __init__(self, folder: Path, *, fresh: bool, keys: int = KEYS) -> None:
        self._folder, self._fresh, self._keys = folder, fresh, keys
        self._needed = bytearray()
        self._items: dict[Place, _Items] = {}
        self._gone: set[bytes] = set()
        self._spill: Spill | None = None
        self._frames: list[tuple[int, int]] = []
        self.bytes = 0
        with _disk(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`

    def add(self, records: Sequence[LogRecord]) -> None:
        """Takes a batch; partitions may be mixed."""
        number = len(self._needed)
        self._needed += b"\1" * len(records)
        topic, partition = "", -1
        items = _Items(b"", {})
        with _disk(self._folder):
            for record in records:
                if record.partition != partition or record.topic != topic:
                    topic, partition = record.topic, record.partition
                    items = self._of((topic, partition))
                if record.value is not None:
                    step = step_of(record.key, record.value)
                    if step is ODD:
                        items.odd = True
                    elif step is not None:
                        self._take(number, record, step, items)
                elif record.key[:-9] in self._gone:
                    self._needed[number] = 0
                number += 1
            frame = _encoder.encode(records)
            self._file.write(frame)
            self._frames.append((len(frame), len(records)))
            self.bytes += len(frame)
            if sum(len(one.last) for one in self._items.values()) > self._keys:
                self._spill_items()

    def _of(self, place: Place) -> _Items:
        items = self._items.get(place)
        if items is None:
            items = self._items[place] = _Items(b"%d/" % len(self._items), {})
        return items

    def _take(self, number: int, record: LogRecord, step: Step, items: _Items) -> None:
        item, run, goes, deletes = step
        before = items.last.get(item)
        same = before is not None and before[1] == run
        if (same or self._spill is not None) and not _understood(record):
            return
        if before is not None and same:
            self._needed[before[0]] &= not before[2]
            if deletes and self._fresh and not items.odd:
                self._leave_out(number, record, item, items)
                return
        elif self._spill is not None:
            self._note(self._spill, items.prefix + item, before, None if run is not None else number)
        if run is None:
            items.last.pop(item, None)
        else:
            items.last[item] = (number, run, goes == ALWAYS or (same and goes == BETWEEN))

    def _leave_out(self, number: int, record: LogRecord, item: bytes, items: _Items) -> None:
        """A deletion of an item of which nothing is on the target and nothing goes there: it and its tombstones."""
        self._needed[number] = 0
        self._gone.add(record.key[:-9])
        _, run, _ = items.last.pop(item)
        if self._spill is not None:
            self._spill.add(items.prefix + item, number, run, may_go=True)

    @staticmethod
    def _note(spill: Spill, item: bytes, before: _Write | None, ends: int | None) -> None:
        """A run ends: what is on disk of this item must not be taken for the start of a later run."""
        if before is not None:
            spill.add(item, before[0], before[1], may_go=before[2])
        if ends is not None:
            spill.add(item, ends, None, may_go=False)

    def _spill_items(self) -> None:
        self._spill = self._spill or Spill(self._folder)
        for items in self._items.values():
            for item, (number, run, may_go) in items.last.items():
                self._spill.add(items.prefix + item, number, run, may_go=may_go)
            items.last = {}
        self._spill.flush()

    def needed(self) -> Iterator[list[LogRecord]]:
        """The records that are needed, in lists of any length; once, after the last `add`."""
        with _disk(self._folder):
            if self._spill is not None:
                self._spill_items()
                for number in self._spill.needless():
                    self._needed[number] = 0
            self._items, self._gone = {}, set()
            self._file.seek(0)
        at = 0
        for size, count in self._frames:
            with _disk(self._folder):
                frame = _decoder.decode(self._file.read(size))
            yield list(compress(frame, self._needed[at : at + count]))
            at += count

    @property
    def kept(self) -> int:
        """How many are needed."""
        return self._needed.count(1)

    def close(self) -> None:
        """Gives memory and disk back."""
        self._file.close()
        if self._spill is not None:
            self._spill.close()


def _understood(record: LogRecord) -> bool:
    """False for what will be parked, or dropped by the clone (id 0): it must not make another record needless."""
    try:
        return understand(record).id != 0
    except RecordError:
        return False


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"what is folded can not be kept in {folder}",
            evidence=str(error),
            consequence="what was written to the target stays; the next run goes on from there",
            next_command="make room there, or set replication.fold to false",
        ) from error
