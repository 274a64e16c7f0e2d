"""What the proof costs: the whole one beside the bare read of the same API, the one at the switch, its ledger, bytes, memory.

Both sides are one local server of prepared bytes (`parity/served.py`), in a process of its own. *Our part* is processor time of our
process: nothing else on the machine is counted. Writes `parity/results.json` and the plots beside it.

    python -m benchmarks.bench_parity
"""

import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.parity.plots import plot
from benchmarks.parity.served import DOMAIN, item

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.digest import normalise, value_digest
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.model.topics import domain as topic_of
from bmswitch.parity.full import FullPass, Hooks
from bmswitch.parity.ledger import Ledger, touched_since
from bmswitch.parity.partial import compare
from bmswitch.parity.sides import Sides
from bmswitch.parity.touched import Touched

FOLDER = Path(__file__).parent / "parity"
TOPIC = topic_of("bluemind-00000000-0000-0000-0000-000000000001", DOMAIN)
CONNECTIONS = (1, 8, 32, 64)
TOUCHED = (1, 100, 10_000)
TOTALS = (10_000, 100_000, 1_000_000)
CHILD = "--child"
RUNS = 5
"""Of which the quickest counts where processor time is compared: what other guests of the machine slow down is not ours."""


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


@contextmanager
def served(*given: int) -> Iterator[str]:
    """The address of a server: users, items, and for one that takes its time workers and milliseconds of each answer."""
    command = [sys.executable, "-m", "benchmarks.parity.served", *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


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
    source, target = Counted(url, "key", concurrency=64), Counted(url, "key", concurrency=64)
    calls: list[tuple[str, bytes | None]] = []
    async with source, target:
        if not proof:
            async with Bulk(url, "key", concurrency=64) as other:
                await _pass(Recorder(source, calls), other)
            source.read = 0
        began, used = time.monotonic(), time.process_time()
        if proof:
            items = await _pass(source, target)
        else:
            items = await _bare(source, target, calls)
        seconds, cpu = time.monotonic() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "items": items,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "items_per_second": round(items / seconds),
        "items_per_cpu_second": round(items / cpu),
        "bytes_per_item": round((source.read + target.read) / items),
        "peak_mib": round(peak),
    }


async def _pass(source: Bulk, target: Bulk) -> int:
    work = FullPass(Sides(source, target), Hooks(lambda *_: None), entries_at_once=64)
    await work.run([DOMAIN])
    assert not work.seen.suspects
    return work.seen.items


class Counted(Bulk):
    """Counts the bytes of the answers' bodies."""

    read = 0

    async def raw(self, path: str, body: bytes | None = None) -> bytes:
        """Counted."""
        answer = await super().raw(path, body)
        self.read += len(answer)
        return answer


class Recorder(Bulk):
    """Notes every call of a proof that was answered, to make the same ones without it."""

    def __init__(self, bulk: Bulk, calls: list[tuple[str, bytes | None]]) -> None:
        self._bulk, self._calls, self.name = bulk, calls, bulk.name

    async def raw(self, path: str, body: bytes | None = None) -> bytes:
        """Noted."""
        answer = await self._bulk.raw(path, body)
        self._calls.append((path, body))
        return answer


async def _bare(source: Bulk, target: Bulk, calls: list[tuple[str, bytes | None]]) -> int:
    """The same calls, decoded and forgotten, as many at a time; the items in them."""
    left, items = iter(calls), 0

    async def worker() -> None:
        nonlocal items
        for path, body in left:
            for bulk in (source, target):
                answer = bulk.decoded(path, await bulk.raw(path, body))
                if bulk is source and isinstance(answer, list) and path.endswith(("/_mget", "/_all")):
                    items += len(answer)

    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(worker())
    return items


class Memory(Bulk):
    """Answers made before: what is left is our part. `bytes` are those of the answers' bodies."""

    def __init__(self, name: str, answers: Mapping[bytes, bytes]) -> None:
        """`answers` are by the JSON that asks for them."""
        self.name = name
        self.calls = self.bytes = 0
        self._answers = answers

    async def raw(self, path: str, body: bytes | None = None) -> bytes:  # noqa: ARG002 -- the body names the note
        """The note asked for."""
        self.calls += 1
        assert body is not None
        answer = self._answers[body]
        self.bytes += len(answer)
        return answer


def at_the_switch() -> dict[str, Any]:
    """Milliseconds of our processor time by touched containers, and by containers that there are altogether."""
    found: dict[str, Any] = {"ledger_ms": {}, "compare_ms": {}, "decode_ms": {}, "calls": {}, "bytes": {}}
    with tempfile.TemporaryDirectory() as folder:
        for total in TOTALS:
            for touched in TOUCHED:
                where = f"{touched} of {total}"
                measured = _switch(Path(folder) / f"{total}-{touched}", total, touched)
                for name, figure in measured.items():
                    found[name][where] = figure
    return {"at_the_switch": found}


def _switch(path: Path, total: int, touched: int) -> dict[str, float]:
    step = total // touched
    ledger = Ledger(path, "p", {TOPIC: [0] * 64})
    for n in range(touched):
        ledger.see(_record(n * step))
        if n % 1000 == 999:
            ledger.flush({(TOPIC, n % 64): n})
    ledger.flush({(TOPIC, 0): touched})
    ledger.close()
    used = time.process_time()
    known = touched_since(path, "p", {TOPIC: [0] * 64})
    loaded = time.process_time() - used
    assert known is not None
    answers = {
        msgspec.json.encode([uid]): _answer(uid) for items in known[0].places.values() for uid in items or ()
    }
    compared, decoded = [], []
    for _ in range(RUNS):
        used = time.process_time()
        for answer in answers.values():
            msgspec.json.decode(answer)
            msgspec.json.decode(answer)
        decoded.append(time.process_time() - used)
        source, target = Memory("blue", answers), Memory("green", answers)
        used = time.process_time()
        left = asyncio.run(_compare(source, target, known[0]))
        compared.append(time.process_time() - used)
        assert left == 0
        assert source.calls == touched
    return {
        "ledger_ms": round(1000 * loaded, 1),
        "compare_ms": round(1000 * min(compared), 1),
        "decode_ms": round(1000 * min(decoded), 1),
        "calls": source.calls + target.calls,
        "bytes": source.bytes + target.bytes,
    }


async def _compare(source: Bulk, target: Bulk, touched: Touched) -> int:
    return len((await compare(Sides(source, target), touched)).suspects)


def _answer(uid: str) -> bytes:
    return json.dumps([item(uid, 5, {"body": "x" * 300, "subject": uid})]).encode()


def _record(n: int, offset: int = 0) -> LogRecord:
    owner = f"0D38FB8C-D2CC-47B5-B6F9-{n:012d}"
    key = RecordKey(
        "notes", owner, f"notes:default_{owner}", 1000 + n, "net.bluemind.notes.api.VNote", Operation.UPDATE
    )
    value = b'{"value":{"subject":"%b"},"uid":"%d-5a1e-4f6e"}' % (b"x" * 500, n)
    return LogRecord(TOPIC, n % 64, offset, 0, encode_key(key), value)


def fold() -> dict[str, Any]:
    """Microseconds of processor time a record, when every item is another one: the ledger of touched items, and beside it the
    least that a digest kept for each container would need: its item's value decoded, normalised and hashed.

    What the ledger costs the whole mirror is in `results/mirror.json`.
    """
    count = 200_000
    records = [_record(n, n) for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "l", "p", {TOPIC: [0] * 64})
        used = time.process_time()
        for n, record in enumerate(records):
            ledger.see(record)
            if n % 1000 == 999:
                ledger.flush({(TOPIC, 0): n})
        cost = time.process_time() - used
        ledger.close()
    used = time.process_time()
    for record in records:
        value_digest(normalise(msgspec.json.decode(record.value or b"")["value"]))
    digests = time.process_time() - used
    return {
        "ledger_us_per_record": round(cost / count * 1e6, 2),
        "digest_us_per_record": round(digests / count * 1e6, 2),
    }


def ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """What the figures are worth: the proof to the bare read, a digest to the ledger."""
    largest = list(figures["full"].values())[-1]
    by = figures["reads_per_second_by_connections"]
    return {
        "proof_to_bare_read_cpu": round(
            largest["bare"]["items_per_cpu_second"] / largest["proof"]["items_per_cpu_second"], 2
        ),
        "switch_to_decoding_its_answers": round(
            figures["at_the_switch"]["compare_ms"]["10000 of 1000000"]
            / figures["at_the_switch"]["decode_ms"]["10000 of 1000000"],
            2,
        ),
        "digest_to_ledger": round(figures["digest_us_per_record"] / figures["ledger_us_per_record"], 2),
        "reads_at_64_to_8_connections": round(by["64"] / by["8"], 2),
        "switch_10000_of_1000000_to_10000_of_10000": round(
            figures["at_the_switch"]["compare_ms"]["10000 of 1000000"]
            / figures["at_the_switch"]["compare_ms"]["10000 of 10000"],
            2,
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


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
