"""Reads both sites for the guards and the fingerprint. What can not be read becomes an error text, never a guess."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import msgspec

from bmswitch.kafka.topics import Cluster, Topics
from bmswitch.model.config import Colour, Config, Site
from bmswitch.model.errors import AccessError, BmswitchError, RefusedError, UnreachableError
from bmswitch.model.preflight import DEMOTED, RUNNING, Facts, NodeFacts, SideFacts
from bmswitch.proxy.open import open_node
from bmswitch.workflows.sites import open_bucket, open_core

_TIMEOUT = 5.0
_READABLE = frozenset({RUNNING, DEMOTED})
"""States in which a core tells its domains and servers: a demoted one still answers reads (clone-and-api.md 2.5)."""
Part = TypeVar("Part")


def gather(config: Config) -> Facts:
    """Everything that the guards look at; a part that does not answer is told, not raised."""
    blue = side_facts(config, "blue", strict=False)
    bodies, bucket_error = _attempt(lambda: _count_bodies(config), -1)
    nothing: dict[str, int] = {}
    entries, _ = _attempt(lambda: _entries(config, blue), nothing)
    core = config.blue.core
    return Facts(
        blue=blue,
        green=side_facts(config, "green", strict=False),
        blue_version=config.blue.version,
        green_version=config.green.version,
        server_map=config.servers,
        mode=config.replication.mode,
        bodies=bodies,
        bucket_error=bucket_error,
        nodes=[_node_facts(config, index) for index in range(len(config.proxies))],
        entries=entries,
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
    site = config.blue if colour == "blue" else config.green
    empty = SideFacts(url=site.url)
    if strict:
        return _with_log(_with_core(empty, config, colour), site)
    core, core_error = _attempt(lambda: _with_core(empty, config, colour), empty)
    log, kafka_error = _attempt(lambda: _with_log(core, site), core)
    return msgspec.structs.replace(log, core_error=core_error, kafka_error=kafka_error)


def _attempt(read: Callable[[], Part], otherwise: Part) -> tuple[Part, str]:
    """What was read and no error, or the substitute and why. A refused key is raised: everything behind it is dark."""
    try:
        return read(), ""
    except AccessError:
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
        return msgspec.structs.replace(
            facts,
            state=state,
            version=version,
            domains=core.domains(),
            servers={server.uid: server.ip for server in core.servers()},
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
    )


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
    core = open_core(config, "blue", timeout=_TIMEOUT)
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
    except UnreachableError as error:
        return NodeFacts(wanted.name, "unknown", 0, error.cause)
    return NodeFacts(wanted.name, state.colour, state.hold_until_ms)
