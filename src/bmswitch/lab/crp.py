"""The stand-in of the reverse proxy's directory job: `python -m bmswitch.lab.crp --kafka B --installation ID --ready FILE`.

It reads the domain topics of one installation and writes what a clone needs to know its owners by: each record of type `dir` or
`memberships` unchanged, and tombstones before a DELETE, into `<hex32>-crp-dir-entries` (change-log.md 8.6). It goes on from its
consumer group's place; a record that is written twice does no harm.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bmswitch.model import topics
from bmswitch.model.errors import RecordError
from bmswitch.model.murmur import murmur2_partition
from bmswitch.model.records import SYSTEM, Operation, decode_item_uid, decode_key, encode_key
from bmswitch.model.topics import TopicKind

GROUP = "crp-dir-entries-stream"
PARTITIONS = 8
TYPES = frozenset({"dir", "memberships"})
_SETTINGS = {"cleanup.policy": "compact", "compression.type": "zstd", "max.compaction.lag.ms": "120000"}
_LOOK = 1.0
_WAIT = 10.0
_BATCH = 1000

log = logging.getLogger("bmswitch.lab.crp")
Written = tuple[int, bytes, bytes | None]


def copies(key: bytes, value: bytes | None) -> list[Written]:
    """What one record of a domain's topic becomes: partition, key and value of each copy, in their order."""
    if value is None:
        return []
    try:
        found = decode_key(key)
        if found.type not in TYPES:
            return []
        token = SYSTEM if found.owner == SYSTEM else decode_item_uid(value) or "default"
    except RecordError:
        return []
    partition = murmur2_partition(token, PARTITIONS)
    gone = (Operation.UPDATE, Operation.CREATE) if found.operation is Operation.DELETE else ()
    emptied = [encode_key(msgspec.structs.replace(found, operation=one)) for one in gone]
    return [*((partition, one, None) for one in emptied), (partition, key, value)]


class Job:
    """One run. `step` reads a batch, writes its copies and commits."""

    def __init__(self, bootstrap: str, installation_id: str) -> None:
        base: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._iid, self._target = installation_id, topics.crp(installation_id)
        self._producer = Producer({**base, "acks": "all", "enable.idempotence": True, "linger.ms": 5})
        self._consumer = Consumer(
            {
                **base,
                "group.id": GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "allow.auto.create.topics": False,
            }
        )
        self._admin = AdminClient(base)
        self._known: set[str] = set()
        self._looked = 0.0

    def prepare(self) -> None:
        """Makes its topic where that is allowed, and reads the domains that are there."""
        if self._target not in self._topics():
            wanted = NewTopic(self._target, num_partitions=PARTITIONS, replication_factor=1, config=_SETTINGS)
            for made in self._admin.create_topics([wanted]).values():
                made.result(_WAIT)
        self._look()

    def step(self) -> None:
        """One batch; a domain that is new is read from its beginning."""
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        if not self._known:
            time.sleep(0.1)
            return
        batch = [message for message in self._consumer.consume(_BATCH, 0.1) if message.error() is None]
        if batch:
            self._write(batch)

    def close(self) -> None:
        """Leaves."""
        self._producer.flush(_WAIT)
        self._consumer.close()

    def _write(self, batch: Iterable[Message]) -> None:
        last: dict[tuple[str, int], int] = {}
        for message in batch:
            for partition, key, value in copies(message.key() or b"", message.value()):
                self._producer.produce(self._target, value, key, partition=partition)
            last[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0) + 1
        self._producer.flush(_WAIT)
        self._consumer.commit(
            offsets=[TopicPartition(name, p, offset) for (name, p), offset in last.items()], asynchronous=True
        )

    def _look(self) -> None:
        """Takes up the topics of new domains, all of them where the group left them."""
        self._looked = time.monotonic()
        there = self._topics()
        mine = {name for name in there if self._is_domain(name)}
        if mine <= self._known:
            return
        wanted = [TopicPartition(name, p) for name in sorted(mine) for p in range(there[name])]
        placed = self._consumer.committed(wanted, timeout=_WAIT)
        self._consumer.assign(
            [TopicPartition(one.topic, one.partition, max(one.offset, 0)) for one in placed]
        )
        self._known = mine

    def _topics(self) -> dict[str, int]:
        found = self._admin.list_topics(timeout=_WAIT).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def _is_domain(self, name: str) -> bool:
        parsed = topics.parse(name)
        mine = parsed is not None and parsed.hex_id == topics.hex_id(self._iid)
        return mine and parsed is not None and parsed.kind is TopicKind.DOMAIN


def main(argv: list[str] | None = None) -> int:
    """Runs until SIGTERM; a Kafka that does not answer is asked again."""
    parser = argparse.ArgumentParser(prog="bmswitch.lab.crp")
    for name in ("--kafka", "--installation", "--ready"):
        parser.add_argument(name, required=True)
    told = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    job = Job(told.kafka, told.installation)
    prepared = False
    while not stop.is_set():
        try:
            if not prepared:
                job.prepare()
                prepared = True
                Path(told.ready).write_text("ready\n")
            job.step()
        except KafkaException as error:
            log.warning("Kafka: %s", error)
            stop.wait(0.5)
    job.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
