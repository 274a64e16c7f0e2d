"""Reads both sites for the guards and the fingerprint. What can not be read becomes an error text, never a guess."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from bmswitch.kafka.consumer import read_last
from bmswitch.kafka.topics import NEW_TOPIC_BYTES, Cluster, Topics
from bmswitch.model.config import Colour, Config, Site, Tls
from bmswitch.model.errors import (
    AccessError,
    BmswitchError,
    ConfigError,
    RefusedError,
    UnknownError,
    UnreachableError,
)
from bmswitch.model.partition import partition_of
from bmswitch.model.preflight import (
    DEMOTED,
    RUNNING,
    SYSCONF_KEYS,
    ClockFacts,
    Facts,
    NodeFacts,
    SideFacts,
)
from bmswitch.model.topics import orphans
from bmswitch.proxy.open import open_node
from bmswitch.workflows.clocks import read_clock
from bmswitch.workflows.orphans import HEARTBEAT
from bmswitch.workflows.sites import open_bucket, open_core, verification
from bmswitch.workflows.soak import STATE

_TIMEOUT = 5.0
_EDGE = "-edge"
"""How the tags of public edges end (`bm/nginx-edge`, `mail/smtp-edge`)."""
_READABLE = frozenset({RUNNING, DEMOTED})
"""States in which a core tells its domains and servers: a demoted one still answers reads (clone-and-api.md 2.5)."""
Part = TypeVar("Part")


def gather(config: Config) -> Facts:
    """Everything that the guards look at; a part that does not answer is told, not raised."""
    blue = _with_settings(side_facts(config, config.serving, strict=False), config.source)
    green = _with_settings(side_facts(config, config.standby, strict=False), config.target)
    bodies, bucket_error = _attempt(lambda: _count_bodies(config), -1)
    nothing: dict[str, int] = {}
    entries, _ = _attempt(lambda: _entries(config, blue), nothing)
    heartbeat_age, heartbeat_error = _attempt(lambda: _heartbeat_age(config, blue), None)
    sysconf, sysconf_error = _attempt(lambda: _sysconf(config, blue), None)
    core = config.source.core
    return Facts(
        blue=blue,
        green=green,
        blue_version=config.source.version,
        green_version=config.target.version,
        server_map=config.servers,
        mode=config.replication.mode,
        bodies=bodies,
        bucket_error=bucket_error,
        nodes=[_node_facts(config, index) for index in range(len(config.proxies))],
        entries=entries,
        sysconf=sysconf or {},
        sysconf_read=sysconf is not None,
        sysconf_error=sysconf_error,
        heartbeat_age=heartbeat_age,
        heartbeat_error=heartbeat_error,
        clocks=_clocks(config, (blue.core_error, green.core_error, bucket_error)),
        new_topic_bytes=0 if config.target.kafka.create_topics else NEW_TOPIC_BYTES,
        has_stop=core.stop is not None,
        has_start=core.start is not None,
        has_kick=core.kick is not None,
    )


def side_facts(config: Config, colour: Colour, *, strict: bool) -> SideFacts:
    """One side: its core and its log.

    Args:
        config: the configuration.
        colour: which side.
        strict: raise when a part can not be read, instead of telling it in the facts.
    """
    site = config.site(colour)
    empty = SideFacts(url=site.url)
    if strict:
        return _with_log(_with_core(empty, config, colour), site)
    core, core_error = _attempt(lambda: _with_core(empty, config, colour), empty)
    log, kafka_error = _attempt(lambda: _with_log(core, site), core)
    return msgspec.structs.replace(log, core_error=core_error, kafka_error=kafka_error)


def _attempt(read: Callable[[], Part], otherwise: Part) -> tuple[Part, str]:
    """What was read and no error, or the substitute and why.

    A refused key is raised: everything behind it is dark. So is a wrong configuration: no site is to blame for it.
    """
    try:
        return read(), ""
    except (AccessError, ConfigError):
        raise
    except BmswitchError as error:
        return otherwise, ": ".join(part for part in (error.cause, error.evidence) if part)


def _with_core(facts: SideFacts, config: Config, colour: Colour) -> SideFacts:
    core = open_core(config, colour, timeout=_TIMEOUT)
    try:
        state = core.state()
        version = core.version().software_version
        if state not in _READABLE:
            return msgspec.structs.replace(facts, state=state, version=version)
        servers = core.servers()
        return msgspec.structs.replace(
            facts,
            state=state,
            version=version,
            domains=core.domains(),
            servers={server.uid: server.ip for server in servers},
            edges=[s.uid for s in servers if any(tag.endswith(_EDGE) for tag in s.tags)],
        )
    finally:
        core.close()


def _with_log(facts: SideFacts, site: Site) -> SideFacts:
    topics = Topics(site.kafka)
    cluster = topics.cluster(_TIMEOUT)
    iid = site.installation_id or _only_installation(cluster, site)
    mine = cluster.of(iid) if iid else {}
    ends, lows = topics.ends(mine, _TIMEOUT), topics.lows(mine, _TIMEOUT)
    return msgspec.structs.replace(
        facts,
        installation_id=iid,
        kafka_cluster_id=cluster.id,
        topics=mine,
        records={name: sum(ends[name]) - sum(lows[name]) for name in mine},
        copies={name: cluster.copies[name] for name in mine},
    )


def _with_settings(facts: SideFacts, site: Site) -> SideFacts:
    """What the broker tells of the log's topics; a broker that does not tell is no fault of the log."""
    if facts.kafka_error:
        return msgspec.structs.replace(facts, settings_error=facts.kafka_error)
    try:
        told = Topics(site.kafka).settings(facts.topics, _TIMEOUT)
    except (AccessError, UnreachableError) as error:
        why = ": ".join(part for part in (error.cause, error.evidence) if part)
        return msgspec.structs.replace(facts, settings_error=why)
    return msgspec.structs.replace(facts, settings=told)


def _heartbeat_age(config: Config, blue: SideFacts) -> float | None:
    """Seconds since blue's core logged its id sequence last; None when there is no such record."""
    topic = orphans(blue.installation_id)
    count = blue.topics.get(topic)
    if not count:
        return None
    kafka, partition = config.source.kafka, partition_of(HEARTBEAT, count)
    topics = Topics(kafka)
    low = topics.lows({topic: count}, _TIMEOUT)[topic][partition]
    end = topics.ends({topic: count}, _TIMEOUT)[topic][partition]
    records = read_last(kafka, topic, partition, low=low, end=end, timeout=_TIMEOUT)
    mark = f'"{HEARTBEAT}"'.encode()  # keys are not decoded: a broken neighbour is not this guard's business
    times = [record.timestamp_ms for record in records if record.value is not None and mark in record.key]
    return time.time() - max(times) / 1000 if times else None


def _sysconf(config: Config, blue: SideFacts) -> dict[str, str] | None:
    """The harmless keys of blue's system configuration; None when blue is in no state to tell."""
    if blue.state not in _READABLE:
        return None
    core = open_core(config, config.serving, timeout=_TIMEOUT)
    try:
        told = core.sysconf()
        return {key: told[key] for key in SYSCONF_KEYS if key in told}
    finally:
        core.close()


def _clocks(config: Config, errors: tuple[str, str, str]) -> list[ClockFacts]:
    """Both cores' and the bucket's clocks, asked side by side; who did not answer before is not asked again."""
    asked = (
        ("blue", config.source.url.rstrip("/") + STATE, config.source.tls, errors[0]),
        ("green", config.target.url.rstrip("/") + STATE, config.target.tls, errors[1]),
        ("the bucket", config.bucket.endpoint, config.bucket.tls, errors[2]),
    )

    def read(one: tuple[str, str, Tls, str]) -> ClockFacts:
        name, url, tls, error = one
        return ClockFacts(name, None, error) if error else read_clock(name, url, verify=verification(tls))

    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(read, asked))


def _only_installation(cluster: Cluster, site: Site) -> str:
    """The one whose log is there; none is no error (a green that is not built yet)."""
    found = cluster.installations()
    if len(found) > 1:
        raise RefusedError(
            f"Kafka at {site.kafka.bootstrap} holds the logs of {len(found)} installations",
            evidence=", ".join(found),
            next_command="name the right one as installation_id in the configuration",
        )
    return found[0] if found else ""


def _count_bodies(config: Config) -> int:
    bucket = open_bucket(config.bucket)
    try:
        bucket.check()
        return sum(1 for _ in bucket.bodies())
    finally:
        bucket.close()


def _entries(config: Config, blue: SideFacts) -> dict[str, int]:
    """Directory entries of all domains by kind (`USER`, `GROUP`, ...)."""
    core = open_core(config, config.serving, timeout=_TIMEOUT)
    try:
        kinds: Counter[str] = Counter()
        for domain in blue.domains:
            kinds.update(core.entry_kinds(domain))
        return dict(sorted(kinds.items()))
    finally:
        core.close()


def _node_facts(config: Config, index: int) -> NodeFacts:
    """One proxy node as it really is."""
    wanted = config.proxies[index]
    try:
        node = open_node(wanted)
        try:
            state = node.read()
        finally:
            node.close()
    except (UnreachableError, UnknownError) as error:
        return NodeFacts(wanted.name, "unknown", 0, error.cause)
    return NodeFacts(wanted.name, state.colour, state.hold_until_ms)
