"""The mirror beside what else copies a topic, on the same topic in the same run: records a second, processor time, memory.

Beside a loop that only consumes, a bare loop that consumes and produces (the floor of any copy in Python), MirrorMaker 2 with a task for
each processor, and `kcat | kcat` where it is installed (it keeps no partitions and can not hold a record with a line break: a floor in C,
no peer). The mirror has every cure of the default configuration on, once without and once with the ledger of touched items that the
proof at the switch reads.

Apache Kafka, two single-node clusters on this machine, topics with BlueMind's own settings (64 partitions, zstd). The log is one that
`bmswitch lab make-log` makes, with the sizes of a live one. `records_per_second` is from the first record on the target to the last, `from_cold` from the start
of the process. Processor time is all that the process used, its start included. Writes `results/mirror.json`.

    python -m benchmarks.bench_mirror [--records 1000000] [--more 4000000]
"""

import argparse
import contextlib
import functools
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.race import Goal, race
from confluent_kafka import Consumer, TopicPartition

from bmswitch.kafka.topics import Topics
from bmswitch.lab.makelog.story import Story, installation_of
from bmswitch.lab.makelog.write import MadeLog, to_kafka
from bmswitch.lab.supervisor import kafka_apache, ports, programs
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn, stop
from bmswitch.model.config import Kafka
from bmswitch.model.topics import domain

PLAIN, NOTED, LARGE = 1, 2, 4
"""Seeds of the made logs, each of an installation of its own."""

DOMAIN = "bench.lan"
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


def measure(folder: Path, blue: str, green: str, records: int, more: int) -> dict[str, Any]:
    """Every figure of one run."""
    print(f"making {records:,} records twice")
    made, noted = produce(blue, PLAIN, records), produce(blue, NOTED, records)
    topic, other = (domain(installation_of(seed), DOMAIN) for seed in (PLAIN, NOTED))
    count = made.topics[topic]
    figures: dict[str, Any] = {
        "records": count,
        "bytes_per_record": round(made.bytes / made.records, 1),
        "consume_records_per_second": round(consume_loop(blue, topic, count)),
    }
    goal = Goal(green, topic, count)
    Topics(Kafka(bootstrap=green)).create({f"loop.{topic}": 64, f"kcat.{topic}": 64})
    runs: dict[str, Callable[[], dict[str, float]]] = {
        "mirror": lambda: race(mirror(folder, blue, green, PLAIN), goal),
        "loop": lambda: race(script("copy_loop", blue, green, topic), goal.of(f"loop.{topic}")),
        "mirrormaker2": lambda: race(mirror_maker(folder, blue, green, topic), goal.of(f"blue.{topic}")),
        "mirror_with_ledger": lambda: race(
            mirror(folder, blue, green, NOTED, "ledger"), Goal(green, other, noted.topics[other])
        ),
    }
    if programs.find("kcat") is not None:
        runs["kcat"] = lambda: race(kcat(blue, green, topic, f"kcat.{topic}"), goal.of(f"kcat.{topic}"))
    for name, run in runs.items():
        figures[name] = run()
        print(name, figures[name], flush=True)
    if more:
        large = produce(blue, LARGE, more).topics[to := domain(installation_of(LARGE), DOMAIN)]
        figures["more_records"] = large
        figures["mirror_of_more"] = race(mirror(folder, blue, green, LARGE), Goal(green, to, large))
        print("mirror of more", figures["mirror_of_more"])
    return figures


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """The mirror beside the others: more than 1 is in its favour, but for memory and the ledger's cost."""
    ours, noted, theirs = figures["mirror"], figures["mirror_with_ledger"], figures["mirrormaker2"]
    found = {
        "mirror_to_consume": ours["records_per_second"] / figures["consume_records_per_second"],
        "mirror_to_loop": ours["records_per_second"] / figures["loop"]["records_per_second"],
        "mirror_to_loop_cpu": figures["loop"]["cpu_seconds_per_million"] / ours["cpu_seconds_per_million"],
        "mirror_to_mirrormaker2": ours["records_per_second"] / theirs["records_per_second"],
        "mirror_to_mirrormaker2_from_cold": ours["from_cold"] / theirs["from_cold"],
        "mirror_to_mirrormaker2_cpu": theirs["cpu_seconds_per_million"] / ours["cpu_seconds_per_million"],
        "ledger_cost": noted["cpu_seconds_per_million"] / ours["cpu_seconds_per_million"] - 1,
    }
    if "kcat" in figures:
        found["mirror_to_kcat"] = ours["records_per_second"] / figures["kcat"]["records_per_second"]
    if "mirror_of_more" in figures:
        found["memory_at_more_records"] = figures["mirror_of_more"]["peak_mib"] / ours["peak_mib"]
    return {name: round(value, 2) for name, value in found.items()}


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


def produce(bootstrap: str, seed: int, records: int) -> MadeLog:
    """A made log on the cluster; what it holds."""
    iid = installation_of(seed)
    story = Story(OWNERS, records, seed=seed, domain=DOMAIN, installation=iid, sizes="live")
    return to_kafka(story, iid, DOMAIN, Kafka(bootstrap=bootstrap), lambda _: None)


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


def script(name: str, *words: str) -> list[list[str]]:
    """The command of one of the scripts beside this one."""
    return [[sys.executable, "-m", f"benchmarks.{name}", *words]]


def mirror(folder: Path, blue: str, green: str, seed: int, *more: str) -> list[list[str]]:
    """The mirror as `bmswitch replicate` runs it, of one made log."""
    installation = installation_of(seed)
    return script("mirror_worker", str(folder / installation), blue, green, installation, *more)


def kcat(blue: str, green: str, topic: str, to: str) -> list[list[str]]:
    """Two of them, one writing what the other reads."""
    read = ["kcat", "-b", blue, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-K", "\t"]
    write = ["kcat", "-b", green, "-P", "-t", to, "-K", "\t", "-z", "zstd", "-X", "linger.ms=20"]
    return [read, write]


def mirror_maker(folder: Path, blue: str, green: str, topic: str) -> list[list[str]]:
    """MirrorMaker 2 with two tasks; it renames the topic to `blue.<topic>`."""
    properties = folder / "mm2.properties"
    properties.write_text(MIRROR_MAKER.format(blue=blue, green=green, topic=topic))
    java, jars = programs.require("java"), programs.require_kafka_jars()
    name = "org.apache.kafka.connect.mirror.MirrorMaker"
    return [[java, "-Xmx512m", "-cp", f"{jars}/*", name, str(properties)]]


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


def machine() -> dict[str, str | int]:
    """Where it was measured."""
    return {"cpus": os.cpu_count() or 0, "system": platform.platform(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
