"""The ledger: one line of JSON for every write that a client of the load sent, and what must be true afterwards.

Objects are named by path. Items: `calendars/<container>/<uid>` and `addressbooks/<container>/<uid>`. Mails:
`mail/<user uid>/<folder>/<load id>`. What must be true of an object (`expected`): `present:<write id>`, `absent`,
`once` (a mail, exactly one copy) or `flags:<flags, sorted, space separated>`.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Literal

import msgspec

Protocol = Literal["http", "imap", "smtp"]
Outcome = Literal["acknowledged", "refused", "unknown"]

_FLUSH_SECONDS = 0.25


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One write. Times are epoch seconds; `answered` is when the outcome was known, even when it is `unknown`."""

    id: str
    protocol: Protocol
    kind: str
    object: str
    expected: str
    scheduled: float
    sent: float
    answered: float
    outcome: Outcome
    side: str = ""
    reason: str = ""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The final state of one aspect of one object, folded from its entries.

    `allowed` are the states that may be found: that of the newest acknowledged write and of every unknown write
    after it. Empty when no write was acknowledged. `unknown` are the states of unknown writes, `refused` likewise.
    """

    object: str
    last_id: str
    allowed: frozenset[str]
    acknowledged: int
    unknown: tuple[str, ...]
    refused: tuple[str, ...]


class Ledger:
    """Append-only file, written in batches by a background task; `close` writes what is left.

    At most a quarter of a second of entries is lost with the process itself.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BufferedWriter = path.open("ab")
        self._encoder = msgspec.json.Encoder()
        self._pending: list[Entry] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.counts: dict[Outcome, int] = {"acknowledged": 0, "refused": 0, "unknown": 0}

    def start(self) -> None:
        """Start writing in the background of the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._write_forever())

    def add(self, entry: Entry) -> None:
        """Remember one write; it reaches the file within a quarter of a second."""
        self.counts[entry.outcome] += 1
        self._pending.append(entry)

    async def close(self) -> None:
        """Write everything and close the file."""
        self._closing.set()
        if self._task is not None:
            await self._task
        self._write(self._take())
        self._file.close()

    async def _write_forever(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)
            batch = self._take()
            if batch:
                await asyncio.to_thread(self._write, batch)

    def _take(self) -> list[Entry]:
        batch, self._pending = self._pending, []
        return batch

    def _write(self, batch: list[Entry]) -> None:
        self._file.write(self._encoder.encode_lines(batch))
        self._file.flush()


def read_ledger(path: Path) -> Iterator[Entry]:
    """Every entry in order. A last line without its end (the process was killed) is left out."""
    decoder = msgspec.json.Decoder(Entry)
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield decoder.decode(line)


def fold(entries: Iterable[Entry]) -> list[Expected]:
    """Entries of each object folded, in their order, to the state that must be found.

    The load never sends a write while another one on the same object has no answer, so the order of the ledger is
    the order of the writes. Flags of a mail and its presence are two aspects, folded apart.
    """
    folded: dict[tuple[str, bool], _Fold] = {}
    for entry in entries:
        aspect = (entry.object, entry.expected.startswith("flags:"))
        folded.setdefault(aspect, _Fold(entry.object)).add(entry)
    return [fold.result() for fold in folded.values()]


class _Fold:
    """The running fold of one aspect of one object."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last_id = ""
        self._allowed: set[str] = set()
        self._acknowledged = 0
        self._unknown: list[str] = []
        self._refused: list[str] = []

    def add(self, entry: Entry) -> None:
        if entry.outcome == "acknowledged":
            self._acknowledged += 1
            self._last_id = entry.id
            self._allowed = {entry.expected}
        elif entry.outcome == "unknown":
            self._unknown.append(entry.expected)
            if self._allowed:
                self._allowed.add(entry.expected)
        else:
            self._refused.append(entry.expected)

    def result(self) -> Expected:
        return Expected(
            object=self._name,
            last_id=self._last_id,
            allowed=frozenset(self._allowed),
            acknowledged=self._acknowledged,
            unknown=tuple(self._unknown),
            refused=tuple(self._refused),
        )
