"""The proof at the switch: reads only what the source's log touched since the last proof, so that its cost is the changes' own.

Before the hold, `prepare` reads the source's log from the last proof's position and proves what it touched, round by round, until
little is left; a thread goes on reading. In the hold, `prove` reads the log to its end (the source is demoted: it does not grow
any more) and compares what is left. The source must still answer reads then: it is demoted, not yet stopped.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.kafka.topics import Topics
from bmswitch.model.accepting import refused, types_of, unavoidable
from bmswitch.model.config import Colour, Config
from bmswitch.model.decisions import Accepted
from bmswitch.model.differences import Difference, Place
from bmswitch.model.errors import BmswitchError
from bmswitch.model.plan import Plan
from bmswitch.model.proof import Position, Proof, Verdict
from bmswitch.model.topics import CRP
from bmswitch.parity.ledger import touched_since
from bmswitch.parity.partial import compare, details
from bmswitch.parity.sides import Sides
from bmswitch.parity.suspects import settle
from bmswitch.parity.touched import Touched
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.mirroring import TOUCHED_FILE
from bmswitch.workflows.sites import open_core
from bmswitch.workflows.tail import Log, Tail, open_log
from bmswitch.workflows.verify import first_of, open_bulk

_AGAIN = 0.02
_SMALL = 50
_SETTLE = 30.0
_SHOWN = 20
_MAY_BE_KNOWN = frozenset({"container_flat_hierarchy", "replicated_mailboxes", "containers"})
"""Where a difference can have a reason that no waiting mends."""
_COLOURS: tuple[Colour, Colour] = ("blue", "green")

Answer = TypeVar("Answer")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """How the preparation left things: items proved again, items that must wait for the hold, differences found."""

    proved: int
    waiting: int
    differences: list[Difference]
    seconds: float


class ProofResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict in the hold, for `position` of the source's log; at most 20 differences are carried."""

    verdict: Verdict
    differences: list[Difference]
    containers: int
    items: int
    seconds: float
    position: Position
    why: str = ""


@dataclass
class SwitchPieces:
    """What the proof needs of the world: readers of both sides, the source's log from a position, its ends, the barrier."""

    source: Callable[[], Bulk]
    target: Callable[[], Bulk]
    log: Callable[[Position], Log]
    position: Callable[[], Position]
    barrier: Callable[[], object]
    newer: bool = False
    accepted: Sequence[Accepted] = tuple(unavoidable(""))


class SwitchProof:
    """One switch's proof. Use from one thread; `close` frees the connections and ends the threads.

    Connections are kept open from `prepare` to `prove`, on an event loop of their own.
    """

    def __init__(self, pieces: SwitchPieces, position: Position, touched: Touched | None = None) -> None:
        """Goes on from `position`; `touched` is what is known to be touched before it since the last proof."""
        self._pieces = pieces
        self._tail = Tail(pieces.log(position), position)
        self._left = touched or Touched()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proof", daemon=True)
        self._thread.start()
        self._sides = self._run(self._open(), 30.0)

    def close(self) -> None:
        """Frees everything; may be called twice."""
        if self._loop.is_closed():
            return
        self._tail.close()
        self._run(self._shut(), 10.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def prepare(self, *, timeout: float, rounds: int = 4) -> Prepared:
        """Proves again what was touched, until a round finds little; may be called as often as wanted before the hold.

        Raises:
            UnknownError, UnreachableError, RefusedError: the log or a side can not be read, or too much has changed.
        """
        start = time.monotonic()
        deadline, proved, found = start + timeout, 0, list[Difference]()
        for _ in range(rounds):
            self._collect(self._pieces.position(), deadline)
            todo, self._left = self._left, Touched()
            if not todo.places:
                break
            try:
                found, items = self._run(self._prepare(todo), deadline - time.monotonic())
            except BaseException:
                self._left.merge(todo)
                raise
            proved += items
            if items <= _SMALL:
                break
        self._collect({}, deadline)
        return Prepared(
            proved=proved, waiting=self._left.items, differences=found, seconds=time.monotonic() - start
        )

    def catch_up(self, *, timeout: float) -> None:
        """In the hold, while there is something else to wait for: compares what was touched so far. Never raises.

        Sound once the source is demoted: what is equal now stays so, unless the log touches it again.
        """
        deadline = time.monotonic() + timeout
        with contextlib.suppress(BmswitchError, TimeoutError):
            self._collect({}, deadline)
            self._left = self._run(self._still_different(self._left), timeout)

    async def _still_different(self, todo: Touched) -> Touched:
        return (await compare(self._sides, todo)).left

    def prove(self, *, timeout: float) -> ProofResult:
        """Compares what is left, again and again while it differs, until `timeout`. Never raises: what fails is `unknown`."""
        start = time.monotonic()
        deadline, position = start + timeout, Position()
        try:
            position = self._pieces.position()
            self._collect(position, deadline)
            places, items = len(self._left), self._left.items
            found = self._run(self._until_equal(deadline), deadline + 0.2 - time.monotonic())
        except (BmswitchError, TimeoutError) as error:
            why = error.cause if isinstance(error, BmswitchError) else "the deadline passed before an answer"
            return _result("unknown", start, position, why=why)
        bad = refused(found, self._pieces.accepted)
        verdict: Verdict = "different" if bad else "equal"
        return _result(verdict, start, position, found=bad, containers=places, items=items)

    def _collect(self, ends: Position, deadline: float) -> None:
        """Everything touched below `ends` goes to `_left`."""
        self._tail.wait(ends, deadline)
        self._left.merge(self._tail.take())

    async def _prepare(self, todo: Touched) -> tuple[list[Difference], int]:
        compared = await compare(self._sides, todo)

        async def barrier() -> None:
            await asyncio.to_thread(self._pieces.barrier)

        def touched() -> Touched:
            """Whatever moves stays to be proved in the hold as well."""
            self._collect(self._pieces.position(), time.monotonic() + _SETTLE)
            return self._left

        settled = await settle(
            self._sides, compared.suspects, barrier, rounds=2, moved=lambda: asyncio.to_thread(touched)
        )
        for one in [*settled.unsettled, *settled.differences]:
            place = Place(one.domain, one.owner, one.container, one.type)
            self._left.merge(Touched({place: todo.places[place]}))
        return settled.differences, compared.items

    async def _until_equal(self, deadline: float) -> list[Difference]:
        """The target must catch up; the source is frozen, so only what differed is read again."""
        todo = self._left
        while True:
            todo = (await compare(self._sides, todo)).left
            if not todo.places:
                self._left = Touched()
                return []
            if time.monotonic() + _AGAIN >= deadline:
                return await self._details(todo)
            may_stay = _MAY_BE_KNOWN | types_of(self._pieces.accepted)
            if all(place.type in may_stay for place in todo.places):
                found = await self._details(todo)
                if not refused(found, self._pieces.accepted):
                    return found
            await asyncio.sleep(_AGAIN)

    async def _details(self, todo: Touched) -> list[Difference]:
        return await details(self._sides, todo)

    async def _open(self) -> Sides:
        source, target = self._pieces.source(), self._pieces.target()
        await source.open()
        await target.open()
        return Sides(source, target, newer=self._pieces.newer)

    async def _shut(self) -> None:
        await self._sides.source.close()
        await self._sides.target.close()

    def _run(self, work: Coroutine[Any, Any, Answer], timeout: float) -> Answer:
        """Runs a coroutine on the proof's loop; TimeoutError when it takes too long."""
        running: Future[Answer] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(max(0.0, timeout))
        except ExceptionGroup as group:
            raise first_of(group) from group
        except TimeoutError:
            running.cancel()
            raise


def _result(
    verdict: Verdict,
    start: float,
    position: Position,
    *,
    found: list[Difference] | None = None,
    containers: int = 0,
    items: int = 0,
    why: str = "",
) -> ProofResult:
    return ProofResult(
        verdict=verdict,
        differences=(found or [])[:_SHOWN],
        containers=containers,
        items=items,
        seconds=time.monotonic() - start,
        position=position,
        why=why,
    )


def open_switch_proof(config: Config, plan: Plan, proof: Proof) -> SwitchProof:
    """The proof of one switch, going on from the last full one: by the ledger of the replication, else by the log itself."""
    topics = {name: count for name, count in plan.source.topics.items() if not name.endswith(CRP)}
    reader = Topics(config.source.kafka)
    versions = {_version(config, colour) for colour in _COLOURS}

    def barrier() -> float:
        source, target = open_core(config, config.serving), open_core(config, config.standby)
        try:
            return run_barrier(source, target, plan.source.domains, timeout=30.0)
        finally:
            source.close()
            target.close()

    known = touched_since(Path(config.run_dir) / TOUCHED_FILE, plan.id, proof.position)
    touched, start = known or (Touched(), proof.position)
    return SwitchProof(
        SwitchPieces(
            source=lambda: open_bulk(config, config.serving),
            target=lambda: open_bulk(config, config.standby),
            log=lambda start: open_log(config, f"bmswitch-proof-{plan.id}", start),
            position=lambda: reader.ends(topics),
            barrier=barrier,
            newer=len(versions) > 1,
            accepted=plan.accepted,
        ),
        start,
        touched,
    )


def _version(config: Config, colour: Colour) -> str:
    core = open_core(config, colour)
    try:
        return core.version().software_version
    finally:
        core.close()
