"""What can be known before anything is done: facts about both sites, and one pure guard for each thing that can be wrong.

A guard takes the facts and answers with one `Finding`. To add one: write a function and put it in `GUARDS`.
"""

from collections.abc import Callable

import msgspec

from bmswitch.model.plan import Finding, Level

RUNNING = "CORE_STATE_RUNNING"
NOT_INSTALLED = "CORE_STATE_NOT_INSTALLED"
CLONING = "CORE_STATE_CLONING"
DEMOTED = "CORE_STATE_DEMOTED"


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One side as read. An `error` text says why a part could not be read; what it covers is then empty."""

    url: str
    state: str = ""
    version: str = ""
    installation_id: str = ""
    domains: list[str] = []
    servers: dict[str, str] = {}
    core_error: str = ""
    kafka_cluster_id: str = ""
    topics: dict[str, int] = {}
    records: dict[str, int] = {}
    kafka_error: str = ""


class NodeFacts(msgspec.Struct, frozen=True):
    """One proxy node as read back: colour blue, green or unknown; `hold_until_ms` 0 when nothing is held."""

    name: str
    colour: str
    hold_until_ms: int
    error: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the guards look at. `bodies` is -1 when the bucket could not be read (see `bucket_error`)."""

    blue: SideFacts
    green: SideFacts
    blue_version: str
    green_version: str
    server_map: dict[str, str]
    mode: str
    bodies: int
    bucket_error: str
    nodes: list[NodeFacts]
    entries: dict[str, int] = {}
    has_stop: bool
    has_start: bool
    has_kick: bool


Guard = Callable[[Facts], Finding]


def blue_serves(facts: Facts) -> Finding:
    """Blue's core answers and is RUNNING."""
    if facts.blue.core_error:
        return _unknown("blue_serves", "blue's core can not be read", facts.blue.core_error)
    if facts.blue.state != RUNNING:
        return _stop(
            "blue_serves", "blue is not in production", f"state {facts.blue.state}", "start blue's core first"
        )
    return _pass("blue_serves", "blue is in production")


def green_is_free(facts: Facts) -> Finding:
    """Nothing lives on green yet: its core is not there, not installed, or a clone of blue that is under way."""
    green = facts.green
    if green.state == RUNNING:
        return _stop(
            "green_is_free",
            "green is in use: its core is RUNNING",
            f"{green.url} has {len(green.domains)} domain(s)",
            "name another green, or wipe this one (clone-and-api.md 7.2, step 5)",
        )
    if green.state and green.state not in {NOT_INSTALLED, CLONING}:
        return _stop("green_is_free", "green is in a state that can not become a clone", green.state)
    return _pass("green_is_free", "nothing lives on green", green.state or "no core there yet")


def two_sites(facts: Facts) -> Finding:
    """Blue and green are two."""
    if facts.blue.url == facts.green.url:
        return _stop(
            "two_sites", "blue and green are the same core", facts.blue.url, "correct blue.url or green.url"
        )
    same = facts.blue.kafka_cluster_id and facts.blue.kafka_cluster_id == facts.green.kafka_cluster_id
    if same and facts.mode == "mirror":
        return _stop(
            "two_sites",
            "blue and green use the same Kafka cluster, so there is nothing to mirror to",
            f"cluster id {facts.blue.kafka_cluster_id}",
            "give green its own Kafka, or say replication.mode: shared",
        )
    return _pass("two_sites", "blue and green are two sites")


def logs_readable(facts: Facts) -> Finding:
    """Both Kafka clusters answer and blue's holds an installation's log."""
    for name, side in (("blue", facts.blue), ("green", facts.green)):
        if side.kafka_error:
            return _unknown("logs_readable", f"{name}'s Kafka can not be read", side.kafka_error)
    if not any(name.endswith("-__orphans__") for name in facts.blue.topics):
        return _stop("logs_readable", "blue's Kafka holds no change log", "no topic ends with -__orphans__")
    return _pass("logs_readable", f"blue's log has {len(facts.blue.topics)} topics")


def one_topic_a_domain(facts: Facts) -> Finding:
    """Every domain has its topic: the clone waits for ever otherwise (clone-and-api.md 2.9)."""
    if facts.blue.core_error or facts.blue.kafka_error:
        return _unknown("one_topic_a_domain", "blue could not be read whole")
    missing = [d for d in facts.blue.domains if not any(t.endswith(f"-{d}") for t in facts.blue.topics)]
    if missing:
        return _stop(
            "one_topic_a_domain",
            "a domain has no topic in the log",
            ", ".join(missing),
            "bm-cli setup clone-init",
        )
    return _pass("one_topic_a_domain", f"{len(facts.blue.domains)} domain(s), each with its topic")


def same_partitions(facts: Facts) -> Finding:
    """Every topic of one log has the same number of partitions (change-log.md 2, traps)."""
    counts = {n for t, n in facts.blue.topics.items() if not t.endswith("-crp-dir-entries")}
    if len(counts) > 1:
        return _stop(
            "same_partitions",
            "topics of blue's log differ in their number of partitions",
            str(sorted(counts)),
        )
    return _pass("same_partitions", f"{counts.pop() if counts else 0} partitions everywhere")


def servers_mapped(facts: Facts) -> Finding:
    """Each server of blue's topology has an address on green, and not blue's own (traffic-and-objects.md C 23)."""
    servers = facts.blue.servers
    missing = sorted(uid for uid in servers if uid not in facts.server_map)
    if missing:
        return _stop(
            "servers_mapped",
            "a server of blue has no address on green: green would reconfigure blue's machine",
            "no entry for " + ", ".join(missing),
            f"add {missing[0]} under servers: in the configuration",
        )
    own = sorted(uid for uid, address in facts.server_map.items() if address in servers.values())
    if own:
        return _stop("servers_mapped", "a server is mapped to one of blue's own addresses", ", ".join(own))
    return _pass("servers_mapped", f"{len(servers)} server(s) mapped")


def versions_as_told(facts: Facts) -> Finding:
    """Blue has the version that the configuration names; green's is not older (clone-and-api.md 6)."""
    if facts.blue.version and not facts.blue.version.startswith(facts.blue_version):
        return _stop("versions_as_told", "blue has another version than the configuration says",
                     f"{facts.blue.version}, expected {facts.blue_version}")  # fmt: skip
    if _numbers(facts.green_version) < _numbers(facts.blue_version):
        return _stop(
            "versions_as_told", "green is older than blue", f"{facts.green_version} < {facts.blue_version}"
        )
    if facts.green.version and not facts.green.version.startswith(facts.green_version):
        return _stop("versions_as_told", "green has another version than the configuration says",
                     f"{facts.green.version}, expected {facts.green_version}")  # fmt: skip
    return _pass("versions_as_told", f"from {facts.blue_version} to {facts.green_version}")


def bucket_readable(facts: Facts) -> Finding:
    """The shared bucket answers; without it green has no mail (clone-and-api.md 7.3)."""
    if facts.bucket_error:
        return _unknown("bucket_readable", "the bucket can not be read", facts.bucket_error)
    return _pass("bucket_readable", f"{facts.bodies:,} bodies in the bucket")


def proxies_on_blue(facts: Facts) -> Finding:
    """Each proxy node was read back: it sends traffic to blue and holds nothing."""
    for node in facts.nodes:
        if node.error:
            return _unknown("proxies_on_blue", f"proxy node {node.name} can not be read", node.error)
        if node.colour != "blue":
            return _stop(
                "proxies_on_blue",
                f"proxy node {node.name} does not send traffic to blue",
                f"to {node.colour}",
            )
        if node.hold_until_ms:
            return _stop(
                "proxies_on_blue", f"proxy node {node.name} holds traffic", "another switch may be under way"
            )
    return _pass("proxies_on_blue", f"{len(facts.nodes)} node(s) on blue, nothing held")


def blue_can_be_stopped(facts: Facts) -> Finding:
    """Blue's core can be stopped, started and its kept sessions ended by a command (traffic-and-objects.md C 36, 47)."""
    names = (("stop", facts.has_stop), ("start", facts.has_start), ("kick", facts.has_kick))
    missing = [name for name, there in names if not there]
    if missing:
        return Finding(
            guard="blue_can_be_stopped",
            level=Level.warn,
            cause="blue.core has no command to " + ", ".join(missing),
            consequence="kept sessions may get refused writes, reminders may be sent twice, abort is by hand after the fence",
            command="name the commands under blue.core in the configuration",
        )
    return _pass("blue_can_be_stopped", "blue's core can be stopped, started, and its sessions ended")


def mode_supported(facts: Facts) -> Finding:
    """Only mirror mode is there yet."""
    if facts.mode != "mirror":
        return _stop(
            "mode_supported",
            "replication.mode: shared is not there yet",
            command="say replication.mode: mirror",
        )
    return _pass("mode_supported", "green's site gets its own copy of the log")


GUARDS: tuple[Guard, ...] = (
    two_sites,
    blue_serves,
    green_is_free,
    versions_as_told,
    logs_readable,
    one_topic_a_domain,
    same_partitions,
    servers_mapped,
    mode_supported,
    bucket_readable,
    proxies_on_blue,
    blue_can_be_stopped,
)


def examine(facts: Facts) -> list[Finding]:
    """Every guard's answer, in the order of `GUARDS`."""
    return [guard(facts) for guard in GUARDS]


def _pass(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.passed, cause=cause, evidence=evidence)


def _stop(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    return Finding(guard=guard, level=Level.stop, cause=cause, evidence=evidence, command=command)


def _unknown(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.unknown, cause=cause, evidence=evidence)


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]
