"""What the proof costs: the whole one beside the bare read of the same API, the one at the switch, its ledger, bytes, memory.

Both sides are one local server of prepared bytes (`parity/served.py`), in a process of its own. *Our part* is processor time of our
process: nothing else on the machine is counted. Writes `parity/results.json` and the plots beside it.

    python -m benchmarks.bench_parity
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.parity.kit import FOLDER, RUNS, counted, machine, served
from benchmarks.parity.plots import plot
from benchmarks.parity.served import DOMAIN
from benchmarks.parity.switch import TOPIC, TOTALS, TOUCHED, at_the_switch, record

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.digest import normalise, value_digest
from bmswitch.parity.full import FullPass, Hooks
from bmswitch.parity.ledger import Ledger
from bmswitch.parity.sides import Sides

CONNECTIONS = (1, 8, 16, 32, 64)
CHILD = "--child"


def main() -> int:
    """Everything, in this order."""
    if CHILD in sys.argv:
        print(json.dumps(asyncio.run(whole(*map(int, sys.argv[sys.argv.index(CHILD) + 1 :])))))
        return 0
    figures: dict[str, Any] = {}
    figures |= connections()
    figures |= full()
    figures |= at_the_switch()
    figures |= fold()
    report = {"figures": figures, "ratios": ratios(figures), "machine": machine()}
    (FOLDER / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    plots(figures)
    print(json.dumps(report, indent=2))
    return 0


def connections() -> dict[str, Any]:
    """Reads a second of our client by its number of connections: it must not collapse with many."""
    found = {}
    with served(1, 20) as url:
        for number in CONNECTIONS:
            found[str(number)] = round(asyncio.run(_reads(url, number)))
    return {"reads_per_second_by_connections": found}


async def _reads(url: str, number: int, count: int = 4000) -> float:
    async with Bulk(url, "key", concurrency=number) as bulk:
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                group.create_task(bulk.get(f"/api/containers/_manage/book:u{n}/_itemCount"))
        return count / (time.monotonic() - started)


def full() -> dict[str, Any]:
    """The whole proof and the bare reads of the same calls, each in a process of its own; and its memory by size."""
    found: dict[str, Any] = {"full": {}, "peak_mib_by_containers": {}}
    for users in (200, 2000):
        with served(users, 50) as url:
            port = url.rsplit(":", 1)[1]
            proof, bare = _quickest(port)
        found["full"][str(users * 3)] = {"proof": proof, "bare": bare}
        found["peak_mib_by_containers"][str(users * 3)] = proof["peak_mib"]
    return found


def _quickest(port: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The proof and the bare reads in turn; of each the run that took the least."""
    runs = [(_child(port, "1"), _child(port, "0")) for _ in range(RUNS)]
    proofs, bares = zip(*runs, strict=True)
    return min(proofs, key=_cpu), min(bares, key=_cpu)


def _cpu(run: dict[str, Any]) -> float:
    return float(run["cpu_seconds"])


def _child(*given: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_parity", CHILD, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


async def whole(port: int, proof: int) -> dict[str, Any]:
    """One full pass, or the same calls without it."""
    url = f"http://127.0.0.1:{port}"
    source, target = Bulk(url, "key", concurrency=64), Bulk(url, "key", concurrency=64)
    calls: list[tuple[str, bytes | None]] = []
    async with source, target:
        if not proof:
            async with Bulk(url, "key", concurrency=64) as other:
                items = await _pass(Recorder(source, calls), other)
        before = await counted(url)
        began, used = time.monotonic(), time.process_time()
        if proof:
            items = await _pass(source, target)
        else:
            await _bare(source, target, calls)
        seconds, cpu = time.monotonic() - began, time.process_time() - used
    after = await counted(url)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "items": items,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "items_per_second": round(items / seconds),
        "items_per_cpu_second": round(items / cpu),
        "bytes_asked_per_item": round((after.received - before.received) / items),
        "bytes_answered_per_item": round((after.sent - before.sent) / items),
        "peak_mib": round(peak),
    }


async def _pass(source: Bulk, target: Bulk) -> int:
    work = FullPass(Sides(source, target), Hooks(lambda *_: None), entries_at_once=64)
    await work.run([DOMAIN])
    assert not work.seen.suspects
    return work.seen.items


class Recorder(Bulk):
    """Notes every call of a proof that was answered, to make the same ones without it."""

    def __init__(self, bulk: Bulk, calls: list[tuple[str, bytes | None]]) -> None:
        self._bulk, self._calls, self.name = bulk, calls, bulk.name

    async def raw(self, path: str, body: bytes | None = None) -> bytes:
        """Noted."""
        answer = await self._bulk.raw(path, body)
        self._calls.append((path, body))
        return answer


async def _bare(source: Bulk, target: Bulk, calls: list[tuple[str, bytes | None]]) -> None:
    """The same calls, as many at a time; what they are answered is not even decoded."""
    left = iter(calls)

    async def worker() -> None:
        for path, body in left:
            await source.raw(path, body)
            await target.raw(path, body)

    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(worker())


def fold() -> dict[str, Any]:
    """Microseconds of processor time a record, when every item is another one: the ledger of touched items, and beside it the
    least that a digest kept for each container would need: its item's value decoded, normalised and hashed.

    What the ledger costs the whole mirror is in `results/mirror.json`.
    """
    count = 200_000
    records = [record(n, n) for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "l", "p", {TOPIC: [0] * 64})
        used = time.process_time()
        for n, one in enumerate(records):
            ledger.see(one)
            if n % 1000 == 999:
                ledger.flush({(TOPIC, 0): n})
        cost = time.process_time() - used
        ledger.close()
    used = time.process_time()
    for one in records:
        value_digest(normalise(msgspec.json.decode(one.value or b"")["value"]))
    digests = time.process_time() - used
    return {
        "ledger_us_per_record": round(cost / count * 1e6, 2),
        "digest_us_per_record": round(digests / count * 1e6, 2),
    }


def ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """What the figures are worth: the proof to the bare read, a digest to the ledger."""
    largest = list(figures["full"].values())[-1]
    by = figures["reads_per_second_by_connections"]
    switch, most = figures["at_the_switch"], "10000 of 1000000"
    return {
        "proof_to_bare_read_cpu": round(
            largest["bare"]["items_per_cpu_second"] / largest["proof"]["items_per_cpu_second"], 2
        ),
        "switch_to_decoding_its_answers": round(switch["compare_ms"][most] / switch["decode_ms"][most], 2),
        "digest_to_ledger": round(figures["digest_us_per_record"] / figures["ledger_us_per_record"], 2),
        "reads_at_64_to_8_connections": round(by["64"] / by["8"], 2),
        "switch_10000_of_1000000_to_10000_of_10000": round(
            switch["compare_ms"][most] / switch["compare_ms"]["10000 of 10000"], 2
        ),
    }


def plots(figures: dict[str, Any]) -> None:
    """Two pictures beside the results."""
    switch = figures["at_the_switch"]
    plot(
        FOLDER / "switch.svg",
        "Our part of the proof at the switch (ms of processor time)",
        "touched containers",
        {
            f"{total:,} containers": [
                (
                    touched,
                    max(
                        0.1,
                        switch["ledger_ms"][f"{touched} of {total}"]
                        + switch["compare_ms"][f"{touched} of {total}"],
                    ),
                )
                for touched in TOUCHED
            ]
            for total in TOTALS
        },
    )
    plot(
        FOLDER / "connections.svg",
        "Reads a second of the bulk client",
        "connections",
        {
            "reads a second": [
                (int(n), rate) for n, rate in figures["reads_per_second_by_connections"].items()
            ]
        },
    )


if __name__ == "__main__":
    sys.exit(main())
