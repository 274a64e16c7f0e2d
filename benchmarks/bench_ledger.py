"""What the ledger of touched items costs the copy: the mirror with it and without it, in turn, each on a made log of its own.

As `bench_mirror` runs the mirror: Apache Kafka, two clusters on this machine, every cure of the default configuration, a process of its own.
The medians of some rounds are compared, because one run differs from the next by more than the ledger costs. Writes `parity/ledger.json`.

    python -m benchmarks.bench_ledger [--records 300000] [--rounds 3]
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.bench_mirror import DOMAIN, clusters, mirror, produce
from benchmarks.parity.kit import FOLDER, machine
from benchmarks.race import Goal, race

from bmswitch.lab.makelog.story import installation_of
from bmswitch.lab.supervisor import programs
from bmswitch.model.topics import domain

FIGURES = ("records_per_second", "cpu_seconds_per_million", "peak_mib")
FIRST_SEED = 10


def main() -> int:
    """Runs everything; 0 when it was measured, 0 with a word when Kafka is not installed."""
    options = argparse.ArgumentParser()
    options.add_argument("--records", type=int, default=300_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    if programs.kafka_jars() is None or programs.find("java") is None:
        print("skipped: Apache Kafka is not installed (scripts/install-real-parts)")
        return 0
    runs: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    with (
        tempfile.TemporaryDirectory(prefix="bmswitch-bench-") as folder,
        clusters(Path(folder)) as (blue, green),
    ):
        seed = FIRST_SEED
        for n in range(given.rounds):
            for how in sorted(runs, reverse=n % 2 == 0):
                runs[how].append(_run(Path(folder), blue, green, seed, given.records, noted=how == "with"))
                print(how, runs[how][-1], flush=True)
                seed += 1
    medians = {
        how: {name: statistics.median(one[name] for one in of) for name in FIGURES}
        for how, of in runs.items()
    }
    report = {
        "records": given.records,
        "runs": runs,
        "medians": medians,
        "ratios": ratios(medians),
        "machine": machine(),
    }
    (FOLDER / "ledger.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


def _run(folder: Path, blue: str, green: str, seed: int, records: int, *, noted: bool) -> dict[str, float]:
    """One made log, copied."""
    topic = domain(installation_of(seed), DOMAIN)
    count = produce(blue, seed, records).topics[topic]
    return race(mirror(folder, blue, green, seed, *(["ledger"] if noted else [])), Goal(green, topic, count))


def ratios(medians: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What the ledger costs as a share of the copy: of its processor time, of its records a second, of its memory."""
    plain, noted = medians["without"], medians["with"]
    return {
        "processor_time": round(noted["cpu_seconds_per_million"] / plain["cpu_seconds_per_million"] - 1, 2),
        "records_per_second": round(1 - noted["records_per_second"] / plain["records_per_second"], 2),
        "memory": round(noted["peak_mib"] / plain["peak_mib"] - 1, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
