"""Puts a made log into a Kafka, or into a folder as `load-log` reads it; counts what it holds."""

import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bmswitch.kafka.producer import LogProducer
from bmswitch.kafka.topics import Topics
from bmswitch.lab.loadlog import ORPHANS_FILE, SUFFIX
from bmswitch.lab.makelog.record import ORPHANS, Made
from bmswitch.lab.makelog.story import Story
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import LabError
from bmswitch.model.partition import PARTITIONS, partition_of
from bmswitch.model.records import LogRecord

_BATCH = 1000
Tell = Callable[[int], None]


class Kinds(msgspec.Struct, frozen=True):
    """Records of one type and operation (`-` for a tombstone), and bytes of their values."""

    type: str
    operation: str
    records: int
    bytes: int


class MadeLog(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `topics`: records by topic; `bytes`: keys and values."""

    records: int
    bytes: int
    seconds: float
    topics: dict[str, int]
    kinds: list[Kinds]


class _Counted:
    """Passes a log on and counts it."""

    def __init__(self, log: Iterable[Made], tell: Tell) -> None:
        self._log, self._tell = log, tell
        self._kinds: dict[tuple[bytes, bytes], list[int]] = {}
        self._orphans = 0
        self._bytes = 0
        self._began = time.monotonic()

    def __iter__(self) -> Iterator[Made]:
        for number, one in enumerate(self._log, 1):
            orphans, _, key, value = one
            kind = (key[9 : key.find(b'"', 9)], key[-8:-2] if value is not None else b"-")
            counts = self._kinds.setdefault(kind, [0, 0])
            counts[0] += 1
            counts[1] += len(value or b"")
            self._orphans += orphans
            self._bytes += len(key)
            if number % 10_000 == 0:
                self._tell(number)
            yield one

    def made(self, iid: str, domain: str) -> MadeLog:
        records = sum(count for count, _ in self._kinds.values())
        values = sum(size for _, size in self._kinds.values())
        return MadeLog(
            records=records,
            bytes=self._bytes + values,
            seconds=round(time.monotonic() - self._began, 1),
            topics={topics.orphans(iid): self._orphans, topics.domain(iid, domain): records - self._orphans},
            kinds=[
                Kinds(t.decode(), _operation(o), *counts) for (t, o), counts in sorted(self._kinds.items())
            ],
        )


def _operation(said: bytes) -> str:
    return said.decode() if said in {b"CREATE", b"UPDATE", b"DELETE", b"-"} else "created"


def to_kafka(story: Story, iid: str, domain: str, kafka: Kafka, tell: Tell) -> MadeLog:
    """Makes both topics, which must be empty, and fills them. Raises LabError, UnreachableError.

    Records have the time of their sending, as BlueMind's have (change-log.md 1.4): with the story's own time the broker would
    compact them at once.
    """
    names = {ORPHANS: topics.orphans(iid), not ORPHANS: topics.domain(iid, domain)}
    there = Topics(kafka)
    there.create(dict.fromkeys(names.values(), PARTITIONS))
    if any(any(ends) for ends in there.ends(dict.fromkeys(names.values(), PARTITIONS)).values()):
        raise LabError("the log's topics are not empty", evidence=", ".join(names.values()))
    counted = _Counted(story, tell)
    producer = LogProducer(kafka)
    try:
        batch: list[LogRecord] = []
        for orphans, token, key, value in counted:
            batch.append(
                LogRecord(names[orphans], partition_of(token), 0, int(time.time() * 1000), key, value)
            )
            if len(batch) >= _BATCH:
                producer.send_all(batch)
                batch = []
        producer.send_all(batch)
        producer.flush()
    finally:
        producer.close()
    return counted.made(iid, domain)


def to_folder(story: Story, iid: str, domain: str, folder: Path, tell: Tell) -> MadeLog:
    """Writes the two files of a dump. Raises LabError when they are there already, or can not be written."""
    counted = _Counted(story, tell)
    offsets: dict[tuple[bool, int], int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            out = {
                orphans: _file(folder / name, files)
                for orphans, name in ((ORPHANS, ORPHANS_FILE), (not ORPHANS, domain + SUFFIX))
            }
            for orphans, token, key, value in counted:
                place = (orphans, partition_of(token))
                offset = offsets[place] = offsets.get(place, -1) + 1
                out[orphans].write(
                    b'{"key":%b,"partition":%d,"offset":%d,"value":%b}\n'
                    % (key, place[1], offset, b"null" if value is None else value)
                )
    except OSError as error:
        raise LabError(
            "the log could not be written",
            evidence=str(error),
            consequence="files that were there are as they were; what was begun is no whole log",
            next_command="bmswitch lab make-log with a new folder for --to",
        ) from error
    return counted.made(iid, domain)


def _file(path: Path, files: ExitStack) -> gzip.GzipFile:
    """A new compressed file without a time in it, so that equal logs are equal files."""
    raw = files.enter_context(path.open("xb"))
    return files.enter_context(gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0))
