"""`verify --changes`: moves a proof that said *equal* forward: what the source's log touched since is read on both sides, nothing else.

Its cost depends on the changes, not on what there is. It rests on the last whole proof, whose time it carries on (`whole_at`); a
clone that changes by itself is only seen by a whole one.
"""

import asyncio
import time
from collections import Counter
from pathlib import Path

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.differences import Difference
from bmswitch.model.errors import RefusedError, UnknownError
from bmswitch.model.plan import Plan
from bmswitch.model.proof import Position, Proof, covers, verdict_of
from bmswitch.parity.ledger import touched_since
from bmswitch.parity.located import place_of
from bmswitch.parity.partial import Compared, compare
from bmswitch.parity.report import counted
from bmswitch.parity.sides import Sides
from bmswitch.parity.suspects import Settled, settle, unexplained
from bmswitch.parity.touched import Touched
from bmswitch.workflows.mirroring import TOUCHED_FILE
from bmswitch.workflows.proof_files import DIFFERENCES_FILE, Outcome, load_proof, save
from bmswitch.workflows.tail import Tail, watching
from bmswitch.workflows.verify import opened_pieces
from bmswitch.workflows.verify_pass import Options, Pieces, Shown, first_of

_WHOLE = "bmswitch verify"


def verify_changes(config: Config, plan: Plan, *, options: Options, shown: Shown) -> Outcome:
    """Goes on from the last proof of the run folder and writes it anew.

    Raises:
        RefusedError: there is no whole proof that said equal, or the source's log is another one.
        BmswitchError: a side, Kafka or the bucket can not be read: then nothing is written.
    """
    run_dir = Path(config.run_dir)
    last = refuse_unfit(load_proof(run_dir), plan.id)
    known = known_before(run_dir)
    before = touched_since(run_dir / TOUCHED_FILE, plan.id, last.position) or (Touched(), last.position)
    with opened_pieces(config, plan, options) as (pieces, _):
        outcome = prove_changes(pieces, last, before, options, shown, known=known)
    save(run_dir, outcome, source=config.serving, target=config.standby)
    return outcome


def refuse_unfit(last: Proof | None, plan_id: str) -> Proof:
    """The proof that can be gone on from. Raises RefusedError: there is none."""
    if last is None or last.plan_id != plan_id or last.verdict != "equal":
        said = (
            "there is no whole proof of this plan" if last is None else f"the last proof says {last.verdict}"
        )
        if last is not None and last.plan_id != plan_id:
            said = "the last proof is of another plan"
        raise RefusedError(f"{said}: changes can not be proved alone", next_command=_WHOLE)
    return last


def known_before(run_dir: Path) -> list[Difference]:
    """The known differences of the last proof. UnknownError when they can not be read."""
    try:
        lines = (run_dir / DIFFERENCES_FILE).read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Difference) for line in lines]
    except (OSError, msgspec.DecodeError) as error:
        raise UnknownError(
            "the differences of the last proof can not be read", evidence=str(error), next_command=_WHOLE
        ) from error


def prove_changes(
    pieces: Pieces,
    last: Proof,
    before: tuple[Touched, Position],
    options: Options,
    shown: Shown,
    *,
    known: list[Difference],
) -> Outcome:
    """The proof of what was touched; `before` is what is known to be touched, and from where on the log must be read."""
    try:
        return asyncio.run(_prove(pieces, last, before, options, shown, known=known))
    except ExceptionGroup as group:
        raise first_of(group) from group
    except TimeoutError as error:
        raise UnknownError(
            f"the proof did not end within {options.timeout:g} s", next_command=_WHOLE
        ) from error


async def _prove(
    pieces: Pieces,
    last: Proof,
    before: tuple[Touched, Position],
    options: Options,
    shown: Shown,
    *,
    known: list[Difference],
) -> Outcome:
    started = time.monotonic()
    async with asyncio.timeout(options.timeout), pieces.source() as source, pieces.target() as target:
        position = await asyncio.to_thread(pieces.position)
        if not covers(position, last.position):
            raise RefusedError("the source's log is not the one of the last proof", next_command=_WHOLE)
        touched = await asyncio.to_thread(_touched, pieces, before, position, options.timeout)
        shown(f"barrier: {touched.items} items were touched in {len(touched)} places since the last proof")
        await asyncio.to_thread(pieces.barrier)
        sides = Sides(source, target, newer=pieces.versions[0] != pieces.versions[1])
        compared = await compare(sides, touched)
        settled = await _settle(sides, compared, pieces, options)
        for guid, place in compared.guids.items():
            pieces.bodies.add(place, [guid])
        await asyncio.to_thread(pieces.bodies.finish, shown)
        certain = [sides.with_kind(one) for one in settled.differences]
        found = await asyncio.to_thread(pieces.locate, [*certain, *pieces.bodies.differences])
    left = [one for one in known if not _read(touched, one)]
    seconds = round(time.monotonic() - started, 3)
    return _outcome(last, position, [*left, *found], settled, read=compared.items, seconds=seconds)


def _touched(pieces: Pieces, before: tuple[Touched, Position], position: Position, within: float) -> Touched:
    """What the log says between what is known and the position."""
    touched, start = before
    if pieces.log is None:
        return touched
    tail = Tail(pieces.log(start), start)
    try:
        touched.merge(tail.touched_until(position, within))
    finally:
        tail.close()
    return touched


async def _settle(sides: Sides, compared: Compared, pieces: Pieces, options: Options) -> Settled:
    if not compared.suspects:
        return Settled()

    async def barrier() -> None:
        await asyncio.to_thread(pieces.barrier)

    async with watching(pieces.position, pieces.log, options.barrier_timeout) as moved:
        return await settle(sides, compared.suspects, barrier, rounds=options.rounds, moved=moved)


def _read(touched: Touched, one: Difference) -> bool:
    """True when a known difference was read again."""
    place = place_of(one)
    if place not in touched.places:
        return False
    items = touched.places[place]
    return items is None or one.item in items


def _outcome(
    last: Proof,
    position: Position,
    found: list[Difference],
    settled: Settled,
    *,
    read: int,
    seconds: float,
) -> Outcome:
    bad = unexplained(found)
    proof = msgspec.structs.replace(
        last,
        verdict=verdict_of(differences=len(bad), unsettled=len(settled.unsettled)),
        at=time.time(),
        whole_at=last.whole_at or last.at,
        changes=read,
        position=position,
        differences=len(bad),
        known_differences=len(found) - len(bad),
        unsettled=len(settled.unsettled),
        seconds=seconds,
        dimensions=counted(last.dimensions, found),
        known_reasons=dict(Counter(one.known for one in found if one.known)),
    )
    ordered = sorted([*found, *settled.unsettled], key=lambda d: (d.domain, d.owner, d.container, d.item))
    return Outcome(proof, ordered, settled.unsettled)
