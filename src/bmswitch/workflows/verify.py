"""Proves that the target equals the source: reads everything on both sides, settles what moves, writes proof.json and differences.

The order matters. Position first: everything that the source logged before it was committed before it, so it is in what is
read afterwards; what comes after it is in the log after it, and `workflows.prove` reads exactly that at the switch.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bmswitch.bluemind.bulk import CONCURRENCY, Bulk
from bmswitch.bluemind.client import Core
from bmswitch.files import replace_file
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Colour, Config
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BmswitchError, DifferentError, JournalError, UnknownError
from bmswitch.model.plan import Plan
from bmswitch.model.proof import Position, Proof, verdict_of
from bmswitch.model.topics import CRP
from bmswitch.parity.bodies import Bodies
from bmswitch.parity.full import FullPass
from bmswitch.parity.report import dimensions, not_proved
from bmswitch.parity.sides import Sides
from bmswitch.parity.suspects import Moved, Settled, nothing_moved, settle, unexplained
from bmswitch.parity.touched import Touched
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.sites import open_bucket, open_core, verification
from bmswitch.workflows.tail import Log, Tail, open_log

PROOF_FILE = "proof.json"
DIFFERENCES_FILE = "differences.ndjson"
_FOLLOWS = 3
ALL_BODIES = -1

Shown = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough and how patient. `bodies` bodies are opened (-1: all); times in seconds."""

    bodies: int = 50
    concurrency: int = CONCURRENCY
    rounds: int = 5
    timeout: float = 3600.0
    barrier_timeout: float = 60.0


@dataclass
class Pieces:
    """What a proof needs of the world. `position` reads the source's end offsets, `barrier` blocks until it has passed.

    `log` reads the source's log from a position; without it the source's values alone tell whether something moves.
    """

    source: Callable[[], Bulk]
    target: Callable[[], Bulk]
    domains: list[str]
    versions: tuple[str, str]
    position: Callable[[], Position]
    barrier: Callable[[], object]
    bodies: Bodies
    log: Callable[[Position], Log] | None = None


@dataclass
class Outcome:
    """The proof and every difference, known ones included; `unsettled` never stood still."""

    proof: Proof
    differences: list[Difference] = field(default_factory=list)


def verify(config: Config, plan: Plan, *, options: Options, shown: Shown) -> Outcome:
    """Reads both sides of the configuration and writes proof.json and differences.ndjson into the run folder.

    Raises:
        BmswitchError: a side, Kafka or the bucket can not be read: then nothing is written.
    """
    source, target = open_core(config, config.serving), open_core(config, config.standby)
    bucket = open_bucket(config.bucket)
    try:
        source.check_token()
        target.check_token()
        bucket.check()
        outcome = prove_sites(
            _pieces(config, plan, source, target, Bodies(bucket, options.bodies)), plan.id, options, shown
        )
    finally:
        source.close()
        target.close()
        bucket.close()
    save(Path(config.run_dir), outcome)
    return outcome


def _pieces(config: Config, plan: Plan, source: Core, target: Core, bodies: Bodies) -> Pieces:
    topics = {name: count for name, count in plan.source.topics.items() if not name.endswith(CRP)}
    reader = Topics(config.source.kafka)
    return Pieces(
        source=lambda: open_bulk(config, config.serving),
        target=lambda: open_bulk(config, config.standby),
        domains=plan.source.domains,
        versions=(source.version().software_version, target.version().software_version),
        position=lambda: reader.ends(topics),
        barrier=lambda: run_barrier(source, target, plan.source.domains, timeout=60.0),
        bodies=bodies,
        log=lambda start: open_log(config, f"bmswitch-verify-{plan.id}", start),
    )


def open_bulk(config: Config, colour: Colour, *, concurrency: int = CONCURRENCY) -> Bulk:
    """Bulk reads of one side."""
    site = config.site(colour)
    return Bulk(
        site.url,
        read_secret(site.token),
        verify=verification(site.tls),
        name=colour,
        concurrency=concurrency,
    )


def prove_sites(pieces: Pieces, plan_id: str, options: Options, shown: Shown) -> Outcome:
    """The proof itself, on whatever the pieces reach."""
    try:
        return asyncio.run(_prove(pieces, plan_id, options, shown))
    except ExceptionGroup as group:
        raise first_of(group) from group
    except TimeoutError as error:
        raise UnknownError(
            f"the proof did not end within {options.timeout:g} s",
            next_command="bmswitch verify --timeout with more seconds",
        ) from error


def first_of(group: ExceptionGroup) -> BaseException:
    """The error of ours in a group of a task group; any other error when there is none."""
    ours, _ = group.split(BmswitchError)
    found: BaseException = ours or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def _prove(pieces: Pieces, plan_id: str, options: Options, shown: Shown) -> Outcome:
    started = time.monotonic()
    async with asyncio.timeout(options.timeout), pieces.source() as source, pieces.target() as target:
        position = await asyncio.to_thread(pieces.position)
        shown("barrier: everything the source has written so far must be on its clone")
        await asyncio.to_thread(pieces.barrier)
        sides = Sides(source, target, newer=pieces.versions[0] != pieces.versions[1])
        work = FullPass(sides, bodies=pieces.bodies.add, shown=shown, owners_at_once=options.concurrency)
        for domain in pieces.domains:
            await work.domain(domain)
            if pieces.bodies.full:
                await asyncio.to_thread(pieces.bodies.flush)
        settled = await _settle(work, pieces, options, shown)
        await asyncio.to_thread(pieces.bodies.finish, shown)
        found = [*settled.differences, *pieces.bodies.differences]
    seconds = time.monotonic() - started
    return _outcome(
        pieces, plan_id, position=position, work=work, found=found, settled=settled, seconds=seconds
    )


async def _settle(work: FullPass, pieces: Pieces, options: Options, shown: Shown) -> Settled:
    """Settles the suspects while the source's log is watched for what moves; reads what only just appeared on both sides."""
    if not work.seen.suspects:
        return Settled()
    if pieces.log is None:
        return await _settle_all(work, pieces, options, shown, nothing_moved)
    start = await asyncio.to_thread(pieces.position)
    tail = Tail(await asyncio.to_thread(pieces.log, start), start)

    def touched() -> Touched:
        return tail.touched_until(pieces.position(), options.barrier_timeout)

    try:
        return await _settle_all(work, pieces, options, shown, lambda: asyncio.to_thread(touched))
    finally:
        await asyncio.to_thread(tail.close)


async def _settle_all(
    work: FullPass, pieces: Pieces, options: Options, shown: Shown, moved: Moved
) -> Settled:
    """A bounded number of times, as what appears late can hold something that appears late."""
    total = Settled()

    async def barrier() -> None:
        shown(f"barrier: {sum(map(len, work.seen.suspects.values()))} items are read again after it")
        await asyncio.to_thread(pieces.barrier)

    for _ in range(_FOLLOWS + 1):
        settled = await settle(work.sides, work.seen.suspects, barrier, rounds=options.rounds, moved=moved)
        total.differences += settled.differences
        total.unsettled += settled.unsettled
        if not await work.follow(settled.appeared):
            break
    return total


def _outcome(
    pieces: Pieces,
    plan_id: str,
    *,
    position: Position,
    work: FullPass,
    found: list[Difference],
    settled: Settled,
    seconds: float,
) -> Outcome:
    bad = unexplained(found)
    unsettled = len(settled.unsettled) + work.seen.overflow
    proof = Proof(
        plan_id=plan_id,
        verdict=verdict_of(differences=len(bad), unsettled=unsettled),
        at=time.time(),
        position=position,
        containers=work.seen.containers,
        items=work.seen.items,
        bodies=pieces.bodies.named,
        bodies_read=pieces.bodies.opened,
        differences=len(bad),
        known_differences=len(found) - len(bad),
        unsettled=unsettled,
        seconds=round(seconds, 3),
        not_proved=not_proved(
            work.sides, bodies_named=pieces.bodies.named, bodies_opened=pieces.bodies.opened
        ),
        dimensions=dimensions(work.seen, found),
        known_reasons=dict(Counter(one.known for one in found if one.known)),
    )
    return Outcome(
        proof, sorted([*found, *settled.unsettled], key=lambda d: (d.domain, d.owner, d.container, d.item))
    )


def save(run_dir: Path, outcome: Outcome) -> None:
    """Writes both files, each replaced whole; differences first, so that a proof never stands without them."""
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = (msgspec.json.encode(one) + b"\n" for one in outcome.differences)
    _replace(run_dir / DIFFERENCES_FILE, lines)
    _replace(run_dir / PROOF_FILE, [msgspec.json.format(msgspec.json.encode(outcome.proof), indent=2), b"\n"])


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    try:
        replace_file(path, parts)
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error


def load_proof(run_dir: Path) -> Proof | None:
    """The last proof of the run; None when there is none or when it can not be read."""
    try:
        return msgspec.json.decode((run_dir / PROOF_FILE).read_bytes(), type=Proof)
    except (OSError, msgspec.DecodeError):
        return None


def refusal(proof: Proof, where: Path) -> BmswitchError | None:
    """The error that a verdict other than `equal` ends the command with."""
    if proof.verdict == "equal":
        return None
    if proof.verdict == "different":
        return DifferentError(
            f"the clone does not equal its source: {proof.differences} differences",
            evidence=str(where / DIFFERENCES_FILE),
            consequence="traffic was not touched; a switch would be refused",
            next_command=f"read {DIFFERENCES_FILE}, mend what it names, and verify again",
        )
    return UnknownError(
        f"{proof.unsettled} items changed faster than they could be read",
        evidence=str(where / DIFFERENCES_FILE),
        next_command="bmswitch verify --rounds with a larger number, or at a quieter time",
    )
