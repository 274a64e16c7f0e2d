"""Loads a dumped change log and its bucket into a Kafka and a bucket that are empty of them.

The folder holds `orphans.jsonl.gz`, one `<domain>.jsonl.gz` a mail domain and, if bodies come with it, `objects.tar`. A
line is `{"key": {...}, "partition": n, "offset": n, "value": {...}}`, key and value as on the wire. Every line is checked
before the first one is produced; each goes to its own partition, in the order of the offsets. Gaps close up.
"""

import gzip
import hashlib
import io
import re
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import zstandard
from confluent_kafka import KafkaException, Producer
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from bmswitch.lab.site import S3
from bmswitch.model import topics
from bmswitch.model.errors import LabError, RecordError
from bmswitch.model.partition import PARTITIONS, partition_of
from bmswitch.model.records import (
    Operation,
    RecordKey,
    decode_envelope,
    decode_item_uid,
    decode_key,
    partition_token,
)

ORPHANS_FILE = "orphans.jsonl.gz"
OBJECTS_FILE = "objects.tar"
SUFFIX = ".jsonl.gz"
_BODY = re.compile(r"[0-9a-f]{40}")
_FLUSH = 60.0
_UPLOADS = 4
_WAITING = 64  # objects read ahead of the uploads
_MAX_BODY = 1 << 30

CreateTopics = Callable[[dict[str, int]], None]


class Line(msgspec.Struct, frozen=True):
    """One line of a dump, undecoded: `Raw` keeps the bytes of key and value. A null value is a tombstone."""

    key: msgspec.Raw
    partition: int
    offset: int
    value: msgspec.Raw


class DumpRecord(msgspec.Struct, frozen=True):
    """One checked record of a dump: `key` and `value` are the bytes to produce."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None


class Loaded(msgspec.Struct, frozen=True):
    """What was loaded: records by topic; objects uploaded, and those that the bucket already had."""

    records: dict[str, int]
    uploaded: int
    present: int


class Bucket(msgspec.Struct, frozen=True):
    """An S3 client with the bucket's name."""

    client: Minio
    name: str


_lines = msgspec.json.Decoder(Line)


def load_log(
    folder: str | Path,
    installation_id: str,
    bootstrap: str,
    create_topics: CreateTopics,
    s3: S3 | None = None,
) -> Loaded:
    """Check, create topics, produce, upload; may be repeated for the objects, not for the records.

    `installation_id` is `bluemind-<uuid>` and must be the dump's own. `create_topics` gets name to partition count.

    Raises:
        LabError: names file and line of what is wrong, or says what did not answer.
    """
    source = Path(folder)
    found = installation_of(source)
    if found != installation_id:
        raise LabError(
            "the dump is of another installation",
            evidence=f"{source / ORPHANS_FILE}: {found}, expected {installation_id}",
        )
    logs = {_topic(installation_id, path): read_dump(path) for path in log_files(source)}
    create_topics(dict.fromkeys(logs, PARTITIONS))
    produce(bootstrap, logs)
    uploaded = present = 0
    if s3 is not None and (source / OBJECTS_FILE).exists():
        uploaded, present = upload(source / OBJECTS_FILE, open_bucket(s3))
    return Loaded({topic: len(records) for topic, records in logs.items()}, uploaded, present)


def log_files(folder: Path) -> list[Path]:
    """The dump's files, orphans first. Raises LabError when there are none."""
    orphans = folder / ORPHANS_FILE
    if not orphans.is_file():
        raise LabError("the folder holds no dumped change log", evidence=f"{orphans} is missing")
    return [orphans, *sorted(path for path in folder.glob("*" + SUFFIX) if path != orphans)]


def installation_of(folder: Path) -> str:
    """`bluemind-<uuid>`, from the container of the dump's `installation` records. Raises LabError."""
    for number, line in _read_lines(log_files(folder)[0]):
        key = _decode_key(folder / ORPHANS_FILE, number, line)
        if key.type == "installation":
            return key.uid
    raise LabError("the dump names no installation", evidence=f"{folder / ORPHANS_FILE} has no such record")


def read_dump(path: Path) -> list[DumpRecord]:
    """All records of one file by partition and offset, each one checked. Raises LabError naming file and line."""
    records: list[DumpRecord] = []
    places: set[tuple[int, int]] = set()
    for number, line in _read_lines(path):
        record = _checked(path, number, line)
        place = (record.partition, record.offset)
        if place in places:
            raise _broken(path, number, f"offset {record.offset} of partition {record.partition} comes twice")
        places.add(place)
        records.append(record)
    return sorted(records, key=lambda record: (record.partition, record.offset))


def produce(bootstrap: str, logs: dict[str, list[DumpRecord]]) -> None:
    """Send the records to their partitions and wait for every acknowledgement. Raises LabError."""
    problems: list[str] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            problems.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "zstd",
            "linger.ms": 5,
            "message.max.bytes": 5_242_880,
            "log_level": 0,
        }
    )
    deadline = time.monotonic() + _FLUSH
    for topic, records in logs.items():
        for record in records:
            try:
                _send(producer, topic, record, delivered, deadline)
            except (KafkaException, BufferError) as error:
                raise LabError("a record was not taken by Kafka", evidence=f"{topic}: {error}") from error
    left = producer.flush(max(0.1, deadline - time.monotonic()))
    if left or problems:
        evidence = problems[0] if problems else f"{left} records were not acknowledged within {_FLUSH:.0f} s"
        raise LabError("the dump was not taken by Kafka", evidence=evidence)


def open_bucket(s3: S3) -> Bucket:
    """A client of the bucket, which is made when it is missing. Raises LabError."""
    address = urlsplit(s3.endpoint)
    try:
        access = Path(s3.access_key_file).read_text(encoding="utf-8").strip()
        secret = Path(s3.secret_key_file).read_text(encoding="utf-8").strip()
        client = Minio(address.netloc, access, secret, secure=address.scheme == "https", region=s3.region)
        if not client.bucket_exists(s3.bucket):
            client.make_bucket(s3.bucket)
    except (OSError, MinioException, HTTPError) as error:
        raise LabError("the bucket can not be used", evidence=f"{s3.endpoint}: {error}") from error
    return Bucket(client, s3.bucket)


def upload(path: Path, bucket: Bucket) -> tuple[int, int]:
    """Put the tar's objects that the bucket has not; returns (uploaded, there before). Raises LabError."""
    try:
        known = {str(found.object_name) for found in bucket.client.list_objects(bucket.name, recursive=True)}
        with ThreadPoolExecutor(_UPLOADS) as pool:
            waiting: list[Future[None]] = []
            uploaded = present = 0
            for name, content in read_objects(path):
                if name in known:
                    present += 1
                    continue
                waiting.append(pool.submit(_put, bucket, name, content))
                uploaded += 1
                if len(waiting) >= _WAITING:
                    waiting.pop(0).result()
            for upload_ in waiting:
                upload_.result()
    except (OSError, MinioException, HTTPError) as error:
        raise LabError("an object could not be stored", evidence=f"bucket {bucket.name}: {error}") from error
    return uploaded, present


def read_objects(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the tar's files; a body must be what its name says (change-log.md 7.1). Raises LabError."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is None:
                    continue
                name, content = Path(member.name).name, file.read()
                if _BODY.fullmatch(name) and _sha1(content) != name:
                    raise LabError("an object is not what its name says", evidence=f"{path}: {name}")
                yield name, content
    except tarfile.TarError as error:
        raise LabError("the archive of objects is damaged", evidence=f"{path}: {error}") from error


def _sha1(content: bytes) -> str:
    """SHA-1 of the decompressed mail, empty when it can not be decompressed."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)) as stream:
            return hashlib.sha1(stream.read(_MAX_BODY), usedforsecurity=False).hexdigest()
    except zstandard.ZstdError:
        return ""


def _put(bucket: Bucket, name: str, content: bytes) -> None:
    bucket.client.put_object(bucket.name, name, io.BytesIO(content), len(content))


def _send(
    producer: Producer,
    topic: str,
    record: DumpRecord,
    delivered: Callable[[object, object], None],
    deadline: float,
) -> None:
    while True:
        try:
            producer.produce(
                topic, record.value, record.key, partition=record.partition, on_delivery=delivered
            )
        except BufferError:
            if time.monotonic() > deadline:
                raise
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _topic(installation_id: str, path: Path) -> str:
    if path.name == ORPHANS_FILE:
        return topics.orphans(installation_id)
    name = topics.domain(installation_id, path.name.removesuffix(SUFFIX))
    if topics.parse(name) is None:
        raise LabError("a file of the dump is not named after a mail domain", evidence=str(path))
    return name


def _read_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """(line number from 1, line). Raises LabError."""
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            for number, text in enumerate(file, 1):
                yield number, _lines.decode(text)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, number, f"the file is damaged after this line: {error}") from error
    except msgspec.MsgspecError as error:
        raise _broken(path, number, str(error)) from error


def _checked(path: Path, number: int, line: Line) -> DumpRecord:
    key = _decode_key(path, number, line)
    raw, value = msgspec.json.format(bytes(line.key), indent=-1), bytes(line.value)
    if not 0 <= line.partition < PARTITIONS:
        raise _broken(path, number, f"partition {line.partition} is not one of {PARTITIONS}")
    if line.offset < 0:
        raise _broken(path, number, f"offset {line.offset} is negative")
    if value == b"null":
        return DumpRecord(line.partition, line.offset, raw, None)
    try:
        uid = decode_item_uid(value)
        if key.operation is not Operation.DELETE:
            decode_envelope(value)
    except RecordError as error:
        raise _broken(path, number, f"{error.cause}: {error.evidence}") from error
    expected = partition_of(partition_token(key, uid))
    if line.partition != expected:
        raise _broken(path, number, f"partition {line.partition}, but its key belongs to {expected}")
    return DumpRecord(line.partition, line.offset, raw, value)


def _decode_key(path: Path, number: int, line: Line) -> RecordKey:
    try:
        return decode_key(bytes(line.key))
    except RecordError as error:
        raise _broken(path, number, f"{error.cause}: {error.evidence}") from error


def _broken(path: Path, number: int, problem: str) -> LabError:
    return LabError(
        "a dump of the change log is broken",
        evidence=f"{path}, line {number}: {problem}",
        consequence="nothing was loaded",
    )
