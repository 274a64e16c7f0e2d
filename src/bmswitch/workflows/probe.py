"""A short look at the source before anything is done: reads a little of its log, some entries as a proof reads them, some bodies.

And at a clone that restores already: how fast it applies. Bounded: about two seconds each, ten for a slow core, side by side, and few
reads at a time. It only reads.
"""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.kafka.consumer import Batch, LogConsumer
from bmswitch.kafka.survey import group_places, group_states
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.differences import Place
from bmswitch.model.estimates import spread
from bmswitch.model.guards.facts import Facts
from bmswitch.model.probe import ApplyProbe, BodyProbe, LogProbe, Probe, RestProbe
from bmswitch.model.switch.facts import CLONING
from bmswitch.model.topics import CRP
from bmswitch.parity.containers import read_containers
from bmswitch.parity.directory import Entry, read_directory
from bmswitch.parity.read import ALL
from bmswitch.parity.sides import ENTRY, META, SIDE, Sides
from bmswitch.parity.tables import NOT_RESTORED
from bmswitch.workflows.facts.attempt import quietly
from bmswitch.workflows.sites import open_bucket
from bmswitch.workflows.verify import first_of, open_bulk
from bmswitch.workflows.watching import READERS

WITHIN = 2.0
_RECORDS = 200_000
_BATCH = 5_000
_SLICE = 0.1
_OWNERS = 24
_AT_ONCE = 8
_AT_MOST = 10.0
_TIMEOUT = 5.0


class _Owner(msgspec.Struct, frozen=True):
    """What one entry had, and the seconds it took to read."""

    containers: int
    items: int
    seconds: float


def probe(config: Config, facts: Facts) -> Probe:
    """All at the same time. What can not be read is told as an error, never raised."""
    started = time.monotonic()
    with ThreadPoolExecutor(4, thread_name_prefix="probe") as pool:
        log = pool.submit(quietly, lambda: _log(config, facts), LogProbe())
        rest = pool.submit(quietly, lambda: _rest(config, facts), RestProbe())
        bodies = pool.submit(quietly, lambda: _bodies(config, facts), BodyProbe())
        apply = pool.submit(quietly, lambda: applying(config, facts), ApplyProbe())
    replace = msgspec.structs.replace
    return Probe(
        log=replace(log.result()[0], error=log.result()[1]),
        rest=replace(rest.result()[0], error=rest.result()[1]),
        bodies=replace(bodies.result()[0], error=bodies.result()[1]),
        apply=replace(apply.result()[0], error=apply.result()[1]),
        seconds=round(time.monotonic() - started, 3),
    )


def applying(config: Config, facts: Facts) -> ApplyProbe:
    """Two looks at the places of a clone's readers in the target's own log."""
    counts = {name: count for name, count in facts.target.topics.items() if not name.endswith(CRP)}
    if facts.target.state != CLONING or facts.target.kafka_error or not counts:
        return ApplyProbe()
    kafka = config.target.kafka
    groups = list(group_states(kafka, READERS, _TIMEOUT))

    def applied() -> dict[tuple[str, int], int]:
        places: dict[tuple[str, int], int] = {}
        for group in groups:
            for place, offset in group_places(kafka, counts, group, _TIMEOUT).items():
                places[place] = max(offset, places.get(place, 0))
        return places

    before, began = applied(), time.monotonic()
    if not before:
        return ApplyProbe()
    time.sleep(WITHIN)
    after, seconds = applied(), time.monotonic() - began
    ends = Topics(kafka).ends(counts, _TIMEOUT)
    return ApplyProbe(
        records=sum(max(0, offset - before.get(place, 0)) for place, offset in after.items()),
        behind=sum(max(0, ends[name][p] - offset) for (name, p), offset in after.items()),
        seconds=round(seconds, 3),
    )


def _log(config: Config, facts: Facts) -> LogProbe:
    """Reads the log from its beginning, as the copy will."""
    counts = {name: count for name, count in facts.source.topics.items() if not name.endswith(CRP)}
    if facts.source.kafka_error or not counts:
        return LogProbe()
    lows = Topics(config.source.kafka).lows(counts, _TIMEOUT)
    wanted = sum(counts.values())
    reader = LogConsumer(
        config.source.kafka, f"bmswitch-probe-{uuid.uuid4().hex}", partitions=wanted, queued_kib=16_384
    )
    with contextlib.closing(reader):
        reader.assign(lows)
        return _read_some(lambda: reader.read(_BATCH, 0.2), wanted)


def _read_some(read: Callable[[], Batch], partitions: int) -> LogProbe:
    """Counts what comes until the time is over, there is enough, or every partition is at its end."""
    records, size, ended = 0, 0, set[tuple[str, int]]()
    slices: list[tuple[float, int]] = []
    first = last = time.monotonic()
    end = first + WITHIN
    while records < _RECORDS and len(ended) < partitions and time.monotonic() < end:
        batch = read()
        now = time.monotonic()
        records += len(batch.records)
        size += sum(len(one.key) + len(one.value or b"") for one in batch.records)
        ended.update(batch.ends)
        if batch.records:
            slices.append((now - last, len(batch.records)))
            last = now
    return LogProbe(
        records=records,
        bytes=size,
        seconds=round(last - first, 4),
        spread=round(spread(_rates(slices)), 4),
        whole=len(ended) >= partitions,
    )


def _rates(slices: list[tuple[float, int]]) -> list[float]:
    """Records a second of stretches of a tenth of a second: single batches are too short to say anything."""
    found: list[float] = []
    seconds, records = 0.0, 0
    for took, count in slices:
        seconds, records = seconds + took, records + count
        if seconds >= _SLICE:
            found.append(records / seconds)
            seconds, records = 0.0, 0
    return found


def _rest(config: Config, facts: Facts) -> RestProbe:
    if facts.source.core_error or not facts.source.domains:
        return RestProbe()
    try:
        return asyncio.run(_read_owners(config, facts.source.domains))
    except ExceptionGroup as group:
        raise first_of(group) from group


async def _read_owners(config: Config, domains: list[str]) -> RestProbe:
    """Reads some entries of all domains whole, until they are read or the time is over."""
    done: list[_Owner] = []
    async with open_bulk(config, config.serving, concurrency=_AT_ONCE) as bulk:
        found = [(domain, entry) for domain in domains for entry in await _entries(bulk, domain)]
        todo = iter(random.sample(found, min(_OWNERS, len(found))))
        sides = Sides(bulk, bulk)
        before, started = bulk.calls, time.monotonic()

        async def worker() -> None:
            """What was begun is read to its end: else only small entries would be counted."""
            for domain, entry in todo:
                done.append(await _owner(sides, bulk, domain, entry))
                if time.monotonic() - started > WITHIN:
                    return

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AT_MOST), asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(worker())
        seconds, calls = time.monotonic() - started, bulk.calls - before
    return RestProbe(
        owners=len(done),
        of=len(found),
        containers=sum(one.containers for one in done),
        items=sum(one.items for one in done),
        calls=calls,
        seconds=round(seconds, 4),
        at_once=_AT_ONCE,
        spread=round(spread([one.seconds for one in done]), 4),
        items_spread=round(spread([one.items for one in done]), 4),
    )


async def _entries(bulk: Bulk, domain: str) -> list[Entry]:
    _, entries = await read_directory(bulk, domain, ALL)
    return list(entries.values())


async def _owner(sides: Sides, bulk: Bulk, domain: str, entry: Entry) -> _Owner:
    """One entry as `parity.full` reads it, on the source alone."""
    started = time.monotonic()
    sides.kinds[domain, entry.uid] = entry.kind
    for kind in (ENTRY, SIDE):
        await sides.read(bulk, Place(domain, entry.uid, "", kind))
    _, held = await read_containers(bulk, entry.uid, ALL)
    items = 0
    for container in held.values():
        await sides.read(bulk, Place(domain, entry.uid, container.uid, META))
        if container.type not in NOT_RESTORED:
            found = await sides.read(bulk, Place(domain, entry.uid, container.uid, container.type))
            items += len(found.prints)
    return _Owner(len(held), items, time.monotonic() - started)


def _bodies(config: Config, facts: Facts) -> BodyProbe:
    """Looks for bodies that were just listed: one that is missing was deleted, or the listing is not to be believed."""
    guids = facts.bucket.sample
    if facts.bucket.error or not guids:
        return BodyProbe()
    with contextlib.closing(open_bucket(config.bucket)) as bucket:
        started = time.monotonic()
        missing = bucket.missing(guids)
        return BodyProbe(asked=len(guids), missing=len(missing), seconds=round(time.monotonic() - started, 4))
