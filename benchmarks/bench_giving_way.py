"""What a side's own clients feel of a whole proof: their latency without one, beside one that does not give way, and beside one that does.

Blue is a local server whose answers take a worker 4 ms each, with 4 workers: about 1,000 answers a second at most. Its clients ask 50 times a
second, whatever it answers (latency is from the moment at which they meant to ask). The proof reads with as many connections as it may have; its
target is a server that answers at once. Writes `parity/giving_way.json` and the plot beside it.

    python -m benchmarks.bench_giving_way [--seconds 10]
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.holds import quantile
from benchmarks.parity.kit import FOLDER, machine, served
from benchmarks.parity.plots import Points, plot
from benchmarks.parity.served import DOMAIN

from bmswitch.bluemind.bulk import Bulk
from bmswitch.bluemind.pace import Pace
from bmswitch.parity.full import FullPass, Hooks
from bmswitch.parity.sides import Sides

USERS, ITEMS, WORKERS, WORK_MS = 5000, 20, 4, 4
RATE = 50.0
CONNECTIONS = (1, 8, 16, 32, 64)
CHILD = "--client"
WARM = 2.0
"""Seconds of a proof before its effect is measured: it looks for its pace first."""


def main() -> int:
    """All phases, one after the other."""
    if CHILD in sys.argv:
        url, seconds = sys.argv[-2:]
        print(json.dumps(asyncio.run(clients(url, float(seconds)))))
        return 0
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=10.0)
    seconds = options.parse_args().seconds
    with served(USERS, ITEMS, WORKERS, WORK_MS) as blue, served(USERS, ITEMS) as green:
        quiet = measured(blue, green, seconds)
        figures: dict[str, Any] = {"quiet": quiet, "headlong": {}, "giving_way": {}}
        for number in CONNECTIONS:
            figures["headlong"][str(number)] = measured(blue, green, seconds, number, paced=False)
            figures["giving_way"][str(number)] = measured(blue, green, seconds, number, paced=True)
            print(number, figures["headlong"][str(number)], figures["giving_way"][str(number)], flush=True)
    report = {"figures": figures, "ratios": ratios(figures), "machine": machine()}
    (FOLDER / "giving_way.json").write_text(json.dumps(report, indent=2) + "\n")
    lines: dict[str, Points] = {"no proof": [(number, quiet["p99_ms"]) for number in CONNECTIONS]}
    for how in ("headlong", "giving_way"):
        lines[how.replace("_", " ")] = [
            (number, figures[how][str(number)]["p99_ms"]) for number in CONNECTIONS
        ]
    title = "What blue's clients wait beside a proof (99 % take at most, ms)"
    plot(FOLDER / "giving_way.svg", title, "connections of the proof", lines)
    print(json.dumps(report, indent=2))
    return 0


def measured(
    blue: str, green: str, seconds: float, connections: int = 0, *, paced: bool = False
) -> dict[str, float]:
    """The clients' latency while a proof reads with so many connections; and its reads a second."""
    return asyncio.run(_measured(blue, green, seconds, connections, paced=paced))


async def _measured(
    blue: str, green: str, seconds: float, connections: int, *, paced: bool
) -> dict[str, float]:
    if not connections:
        return await _asked(blue, seconds)
    pace = Pace(connections) if paced else None
    async with (
        Bulk(blue, "key", concurrency=connections, pace=pace) as source,
        Bulk(green, "key", concurrency=connections) as target,
    ):
        work = FullPass(Sides(source, target), Hooks(lambda *_: None), entries_at_once=connections)
        proof = asyncio.create_task(work.run([DOMAIN]))
        await asyncio.sleep(WARM)
        before, began = source.calls, time.monotonic()
        found = await _asked(blue, seconds)
        if proof.done():
            raise RuntimeError("the proof has ended before its effect was measured")
        found["reads_per_second"] = round((source.calls - before) / (time.monotonic() - began))
        proof.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await proof
    return found


async def _asked(url: str, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_giving_way", CHILD, url, str(seconds)]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    told, _ = await child.communicate()
    found: dict[str, float] = json.loads(told)
    return found


async def clients(url: str, seconds: float) -> dict[str, float]:
    """Asks at a fixed pace; milliseconds from the moment at which each was to be asked."""
    took: list[float] = []
    async with Bulk(url, "key", concurrency=512) as bulk:

        async def one(due: float) -> None:
            await asyncio.sleep(due - time.monotonic())
            await bulk.get("/api/containers/_manage/book:u1/_itemCount")
            took.append((time.monotonic() - due) * 1000)

        await one(time.monotonic())
        took.clear()
        start = time.monotonic() + 0.1
        async with asyncio.TaskGroup() as group:
            for n in range(int(RATE * seconds)):
                group.create_task(one(start + n / RATE))
    return {"p50_ms": round(quantile(took, 0.5), 1), "p99_ms": round(quantile(took, 0.99), 1)}


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Times the quiet moment's latency, with 64 connections; the price in reads a second; and 64 connections beside 8."""
    quiet, headlong, giving = figures["quiet"], figures["headlong"], figures["giving_way"]
    return {
        "p99_headlong_to_quiet": round(headlong["64"]["p99_ms"] / quiet["p99_ms"], 2),
        "p99_giving_way_to_quiet": round(giving["64"]["p99_ms"] / quiet["p99_ms"], 2),
        "p50_headlong_to_quiet": round(headlong["64"]["p50_ms"] / quiet["p50_ms"], 2),
        "p50_giving_way_to_quiet": round(giving["64"]["p50_ms"] / quiet["p50_ms"], 2),
        "reads_giving_way_to_headlong": round(
            giving["64"]["reads_per_second"] / headlong["64"]["reads_per_second"], 2
        ),
        "headlong_reads_at_64_to_8": round(
            headlong["64"]["reads_per_second"] / headlong["8"]["reads_per_second"], 2
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
