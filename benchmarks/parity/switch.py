"""The proof at the switch, by the containers that were touched and by those that there are: our part, and what goes over the wire.

Our part is processor time of this process, answers being there at once. Then the same proof reads from a server that really has as many
containers, and the bytes are counted where they come out of the sockets.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.parity.kit import RUNS, counted, served
from benchmarks.parity.served import DOMAIN, container_of, note, owner_of

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.model.topics import domain as topic_of
from bmswitch.parity.ledger import Ledger, touched_since
from bmswitch.parity.partial import compare
from bmswitch.parity.sides import Sides
from bmswitch.parity.touched import Touched

TOPIC = topic_of("bluemind-00000000-0000-0000-0000-000000000001", DOMAIN)
TOUCHED = (1, 100, 10_000)
TOTALS = (10_000, 100_000, 1_000_000)
START = {TOPIC: [0] * 64}


class Memory(Bulk):
    """Answers made before, by the JSON that asks for them: what is left is our part."""

    def __init__(self, name: str, answers: Mapping[bytes | None, bytes]) -> None:
        self.name = name
        self._answers = answers

    async def raw(self, path: str, body: bytes | None = None) -> bytes:  # noqa: ARG002 -- the body names the note
        """The note asked for."""
        return self._answers[body]


def at_the_switch() -> dict[str, Any]:
    """By `touched of total`: milliseconds of processor time of the ledger, of the comparison, and of bare decoding; and the wire."""
    found: dict[str, Any] = {"ledger_ms": {}, "compare_ms": {}, "decode_ms": {}, "wire": {}}
    with tempfile.TemporaryDirectory() as folder:
        for total in TOTALS:
            with served("notes", total) as url:
                for touched in TOUCHED:
                    where = f"{touched} of {total}"
                    known = _noted(Path(folder) / where, range(0, total, total // touched))
                    found["ledger_ms"][where] = _quickest(partial(_known, Path(folder) / where))
                    found["compare_ms"][where], found["decode_ms"][where] = _ours(known)
                    found["wire"][where] = asyncio.run(_over_the_wire(url, known))
    return {"at_the_switch": found}


def _noted(path: Path, numbers: range) -> Touched:
    """What a ledger knows of these containers, one record each."""
    ledger = Ledger(path, "p", START)
    for seen, n in enumerate(numbers):
        ledger.see(record(n))
        if seen % 1000 == 999:
            ledger.flush({(TOPIC, 0): seen})
    ledger.flush({(TOPIC, 0): len(numbers)})
    ledger.close()
    return _known(path)


def _known(path: Path) -> Touched:
    known = touched_since(path, "p", START)
    assert known is not None
    return known[0]


def _ours(known: Touched) -> tuple[float, float]:
    """Milliseconds of the comparison, and of decoding what both sides answer and nothing else."""
    numbers = [int(place.owner.rpartition("-")[2]) for place in known.places]
    answers: dict[bytes | None, bytes] = {
        msgspec.json.encode([note(n)["uid"]]): msgspec.json.encode([note(n)]) for n in numbers
    }
    sides = Sides(Memory("blue", answers), Memory("green", answers))

    def decode() -> None:
        for answer in answers.values():
            msgspec.json.decode(answer)
            msgspec.json.decode(answer)

    return _quickest(lambda: asyncio.run(_proof(sides, known))), _quickest(decode)


async def _proof(sides: Sides, known: Touched) -> None:
    found = await compare(sides, known)
    assert not found.suspects
    assert found.items == known.items


def _quickest(work: Callable[[], object]) -> float:
    """Milliseconds of processor time of the quickest of some runs."""
    took = []
    for _ in range(RUNS):
        used = time.process_time()
        work()
        took.append(time.process_time() - used)
    return round(1000 * min(took), 1)


async def _over_the_wire(url: str, known: Touched) -> dict[str, float]:
    """The same proof over HTTP with 64 connections for each side; bytes are those of both sides."""
    before = await counted(url)
    async with (
        Bulk(url, "key", concurrency=64) as source,
        Bulk(url, "key", concurrency=64, name="green") as target,
    ):
        began, used = time.monotonic(), time.process_time()
        await _proof(Sides(source, target), known)
        seconds, cpu = time.monotonic() - began, time.process_time() - used
    after = await counted(url)
    return {
        "calls": source.calls + target.calls,
        "bytes_asked": after.received - before.received,
        "bytes_answered": after.sent - before.sent,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
    }


def record(n: int, offset: int = 0) -> LogRecord:
    """What the log says when the note of the n-th container changes."""
    key = RecordKey(
        "notes", owner_of(n), container_of(n), 1000 + n, "net.bluemind.notes.api.VNote", Operation.UPDATE
    )
    value = {"value": {"subject": "x" * 500}, "uid": note(n)["uid"]}
    return LogRecord(TOPIC, n % 64, offset, 0, encode_key(key), msgspec.json.encode(value))
