"""What a proof needs of the world, and its first part: one pass over both sides that is kept on the way."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bmswitch.bluemind.bulk import CONCURRENCY, Bulk
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BmswitchError, RefusedError
from bmswitch.model.proof import Position, covers
from bmswitch.model.scope import Scope
from bmswitch.parity.bodies import Bodies
from bmswitch.parity.full import FullPass, Hooks
from bmswitch.parity.kept import Header, Kept
from bmswitch.parity.located import told
from bmswitch.parity.passwords import Passwords
from bmswitch.parity.seen import Seen
from bmswitch.parity.sides import Sides
from bmswitch.workflows.tail import Log

_COMMIT_EVERY = 30.0
_LOOK_EVERY = 0.5

Shown = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough and how patient. `bodies` bodies are opened (-1: all); times in seconds.

    `scope` is what is read; `fresh` reads again what a proof that was cut short has read. `rate` bounds
    the reads a second of the side that serves (0: no bound but its own pace).
    """

    bodies: int = 50
    concurrency: int = CONCURRENCY
    rounds: int = 5
    timeout: float = 3600.0
    barrier_timeout: float = 60.0
    scope: Scope = Scope()
    fresh: bool = False
    rate: float = 0.0


@dataclass
class Pieces:
    """What a proof needs of the world. `position` reads the source's end offsets, `barrier` blocks until it has passed.

    `log` reads the source's log from a position; without it the source's values alone tell whether something moves.
    `locate` adds to each difference since which record it is there. `kept` is where a proof of the whole keeps what it has read.
    """

    source: Callable[[], Bulk]
    target: Callable[[], Bulk]
    domains: list[str]
    versions: tuple[str, str]
    position: Callable[[], Position]
    barrier: Callable[[], object]
    bodies: Bodies
    log: Callable[[Position], Log] | None = None
    locate: Callable[[list[Difference]], list[Difference]] = lambda found: told(found, None)
    kept: Path | None = None
    passwords: Passwords = field(default_factory=Passwords)


def kept_of(pieces: Pieces, plan_id: str, options: Options, position: Position) -> Kept | None:
    """What an earlier run has read; its position holds for the whole, as what came later is in the log (see above)."""
    if pieces.kept is None:
        return None
    header = Header(
        plan_id=plan_id,
        versions=pieces.versions,
        bodies=options.bodies,
        position=position,
        started=time.time(),
    )
    kept = Kept(pieces.kept, header, fresh=options.fresh)
    if not covers(position, kept.header.position):
        kept.close(ended=True)
        kept = Kept(pieces.kept, header, fresh=True)
    pieces.bodies.take_up(kept.checked)
    return kept


async def read_all(
    sides: Sides, pieces: Pieces, options: Options, kept: Kept | None, shown: Shown
) -> FullPass:
    """The pass over both sides; what was read is kept every half minute."""

    def read(domain: str, owner: str, seen: Seen) -> None:
        if kept is not None:
            kept.read(domain, owner, seen, sides.skipped)

    hooks = Hooks(pieces.bodies.add, shown, read, lambda: pieces.bodies.overfull)
    work = FullPass(
        sides,
        hooks,
        entries_at_once=options.concurrency,
        scope=options.scope,
        done=kept.done if kept else (),
    )
    if kept is not None:
        work.seen.merge(kept.seen)
        sides.skipped |= kept.skipped
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep(pieces.bodies, kept, ended))
        await work.run(pieces.domains)
        ended.set()
    if not work.seen.tallies:
        raise RefusedError(
            "nothing of both sides fits what was asked for",
            evidence=str(options.scope),
            next_command="compare the names with blue's directory: uids or addresses, container uids, dimensions",
        )
    return work


async def _keep(bodies: Bodies, kept: Kept | None, ended: asyncio.Event) -> None:
    """Looks for the bodies named so far when they are many or half a minute has passed; then the entries count as read."""
    due = time.monotonic() + _COMMIT_EVERY
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _LOOK_EVERY)
        if not (bodies.full or time.monotonic() >= due):
            continue
        waiting, lines = bodies.cut(), kept.cut() if kept else []
        await asyncio.to_thread(bodies.flush, waiting)
        if kept is not None:
            await asyncio.to_thread(kept.commit, lines, bodies.checked)
        due = time.monotonic() + _COMMIT_EVERY


def first_of(group: ExceptionGroup) -> BaseException:
    """The error of ours in a group of a task group; any other error when there is none."""
    ours, _ = group.split(BmswitchError)
    found: BaseException = ours or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
