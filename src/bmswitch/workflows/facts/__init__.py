"""Gathers what the guards look at: one small reader for each thing, side by side. A part that does not answer is told."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bmswitch.kafka.topics import NEW_TOPIC_BYTES
from bmswitch.model.config import BucketPolicy, Config
from bmswitch.model.guards.facts import Facts
from bmswitch.model.plan import Plan
from bmswitch.proxy.api import ProxyNode
from bmswitch.replication.state import read_status
from bmswitch.workflows.facts.attempt import attempt
from bmswitch.workflows.facts.bucket import bucket_facts
from bmswitch.workflows.facts.certificates import certificate_facts
from bmswitch.workflows.facts.clocks import clock_facts
from bmswitch.workflows.facts.heartbeat import heartbeat_age, sequence_gaps
from bmswitch.workflows.facts.keys import same_keys
from bmswitch.workflows.facts.log_rights import log_rights
from bmswitch.workflows.facts.machines import machine_facts
from bmswitch.workflows.facts.network import link_facts, open_ports, public_facts
from bmswitch.workflows.facts.nodes import look, node_facts
from bmswitch.workflows.facts.sides import entry_kinds, side_facts, whole_side
from bmswitch.workflows.facts.switch import switch_facts
from bmswitch.workflows.facts.sysconf import harmless
from bmswitch.workflows.sites import sysconf_override

__all__ = ["at_gate", "beforehand", "side_facts"]

_READERS = 48


def beforehand(config: Config, *, back: bool = False, count: bool = True) -> Facts:
    """For `plan`: unless told otherwise it also counts bodies and directory entries, which takes as long as there are many."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="facts") as pool:
        nodes = [pool.submit(node_facts, node) for node in config.proxies]
        facts = _common(config, pool, None, count=count)
        if not count:
            return msgspec.structs.replace(facts, nodes=[node.result() for node in nodes], back=back)
        entries, _ = attempt(lambda: entry_kinds(config, facts.source), dict[str, dict[str, int]]())
        return msgspec.structs.replace(
            facts, nodes=[node.result() for node in nodes], entries_by_domain=entries, back=back
        )


def at_gate(
    config: Config,
    plan: Plan,
    *,
    nodes: Sequence[ProxyNode],
    orphans: Callable[[], list[str]],
    dry: bool = False,
) -> Facts:
    """For the gate: the same, cheap, and what only the running copy and the open nodes tell. `dry`: write nothing."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="facts") as pool:
        looks = [pool.submit(look, node) for node in nodes]
        switch = switch_facts(config, plan, pool, orphans, dry=dry)
        facts = _common(config, pool, plan)
        seen = [one.result() for one in looks]
        # Last, and with the clock: a slow look at something else must not make a living copy look dead.
        switch = msgspec.structs.replace(switch, status=read_status(Path(config.run_dir)))
        return msgspec.structs.replace(facts, now=time.time(), nodes=seen, switch=switch, back=plan.back)


def _common(config: Config, pool: ThreadPoolExecutor, plan: Plan | None, *, count: bool = False) -> Facts:
    """What both moments look at. Threads of the pool wait for none of its other threads, so that it can not stand still."""
    bucket_read = pool.submit(bucket_facts, config, plan, count=count)
    target_read = pool.submit(whole_side, config, config.standby, plan)
    source = whole_side(config, config.serving, plan)
    public_read = pool.submit(public_facts, config, source)
    age, age_error = attempt(lambda: heartbeat_age(config, source), None)
    core, rights = config.source.core, config.source.rights
    shared = config.replication.mode == "shared"
    gaps, gaps_error = attempt(lambda: sequence_gaps(config, source), list[str]()) if shared else ([], "")
    made_by_us = not config.target.kafka.create_topics and not shared
    parts = (("the bucket", rights.bucket), ("its Kafka", rights.kafka))
    target, bucket = target_read.result(), bucket_read.result()
    return Facts(
        now=time.time(),
        source=source,
        target=target,
        server_map=config.servers,
        mode=config.replication.mode,
        rate=config.replication.rate,
        bucket=bucket,
        nodes=[],
        heartbeat_age=age,
        heartbeat_error=age_error,
        sequence_gaps=gaps,
        sequence_error=gaps_error,
        log_rights=log_rights(config, source),
        clocks=clock_facts(config, pool, source, target, bucket),
        new_topic_bytes=NEW_TOPIC_BYTES if made_by_us else 0,
        new_topic_copies=config.target.kafka.replication_factor if made_by_us else 0,
        missing_commands=[name for name in ("stop", "start", "kick") if getattr(core, name) is None],
        missing_rights=[part for part, way in parts if way is None],
        same_bucket_keys=same_keys(config),
        unproven_policy=isinstance(rights.bucket, BucketPolicy) and config.source.bucket_key is None,
        override=harmless(sysconf_override(config)),
        machines=machine_facts(config, pool, source),
        open_ports=open_ports(config, pool, source),
        certificates=certificate_facts(config, pool, source, both_sides=plan is not None),
        public=public_read.result(),
        links=link_facts(config, pool),
    )
