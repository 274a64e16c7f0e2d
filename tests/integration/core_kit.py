"""Stand-in cores as processes of their own, on an embedded Kafka and a real bucket: what tests of them share."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import httpx
import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from tests.integration.parts import BucketServer

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.site import S3, Seed, StandIn, Version, save_site
from bmswitch.lab.supervisor import ports
from bmswitch.model import topics
from bmswitch.model.murmur import murmur2_partition
from bmswitch.model.records import RecordKey, decode_item_uid, decode_key, partition_token

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
DOMAIN = "lab.test"
TOKENS = {"blue": "11111111-1111-4111-8111-111111111111", "green": "22222222-2222-4222-8222-222222222222"}
ADDRESSES = {"blue": "127.0.1.1", "green": "127.0.2.1"}


class Record(msgspec.Struct, frozen=True):
    """One record as Kafka has it."""

    topic: str
    partition: int
    offset: int
    raw_key: bytes
    value: bytes | None

    @property
    def key(self) -> RecordKey:
        return decode_key(self.raw_key)


def until(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Wait for a condition; fails the test at the limit."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


class HasBootstrap(Protocol):
    """A Kafka, embedded or real, of which only the address matters."""

    bootstrap: str


def make_site(
    folder: Path,
    kafka: HasBootstrap,
    *,
    name: str = "blue",
    version: Version = "5.0",
    bucket: BucketServer | None = None,
    seed: Seed | None = None,
) -> StandIn:
    """Site of a core on free ports."""
    chosen = ports.pick(dict.fromkeys(("http", "imap", "smtp"), ADDRESSES[name]))
    for part in ("data", "etc"):
        (folder / name / part).mkdir(parents=True, exist_ok=True)
    keys = folder / "secrets"
    keys.mkdir(exist_ok=True)
    (keys / f"{name}.token").write_text(TOKENS[name])
    s3 = None
    if bucket is not None:
        (keys / "s3.access").write_text(bucket.access_key)
        (keys / "s3.secret").write_text(bucket.secret_key)
        s3 = S3(
            endpoint=bucket.endpoint,
            access_key_file=str(keys / "s3.access"),
            secret_key_file=str(keys / "s3.secret"),
        )
    return StandIn(
        name=name,
        version=version,
        installation_id=IID,
        address=ADDRESSES[name],
        http_port=chosen["http"],
        imap_port=chosen["imap"],
        smtp_port=chosen["smtp"],
        kafka_bootstrap=kafka.bootstrap,
        data_dir=str(folder / name / "data"),
        etc_dir=str(folder / name / "etc"),
        s3=s3,
        seed=seed,
    )


def create_topics(kafka: EmbeddedKafka) -> None:
    """What the lab creates beforehand, as clients can not."""
    for topic in (topics.orphans(IID), topics.domain(IID, DOMAIN)):
        kafka.create_topic(topic, 64)
    kafka.create_topic(topics.crp(IID), 8)


class RunningCore:
    """A core process and its REST API."""

    def __init__(self, site: StandIn) -> None:
        self.site = site
        self.file = site.etc.parent / "site.json"
        save_site(site, self.file)
        self.log = site.etc.parent / "core.log"
        self.http = httpx.Client(
            base_url=site.url, headers={"X-BM-ApiKey": TOKENS[site.name]}, timeout=10.0, trust_env=False
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Spawn and wait until REST answers."""
        self.spawn()
        until(self.answers, f"{self.site.name} answers; {self.log.read_text()[-2000:]}")

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Spawn without waiting."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bmswitch.lab.core", str(self.file)], stdout=log, stderr=log
            )
        return self._process

    def answers(self) -> bool:
        """Whether REST is up."""
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            return bool(self.state())
        except httpx.TransportError:
            return False

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait until the process is gone."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)
            self._process.wait(25.0)

    def call(self, method: str, path: str, body: object = None) -> object:
        """The decoded answer; fails the test on an error."""
        content = None if body is None else msgspec.json.encode(body)
        answer = self.http.request(method, path, content=content)
        assert answer.status_code in (200, 204), f"{method} {path}: {answer.status_code} {answer.text}"
        return msgspec.json.decode(answer.content) if answer.content else None

    def state(self) -> str:
        """State of the installation."""
        return str(self.call("GET", "/api/system/installation/state"))


@contextmanager
def running(site: StandIn) -> Iterator[RunningCore]:
    """A started core, ended with the test."""
    core = RunningCore(site)
    try:
        core.start()
        yield core
    finally:
        core.end(signal.SIGKILL)
        core.http.close()


def watermarks(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Low and high offset; a topic that was just made has no leader for a moment."""
    deadline = time.monotonic() + 15.0
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=10.0)
        except KafkaException:
            assert time.monotonic() < deadline, f"{place} has no leader"
            time.sleep(0.05)
        else:
            return int(low), int(high)


def read_topic(bootstrap: str, topic: str) -> list[Record]:
    """All records of a topic up to its end of now, by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False, "log_level": 0}
    )
    found: list[Record] = []
    try:
        partitions = list(consumer.list_topics(timeout=10.0).topics[topic].partitions)
        marks = {p: watermarks(consumer, TopicPartition(topic, p)) for p in partitions}
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in marks.items()])
        wanted = sum(high - low for low, high in marks.values())
        deadline = time.monotonic() + 30.0
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{topic}: {len(found)} of {wanted}"
            for message in consumer.consume(1000, 0.2):
                assert message.error() is None
                place = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
                found.append(Record(*place, bytes(message.key() or b""), message.value()))
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def derive_crp(kafka: EmbeddedKafka, domain: str = DOMAIN) -> None:
    """What the reverse proxy's stream does: directory records to `crp-dir-entries` (change-log.md 8.6)."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    for record in read_topic(kafka.bootstrap, topics.domain(IID, domain)):
        if record.key.type == "dir" and record.value is not None:
            token = partition_token(record.key, decode_item_uid(record.value))
            owner = "system" if record.key.owner == "system" else token
            producer.produce(
                topics.crp(IID), record.value, record.raw_key, partition=murmur2_partition(owner, 8)
            )
    assert producer.flush(10.0) == 0
