"""Reads both sides: core, topology, system configuration, and the log with what the broker tells of its topics."""

import contextlib
from collections import Counter

import msgspec

from bmswitch.bluemind.client import Core
from bmswitch.kafka.topics import Cluster, Topics
from bmswitch.model.config import Colour, Config, Site
from bmswitch.model.errors import RefusedError
from bmswitch.model.guards.facts import CLONING, DEMOTED, RUNNING, SideFacts
from bmswitch.model.plan import Plan
from bmswitch.model.topics import NODES
from bmswitch.workflows.facts.attempt import attempt
from bmswitch.workflows.facts.broker import with_broker
from bmswitch.workflows.facts.survey import with_survey
from bmswitch.workflows.facts.sysconf import harmless
from bmswitch.workflows.sites import open_core

_TIMEOUT = 5.0
_EDGE = "-edge"
"""How the tags of public edges end (`bm/nginx-edge`, `mail/smtp-edge`)."""
_READABLE = frozenset({RUNNING, DEMOTED})
"""States in which a core tells its domains and servers: a demoted one still answers reads (clone-and-api.md 2.5)."""


def side_facts(config: Config, colour: Colour, *, strict: bool) -> SideFacts:
    """One side: its core and its log.

    Args:
        config: the configuration.
        colour: which side.
        strict: raise when a part can not be read, instead of telling it in the facts.
    """
    site = config.site(colour)
    empty = SideFacts(colour=colour, url=site.url, wanted_version=site.version)
    if strict:
        return _with_log(_with_core(empty, config), site)
    core, core_error = attempt(lambda: _with_core(empty, config), empty)
    log, kafka_error = attempt(lambda: _with_log(core, site), core)
    return msgspec.structs.replace(log, core_error=core_error, kafka_error=kafka_error)


def whole_side(config: Config, colour: Colour, plan: Plan | None) -> SideFacts:
    """The same with its system configuration and the settings of its Kafka: what only guards look at.

    With a `plan` also what is known once the copy runs, of search index and clone.
    """
    side = side_facts(config, colour, strict=False)
    side = with_survey(_with_sysconf(side, config), config, plan.source.domains if plan else None)
    return with_broker(side, config.site(colour), gate=plan is not None)


def entry_kinds(config: Config, side: SideFacts) -> dict[str, dict[str, int]]:
    """Directory entries of each domain by kind (`USER`, `GROUP`, ...)."""
    with contextlib.closing(open_core(config, side.colour, timeout=_TIMEOUT)) as core:
        return {domain: dict(sorted(Counter(core.entry_kinds(domain)).items())) for domain in side.domains}


def _with_core(facts: SideFacts, config: Config) -> SideFacts:
    with contextlib.closing(open_core(config, facts.colour, timeout=_TIMEOUT)) as core:
        state, version = core.state(), core.version()
        facts = msgspec.structs.replace(
            facts, state=state, version=version.software_version, needs_upgrade=version.needs_upgrade
        )
        return _with_topology(facts, core) if state in _READABLE else facts


def _with_topology(facts: SideFacts, core: Core) -> SideFacts:
    servers = core.servers()
    return msgspec.structs.replace(
        facts,
        domains=core.domains(),
        servers={server.uid: server.ip for server in servers},
        tags={server.uid: server.tags for server in servers},
        edges=[s.uid for s in servers if any(tag.endswith(_EDGE) for tag in s.tags)],
    )


def _with_sysconf(facts: SideFacts, config: Config) -> SideFacts:
    """The system configuration; a core that does not answer or has none yet tells nothing."""
    if facts.core_error or facts.state not in _READABLE | {CLONING}:
        return facts

    def read() -> dict[str, str] | None:
        with contextlib.closing(open_core(config, facts.colour, timeout=_TIMEOUT)) as core:
            return harmless(core.sysconf())

    sysconf, error = attempt(read, None)
    return msgspec.structs.replace(facts, sysconf=sysconf, sysconf_error=error)


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
        gone={name: sum(lows[name]) for name in mine},
        copies={name: cluster.copies[name] for name in mine},
        nodes_topic=cluster.copies.get(NODES, 0),
        protocol=site.kafka.settings.get("security.protocol", ""),
    )


def _only_installation(cluster: Cluster, site: Site) -> str:
    """The one whose log is there; none is no error (a side that is not built yet)."""
    found = cluster.installations()
    if len(found) > 1:
        raise RefusedError(
            f"Kafka at {site.kafka.bootstrap} holds the logs of {len(found)} installations",
            evidence=", ".join(found),
            next_command="name the right one as installation_id in the configuration",
        )
    return found[0] if found else ""
