"""Records per second of the mirror, beside a bare consume loop and MirrorMaker 2, on the same topic in the same run.

Apache Kafka, two single-node clusters on this machine, topics with BlueMind's own settings (64 partitions, zstd). The
records are mail triples (body, search source, mail record) with the average sizes of a real live log (change-log.md 5.3,
dump B: 1,227, 1,105 and 585 bytes of value). Figures of MirrorMaker 2 are from the first record it wrote, ours too: the
start of a JVM is not counted. Writes `results/mirror.json`.

    python -m benchmarks.bench_mirror [--records 1000000] [--more 4000000]
"""

import argparse
import contextlib
import functools
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from bmswitch.kafka.topics import Topics
from bmswitch.lab.supervisor import kafka_apache, ports, programs
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn, stop
from bmswitch.model.config import Kafka
from bmswitch.model.partition import partition_of
from bmswitch.model.records import Operation, RecordKey, encode_key
from bmswitch.model.topics import domain

SMALL = "bluemind-00000000-0000-0000-0000-000000000001"
LARGE = "bluemind-00000000-0000-0000-0000-000000000004"
DOMAIN = "bench.lan"
SHAPES = (("message_bodies", 1227), ("message_bodies_es_source", 1105), ("mailbox_records", 585))
OWNERS = 5000
RESULTS = Path(__file__).parent / "results" / "mirror.json"
DEADLINE = 900.0


def main() -> int:
    """Runs everything; 0 when it was measured, 0 with a word when Kafka is not installed."""
    options = argparse.ArgumentParser()
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--more", type=int, default=4_000_000)
    given = options.parse_args()
    if programs.kafka_jars() is None or programs.find("java") is None:
        print("skipped: Apache Kafka is not installed (scripts/install-real-parts)")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="bmswitch-bench-") as folder,
        clusters(Path(folder)) as (blue, green),
    ):
        figures = measure(Path(folder), blue, green, given.records, given.more)
    report = {"figures": figures, "ratios": ratios(figures), "machine": machine()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


def measure(folder: Path, blue: str, green: str, records: int, more: int) -> dict[str, float]:
    """Every figure of one run."""
    topic = domain(SMALL, DOMAIN)
    print(f"producing {records:,} records")
    value_bytes = produce(blue, topic, records)
    consume = consume_loop(blue, topic, records)
    print(f"bare consume loop: {consume:,.0f} records/s")
    ours, rss = mirror(folder / "one", blue, green, SMALL, records)
    print(f"mirror: {ours:,.0f} records/s, {rss} MiB at its peak")
    theirs = mirror_maker(folder, blue, green, topic, records)
    print(f"MirrorMaker 2: {theirs:,.0f} records/s")
    figures = {
        "records": records,
        "value_bytes_per_record": round(value_bytes / records, 1),
        "consume_records_per_second": round(consume),
        "mirror_records_per_second": round(ours),
        "mirrormaker2_records_per_second": round(theirs),
        "mirror_peak_mib": rss,
    }
    if more:
        produce(blue, domain(LARGE, DOMAIN), more)
        rate, rss_more = mirror(folder / "more", blue, green, LARGE, more)
        print(f"mirror of {more:,}: {rate:,.0f} records/s, {rss_more} MiB at its peak")
        figures |= {"more_records": more, "more_records_per_second": round(rate), "more_peak_mib": rss_more}
    return figures


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """The mirror beside the others, and its memory at more records beside its memory at fewer."""
    rate = figures["mirror_records_per_second"]
    found = {
        "mirror_to_consume": round(rate / figures["consume_records_per_second"], 2),
        "mirror_to_mirrormaker2": round(rate / figures["mirrormaker2_records_per_second"], 2),
    }
    if "more_peak_mib" in figures:
        found["memory_at_more_records"] = round(figures["more_peak_mib"] / figures["mirror_peak_mib"], 2)
    return found


@contextlib.contextmanager
def clusters(folder: Path) -> Iterator[tuple[str, str]]:
    """Two Kafkas; their bootstrap addresses."""
    layout = Layout(folder / "lab")
    layout.make()
    names = ("blue", "blue-controller", "green", "green-controller")
    chosen = ports.pick(dict.fromkeys(names, SHARED_ADDRESS))
    started: list[Process] = []
    try:
        addresses = []
        for name in ("blue", "green"):
            properties = kafka_apache.prepare(layout.kafka / name, chosen[name], chosen[f"{name}-controller"])
            process = spawn(layout, name, kafka_apache.server_command(properties, heap_mb=512))
            started.append(process)
            address = f"{SHARED_ADDRESS}:{chosen[name]}"
            await_ready(layout, process, functools.partial(kafka_apache.answers, address), kafka_apache.READY)
            addresses.append(address)
        yield addresses[0], addresses[1]
    finally:
        for process in started:
            stop(process, grace=10.0)


def produce(bootstrap: str, topic: str, records: int) -> int:
    """Fills the topic; bytes of all values."""
    Topics(Kafka(bootstrap=bootstrap)).create({topic: 64})
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "zstd",
            "linger.ms": 50,
            "queue.buffering.max.messages": 100_000,
            "acks": 1,
        }
    )
    values = {name: [value(name, size, i) for i in range(500)] for name, size in SHAPES}
    owners = [f"{random.Random(i).getrandbits(128):032x}" for i in range(OWNERS)]  # noqa: S311 - no secret
    total = 0
    for i in range(records):
        name, _ = SHAPES[i % 3]
        owner = owners[(i // 3 * 7) % OWNERS]
        key = encode_key(
            RecordKey(name, owner, f"{owner}_at_{DOMAIN}_{name}", i + 1, "x.Value", Operation.CREATE)
        )
        payload = values[name][i % 500]
        total += len(payload)
        while True:
            try:
                producer.produce(topic, payload, key, partition_of(owner))
                break
            except BufferError:
                producer.poll(0.05)
    if producer.flush(120):
        raise TimeoutError("the records were not produced")
    return total


def value(name: str, size: int, seed: int) -> bytes:
    """An envelope of about `size` bytes whose text compresses like mail, not like zeros."""
    draw = random.Random(f"{name}{seed}")  # noqa: S311 - no secret
    words = [f"{draw.getrandbits(24):x}" if draw.random() < 0.2 else draw.choice(WORDS) for _ in range(size)]
    text = " ".join(words)[: size - 120]
    return b'{"value":{"data":"%s"},"uid":"%032x","internalId":1,"version":0}' % (
        text.encode(),
        draw.getrandbits(128),
    )


WORDS = [
    "yeah",
    "this",
    "is",
    "a",
    "body",
    "of",
    "mail",
    "with",
    "words",
    "that",
    "people",
    "write",
    "to",
    "each",
    "other",
    "every",
    "day",
    "about",
    "work",
]


def consume_loop(bootstrap: str, topic: str, records: int) -> float:
    """Records per second of a loop that only reads."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(64)])
    consumer.consume(1, 30)
    start, seen = time.monotonic(), 1
    while seen < records:
        seen += len(consumer.consume(5000, 1.0))
        if time.monotonic() - start > DEADLINE:
            raise TimeoutError("the records were not consumed")
    took = time.monotonic() - start
    consumer.close()
    return records / took


def mirror(run_dir: Path, blue: str, green: str, installation: str, records: int) -> tuple[float, int]:
    """Records per second and peak memory (MiB) of the mirror."""
    run_dir.mkdir(parents=True)
    script = Path(__file__).with_name("mirror_worker.py")
    process = subprocess.Popen([sys.executable, str(script), str(run_dir), blue, green, installation])
    try:
        rate = rate_of(green, domain(installation, DOMAIN), records)
        return rate, peak_mib(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def mirror_maker(folder: Path, blue: str, green: str, topic: str, records: int) -> float:
    """Records per second of MirrorMaker 2 with two tasks; it renames the topic to `blue.<topic>`."""
    properties = folder / "mm2.properties"
    properties.write_text(MIRROR_MAKER.format(blue=blue, green=green, topic=topic))
    java, jars = programs.require("java"), programs.require_kafka_jars()
    with (folder / "mm2.log").open("wb") as log:
        process = subprocess.Popen(
            [
                java,
                "-Xmx512m",
                "-cp",
                f"{jars}/*",
                "org.apache.kafka.connect.mirror.MirrorMaker",
                str(properties),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        return rate_of(green, f"blue.{topic}", records)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait(10)


MIRROR_MAKER = """clusters=blue,green
blue.bootstrap.servers={blue}
green.bootstrap.servers={green}
blue->green.enabled=true
green->blue.enabled=false
blue->green.topics={topic}
tasks.max=2
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
config.storage.replication.factor=1
emit.heartbeats.enabled=false
emit.checkpoints.enabled=false
sync.group.offsets.enabled=false
blue.consumer.auto.offset.reset=earliest
green.producer.compression.type=zstd
green.producer.batch.size=524288
green.producer.linger.ms=20
dedicated.mode.enable.internal.rest=false
"""


def rate_of(bootstrap: str, topic: str, records: int) -> float:
    """Records per second from the first record that is on green to the last."""
    topics = Topics(Kafka(bootstrap=bootstrap))
    deadline = time.monotonic() + DEADLINE
    first, before = 0.0, 0
    while time.monotonic() < deadline:
        if topic in topics.cluster().topics:
            there = sum(topics.ends({topic: 64})[topic])
            now = time.monotonic()
            if there and not first:
                first, before = now, there
            if there >= records:
                return (there - before) / (now - first) if now > first else float(there)
        time.sleep(0.1)
    raise TimeoutError(f"{topic} was not copied within {DEADLINE:.0f} s")


def peak_mib(pid: int) -> int:
    """Highest resident memory of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def machine() -> dict[str, str | int]:
    """Where it was measured."""
    return {"cpus": os.cpu_count() or 0, "system": platform.platform(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
