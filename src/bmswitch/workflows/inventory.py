"""Puts together what there is at both sites, from what the guards have read and a few looks of its own."""

import contextlib
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec

from bmswitch.model.config import AnyNode, Config
from bmswitch.model.errors import BmswitchError, UnknownError
from bmswitch.model.estimates import Estimate, scaled
from bmswitch.model.guards.facts import CLONING, RUNNING, Facts, SideFacts
from bmswitch.model.inventory import (
    BucketInventory,
    Certificate,
    Clock,
    Disk,
    Domain,
    Inventory,
    Log,
    Machine,
    NodeInventory,
    SideInventory,
)
from bmswitch.model.probe import Probe
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.open import open_node
from bmswitch.workflows.facts.attempt import quietly, told
from bmswitch.workflows.facts.names import public_names
from bmswitch.workflows.sites import open_survey

_READERS = 16
_TIMEOUT = 10.0
_DAY = 86_400
_KIB = 1024
_SMALLEST = 64 * 1024 * 1024
_NO_DISKS = ("tmpfs", "devtmpfs", "udev", "shm", "none", "/dev/loop")


def inventory(config: Config, facts: Facts, probe: Probe) -> Inventory:
    """What can not be read is told as an error in its place."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="inventory") as pool:
        nodes = [pool.submit(_node, node, facts) for node in config.proxies]
        source, target = (_side(config, side, facts, probe, pool) for side in facts.sides)
        names = public_names(config, facts.source, pool)
        return Inventory(
            source=source,
            target=target,
            bucket=_bucket(facts),
            nodes=[node.result() for node in nodes],
            names=names,
            certificates=[
                Certificate(
                    at=one.at,
                    days=int((one.until - facts.now) // _DAY) if one.until else -1,
                    problem=one.error or one.verified,
                )
                for one in facts.certificates
            ],
            clocks=[Clock(name=one.name, ahead=one.ahead, error=one.error) for one in facts.clocks],
            items=_items(probe),
        )


def _items(probe: Probe) -> Estimate | None:
    rest = probe.rest
    if not rest.owners:
        return None
    how = f"{rest.owners} of {rest.of} entries were read"
    if rest.owners == rest.of:
        return Estimate(low=rest.items, likely=rest.items, high=rest.items, how=how)
    likely = rest.items / rest.owners * rest.of
    return scaled(round(likely), rest.items_spread, how, floor=rest.items)


def _side(config: Config, side: SideFacts, facts: Facts, probe: Probe, pool: Executor) -> SideInventory:
    machines = list(pool.map(lambda one: _machine(config, side, *one), sorted(side.servers.items())))
    ours = side is facts.source
    return SideInventory(
        colour=side.colour,
        url=side.url,
        state=side.state,
        version=side.version,
        machines=machines,
        domains=[_domain(uid, facts.entries_by_domain.get(uid, {}), ours=ours) for uid in side.domains],
        log=_log(side, probe if ours else None),
        protocol=side.protocol,
        error=side.core_error,
    )


def _domain(uid: str, kinds: dict[str, int], *, ours: bool) -> Domain:
    if not ours:
        return Domain(uid=uid, users=-1, mailboxes=-1, entries=-1)
    users = kinds.get("USER", 0)
    return Domain(
        uid=uid, users=users, mailboxes=users + kinds.get("MAILSHARE", 0), entries=sum(kinds.values())
    )


def _log(side: SideFacts, probe: Probe | None) -> Log:
    settings: dict[str, set[str]] = {}
    for told_of in side.settings.values():
        for key, value in told_of.items():
            settings.setdefault(key, set()).add(value)
    for key, value in side.broker.items():
        settings.setdefault(key, set()).add(value)
    records = sum(side.records.values())
    size: Estimate | None = None
    if probe is not None and probe.log.records:
        how = "all of it was read" if probe.log.whole else f"{probe.log.records:,} records were read"
        size = scaled(
            round(probe.log.record_bytes * records),
            0.0 if probe.log.whole else 0.1,
            how,
            floor=probe.log.bytes,
        )
    return Log(
        topics=len(side.topics),
        partitions=sum(side.topics.values()),
        records=records,
        bytes=size,
        copies=min(side.copies.values(), default=0),
        settings={key: sorted(values) for key, values in sorted(settings.items())},
        error=side.kafka_error or side.settings_error,
    )


def _machine(config: Config, side: SideFacts, uid: str, address: str) -> Machine:
    """One server; its disks through BlueMind's node agent, where that may be asked."""
    machine = Machine(uid=uid, address=address, roles=sorted(side.tags.get(uid, [])))
    if side.state not in {RUNNING, CLONING} or not config.site(side.colour).machines.ask:
        return machine
    disks, error = quietly(lambda: _disks(config, side, uid), list[Disk]())
    return msgspec.structs.replace(machine, disks=disks, error=error)


def _disks(config: Config, side: SideFacts, uid: str) -> list[Disk]:
    with contextlib.closing(open_survey(config, side.colour, timeout=_TIMEOUT)) as survey:
        told_of = survey.run(uid, ["df", "-Pk"]).text
    found = parse_df(told_of)
    if not found:
        raise UnknownError("the disks can not be read", evidence=told_of[:200])
    return found


def parse_df(text: str) -> list[Disk]:
    """File systems on disks of a `df -Pk` answer; what is in memory, tiny, or mounted a second time is left out."""
    found: dict[str, Disk] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 6 or not (words[1].isdecimal() and words[3].isdecimal()):
            continue
        if words[0].startswith(_NO_DISKS) or words[0] in found or int(words[1]) * _KIB < _SMALLEST:
            continue
        found[words[0]] = Disk(" ".join(words[5:]), int(words[1]) * _KIB, int(words[3]) * _KIB)
    return list(found.values())


def _bucket(facts: Facts) -> BucketInventory:
    bucket = facts.bucket
    return BucketInventory(
        name=bucket.name,
        endpoint=bucket.endpoint,
        bodies=bucket.bodies,
        bytes=bucket.bytes,
        documents=bucket.documents,
        versioning=bucket.versioning,
        error=bucket.error or bucket.settings_error,
    )


def _node(wanted: AnyNode, facts: Facts) -> NodeInventory:
    """Where it points, and what is open on the source there now."""
    seen = next((node for node in facts.nodes if node.name == wanted.name), None)
    fronts = wanted.frontends
    plain = NodeInventory(
        name=wanted.name,
        driver=type(wanted).__name__.removesuffix("Node").lower(),
        points_at=seen.colour if seen else "unknown",
        frontends=[
            *fronts.http,
            *(f"imap {at}" for at in fronts.imap),
            *(f"smtp {at}" for at in fronts.smtp),
        ],
        error=seen.error if seen else "",
    )
    try:
        with contextlib.closing(open_node(wanted)) as node:
            open_now = node.sessions(facts.source.colour)
    except BmswitchError as error:
        return msgspec.structs.replace(plain, error=plain.error or told(error))
    sockets = -1 if open_now.websockets is None else open_now.websockets
    connected, _ = quietly(lambda: inspect_node(wanted).connected, dict[str, int]())
    return msgspec.structs.replace(
        plain, mail=open_now.mail, web=open_now.web, websockets=sockets, connected=connected
    )
