"""The folded first pass of a made log beside the unfolded one and MirrorMaker 2, on the same topics in the same run.

Apache Kafka, two single-node clusters on this machine. The log is `bmswitch lab make-log`'s. MirrorMaker 2 is measured from the first
record that it wrote to the last; ours from the start of the pass. `results/fold.json`.

    python -m benchmarks.bench_fold [--users 5000] [--records 2000000] [--keys 1000000 10000000]
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.bench_mirror import MIRROR_MAKER, clusters, consume_loop, machine
from benchmarks.fold_parts import decisions, window_memory
from confluent_kafka.admin import AdminClient

from bmswitch.kafka.topics import Topics
from bmswitch.lab.makelog.story import Story, installation_of
from bmswitch.lab.makelog.write import MadeLog, to_kafka
from bmswitch.lab.supervisor import programs
from bmswitch.model import topics
from bmswitch.model.config import Kafka

SEED, DOMAIN = 1, "made.lan"
RESULTS = Path(__file__).parent / "results" / "fold.json"
DEADLINE = 3600.0


def main() -> int:
    """Runs everything; 0 when it was measured, 0 with a word when Kafka is not installed."""
    options = argparse.ArgumentParser()
    options.add_argument("--users", type=int, default=5000)
    options.add_argument("--records", type=int, default=2_000_000)
    options.add_argument("--keys", type=int, nargs="*", default=[1_000_000, 10_000_000])
    options.add_argument("--sizes", choices=("live", "export"), default="live")
    options.add_argument("--parts", action="store_true", help="only what needs no Kafka")
    given = options.parse_args()
    if given.parts:
        return told(parts(given.keys), {})
    if programs.kafka_jars() is None or programs.find("java") is None:
        print("skipped: Apache Kafka is not installed (scripts/install-real-parts)")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="bmswitch-bench-") as folder,
        clusters(Path(folder)) as (blue, green),
    ):
        figures: dict[str, Any] = first_pass(Path(folder), blue, green, given)
    return told(figures | parts(given.keys), passes(figures))


def parts(keys: list[int]) -> dict[str, Any]:
    """What needs no Kafka."""
    return {**decisions(), "memory": [window_memory(count) for count in keys]}


def told(figures: dict[str, Any], ratios: dict[str, float]) -> int:
    """Writes and prints the report."""
    ratios |= {
        "fold_to_dict_of_decoded_keys": round(figures["dict_ns"] / figures["fold_ns"], 2),
        "decode_key_to_msgspec": round(figures["msgspec_ns"] / figures["decode_key_ns"], 2),
    }
    report = {"figures": figures, "ratios": ratios, "machine": machine()}
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


def first_pass(folder: Path, blue: str, green: str, given: argparse.Namespace) -> dict[str, Any]:
    """The log made, copied three ways."""
    iid = installation_of(SEED)
    story = Story(given.users, given.records, seed=SEED, domain=DOMAIN, installation=iid, sizes=given.sizes)
    made = to_kafka(story, iid, DOMAIN, Kafka(bootstrap=blue), lambda _: None)
    print(f"made {made.records:,} records in {made.seconds} s")
    consumed = consume_loop(blue, topics.domain(iid, DOMAIN), made.topics[topics.domain(iid, DOMAIN)])
    print(f"bare consume loop: {consumed:,.0f} records/s")
    figures: dict[str, Any] = {
        "users": given.users, "records": made.records, "sizes": given.sizes, "bytes_per_record": round(made.bytes / made.records),
        "made_in_seconds": made.seconds, "consume_records_per_second": round(consumed),
    }  # fmt: skip
    for how in ("fold", "copy"):
        figures[how] = worker(folder / how, blue, green, iid, how)
        print(how, figures[how])
        empty(green, iid)
    figures["mirrormaker2"] = mirror_maker(folder, blue, green, made)
    print("MirrorMaker 2", figures["mirrormaker2"])
    return figures


def passes(figures: dict[str, Any]) -> dict[str, float]:
    """More than 1 is in favour of the fold."""
    fold, copy, theirs = figures["fold"], figures["copy"], figures["mirrormaker2"]
    million = figures["records"] / 1e6
    return {
        "fold_to_mirrormaker2": round(theirs["seconds"] / fold["seconds"], 2),
        "fold_to_copy": round(copy["seconds"] / fold["seconds"], 2),
        "copy_to_mirrormaker2": round(theirs["seconds"] / copy["seconds"], 2),
        "fold_to_consume": round(
            figures["records"] / fold["seconds"] / figures["consume_records_per_second"], 2
        ),
        "written_to_read": round(fold["written"] / fold["read"], 3),
        "fold_cpu_seconds_per_million": round(fold["cpu_seconds"] / million, 2),
        "copy_cpu_seconds_per_million": round(copy["cpu_seconds"] / million, 2),
        "mirrormaker2_cpu_seconds_per_million": round(theirs["cpu_seconds"] / million, 2),
    }


def worker(run_dir: Path, blue: str, green: str, iid: str, how: str) -> dict[str, Any]:
    """One first pass in a process of its own, and the bytes that it left on green's disk."""
    script = Path(__file__).with_name("fold_worker.py")
    done = subprocess.run(
        [sys.executable, str(script), str(run_dir), blue, green, iid, how],
        check=True, stdout=subprocess.PIPE, text=True, timeout=DEADLINE,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    found["green_bytes_per_million"] = (
        on_disk(run_dir.parent / "lab", topics.hex_id(iid)) * 1_000_000 // found["read"]
    )
    return found


def on_disk(lab: Path, named: str) -> int:
    """Bytes of green's segments of topics whose names have this part."""
    return sum(one.stat().st_size for one in lab.glob(f"**/green/**/*{named}*/*.log"))


def empty(green: str, iid: str) -> None:
    """Removes the installation's topics, so that the next pass finds an empty cluster."""
    there = Topics(Kafka(bootstrap=green))
    admin = AdminClient({"bootstrap.servers": green})
    for answer in admin.delete_topics([*there.cluster().of(iid)]).values():
        answer.result(30)
    deadline = time.monotonic() + 60
    while there.cluster().of(iid) and time.monotonic() < deadline:
        time.sleep(0.2)


def mirror_maker(folder: Path, blue: str, green: str, made: MadeLog) -> dict[str, Any]:
    """MirrorMaker 2 with two tasks, both topics, from its first record to its last."""
    wanted = {f"blue.{name}": 64 for name in made.topics}
    properties = folder / "mm2.properties"
    properties.write_text(MIRROR_MAKER.format(blue=blue, green=green, topic=",".join(made.topics)))
    java, jars = programs.require("java"), programs.require_kafka_jars()
    with (folder / "mm2.log").open("wb") as log:
        process = subprocess.Popen(
            [java, "-Xmx512m", "-cp", f"{jars}/*", "org.apache.kafka.connect.mirror.MirrorMaker", str(properties)],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        return _timed(green, wanted, made.records, process.pid)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait(10)


def _timed(green: str, wanted: dict[str, int], records: int, pid: int) -> dict[str, Any]:
    there = Topics(Kafka(bootstrap=green))
    deadline = time.monotonic() + DEADLINE
    first, before = 0.0, 0.0
    while time.monotonic() < deadline:
        known = {name: count for name, count in wanted.items() if name in there.cluster().topics}
        copied = sum(sum(ends) for ends in there.ends(known).values())
        now = time.monotonic()
        if copied and not first:
            first, before = now, cpu_seconds(pid)
        if copied >= records:
            used = cpu_seconds(pid)
            return {
                "seconds": round(now - first, 2),
                "cpu_seconds": round(used - before, 2),
                "cpu_seconds_with_start": round(used, 2),
            }
        time.sleep(0.1)
    raise TimeoutError(f"MirrorMaker 2 was not done within {DEADLINE:.0f} s")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    sys.exit(main())
