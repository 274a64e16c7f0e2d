"""Proves that the target equals the source: reads everything on both sides, settles what moves, writes proof.json and differences.

The order matters. Position first: everything that the source logged before it was committed before it, so it is in what is
read afterwards; what comes after it is in the log after it, and `workflows.prove` reads exactly that at the switch.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bmswitch.bluemind.bulk import CONCURRENCY, Bulk
from bmswitch.bluemind.client import Core
from bmswitch.bluemind.pace import Pace
from bmswitch.journal.lock import Lock
from bmswitch.kafka.topics import Topics
from bmswitch.model.accepting import counted_names
from bmswitch.model.config import Colour, Config
from bmswitch.model.differences import Difference
from bmswitch.model.errors import BusyError, UnknownError
from bmswitch.model.plan import Plan
from bmswitch.model.proof import Position, Proof, verdict_of
from bmswitch.model.scope import Scope
from bmswitch.model.topics import CRP
from bmswitch.objects.bucket import Bucket
from bmswitch.parity.bodies import Bodies
from bmswitch.parity.full import FullPass
from bmswitch.parity.passwords import PASSWORDS, Passwords
from bmswitch.parity.report import dimensions, not_proved
from bmswitch.parity.sides import Sides, owners_of
from bmswitch.parity.suspects import Moved, Settled, settle, unexplained
from bmswitch.replication.valve import Valve
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.config import read_secret
from bmswitch.workflows.history import remember
from bmswitch.workflows.located import locate
from bmswitch.workflows.proof_files import Outcome, save
from bmswitch.workflows.sites import open_bucket, open_core, verification
from bmswitch.workflows.source_health import SourceHealth
from bmswitch.workflows.tail import open_log, watching
from bmswitch.workflows.verify_pass import Options, Pieces, Shown, first_of, kept_of, read_all

__all__ = ["Options", "Pieces", "first_of", "open_bulk", "prove_sites", "verify"]

KEPT_FILE = "verify.progress"
_FOLLOWS = 3


def verify(config: Config, plan: Plan, *, options: Options, shown: Shown) -> Outcome:
    """Reads both sides of the configuration and writes proof.json and differences.ndjson into the run folder.

    Raises:
        BmswitchError: a side, Kafka or the bucket can not be read: then nothing is written.
    """
    resumed = (Path(config.run_dir) / KEPT_FILE).exists()
    with opened_pieces(config, plan, options) as (pieces, opened):
        if options.scope.everything:
            pieces.kept = _kept_file(Path(config.run_dir), opened)
        outcome = prove_sites(pieces, plan.id, options, shown)
    save(Path(config.run_dir), outcome, source=config.serving, target=config.standby)
    if options.scope.everything:
        said = f"{outcome.proof.verdict}{', resumed' if resumed else ''}"
        remember(config, plan, "verify", outcome.proof.seconds, said)
    return outcome


@contextlib.contextmanager
def opened_pieces(
    config: Config, plan: Plan, options: Options
) -> Iterator[tuple[Pieces, contextlib.ExitStack]]:
    """Both sides and the bucket, asked whether they let us in; the side that serves at its own pace and within its limits."""
    with contextlib.ExitStack() as opened:
        source, target = open_core(config, config.serving), open_core(config, config.standby)
        bucket = open_bucket(config.bucket)
        for each in (source, target, bucket):
            opened.callback(each.close)
        source.check_token()
        target.check_token()
        bucket.check()
        pieces = _pieces(config, plan, source, target, bucket, options=options)
        valve = Valve(options.rate)
        health = SourceHealth(config, plan.source, valve, lambda: False)
        health.start()
        opened.callback(health.stop)
        most = options.concurrency
        pieces.source = lambda: open_bulk(config, config.serving, concurrency=most, pace=Pace(most, valve))
        pieces.target = lambda: open_bulk(config, config.standby, concurrency=most)
        yield pieces, opened


def _kept_file(run_dir: Path, opened: contextlib.ExitStack) -> Path | None:
    """Where the proof keeps what it has read; nowhere while another proof of this run folder does."""
    try:
        opened.enter_context(Lock(run_dir / "verify.lock", "verify"))
    except BusyError:
        return None
    return run_dir / KEPT_FILE


def _pieces(
    config: Config, plan: Plan, source: Core, target: Core, bucket: Bucket, *, options: Options
) -> Pieces:
    topics = {name: count for name, count in plan.source.topics.items() if not name.endswith(CRP)}
    reader = Topics(config.source.kafka)
    return Pieces(
        source=lambda: open_bulk(config, config.serving),
        target=lambda: open_bulk(config, config.standby),
        domains=plan.source.domains,
        versions=(source.version().software_version, target.version().software_version),
        position=lambda: reader.ends(topics),
        barrier=lambda: run_barrier(source, target, plan.source.domains, timeout=60.0),
        bodies=Bodies(bucket, options.bodies),
        log=lambda start: open_log(config, f"bmswitch-verify-{plan.id}", start),
        passwords=_passwords(config, source, target),
        locate=lambda found: locate(config, topics, found),
    )


def _passwords(config: Config, source: Core, target: Core) -> Passwords:
    """The canary's password, read at the last moment, tried on both sides."""
    canary = config.soak.canary
    if canary is None:
        return Passwords()
    return Passwords(
        canary.login,
        lambda: source.validate(canary.login, read_secret(canary.password)),
        lambda: target.validate(canary.login, read_secret(canary.password)),
    )


def open_bulk(
    config: Config, colour: Colour, *, concurrency: int = CONCURRENCY, pace: Pace | None = None
) -> Bulk:
    """Bulk reads of one side."""
    site = config.site(colour)
    return Bulk(
        site.url,
        read_secret(site.token),
        verify=verification(site.tls),
        name=colour,
        concurrency=concurrency,
        pace=pace,
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


async def _prove(pieces: Pieces, plan_id: str, options: Options, shown: Shown) -> Outcome:
    started, scope = time.monotonic(), options.scope
    async with asyncio.timeout(options.timeout), pieces.source() as source, pieces.target() as target:
        position = await asyncio.to_thread(pieces.position)
        kept = kept_of(pieces, plan_id, options, position)
        ended = False
        try:
            if kept is not None and kept.done:
                shown(f"going on with a proof that was cut short: {len(kept.done)} entries were read")
            shown("barrier: everything the source has written so far must be on its clone")
            await asyncio.to_thread(pieces.barrier)
            sides = Sides(source, target, newer=pieces.versions[0] != pieces.versions[1])
            options = msgspec.structs.replace(options, scope=await owners_of(sides, options.scope))
            work = await read_all(sides, pieces, options, kept, shown)
            settled = await _settle(work, pieces, options, shown)
            await asyncio.to_thread(pieces.bodies.finish, shown)
            if options.scope.dimension(PASSWORDS):
                await asyncio.to_thread(pieces.passwords.check)
            certain = [sides.with_kind(one) for one in settled.differences]
            found = await asyncio.to_thread(
                pieces.locate, [*certain, *pieces.bodies.differences, *pieces.passwords.differences]
            )
            ended = True
        finally:
            if kept is not None:
                kept.close(ended=ended)
    return _outcome(
        pieces,
        plan_id,
        position=kept.header.position if kept else position,
        work=work,
        found=found,
        settled=settled,
        seconds=time.monotonic() - started,
        scope=scope,
    )


async def _settle(work: FullPass, pieces: Pieces, options: Options, shown: Shown) -> Settled:
    """Settles the suspects while the source's log is watched for what moves; reads what only just appeared on both sides."""
    if not work.seen.suspects:
        return Settled()
    async with watching(pieces.position, pieces.log, options.barrier_timeout) as moved:
        return await _settle_all(work, pieces, options, shown, moved)


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
    scope: Scope,
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
            work.sides,
            scope=str(scope),
            passwords=pieces.passwords.left,
            bodies_named=pieces.bodies.named,
            bodies_opened=pieces.bodies.opened,
        ),
        scope=str(scope),
        dimensions=dimensions(work.seen, found),
        names=counted_names(found),
        known_reasons=dict(Counter(one.known for one in found if one.known)),
    )
    ordered = sorted([*found, *settled.unsettled], key=lambda d: (d.domain, d.owner, d.container, d.item))
    return Outcome(proof, ordered, settled.unsettled)
