"""What can be known before anything is done: one pure guard for each thing that can be wrong.

A guard takes the facts and answers with one `Finding`. To add one: write a function in the file of its subject and put it
in `GUARDS`. Which hazard each of them closes: docs/hazards.md.
"""

from collections.abc import Callable

from bmswitch.model.plan import Finding
from bmswitch.model.preflight import bodies, clocks, logs, proxies, servers, sites
from bmswitch.model.preflight.facts import (
    CLONING,
    DEMOTED,
    NOT_INSTALLED,
    RUNNING,
    SYSCONF_KEYS,
    ClockFacts,
    Facts,
    NodeFacts,
    SideFacts,
)

__all__ = [
    "CLONING",
    "DEMOTED",
    "GUARDS",
    "NOT_INSTALLED",
    "RUNNING",
    "SYSCONF_KEYS",
    "ClockFacts",
    "Facts",
    "Guard",
    "NodeFacts",
    "SideFacts",
    "examine",
]

Guard = Callable[[Facts], Finding]

GUARDS: tuple[Guard, ...] = (
    sites.two_sites,
    sites.blue_serves,
    sites.green_is_free,
    sites.versions_as_told,
    sites.ids_well_formed,
    logs.logs_readable,
    logs.one_topic_a_domain,
    logs.same_partitions,
    logs.id_sequence_fresh,
    logs.log_settings,
    logs.log_copies,
    servers.servers_mapped,
    servers.edge_apart,
    sites.mode_supported,
    bodies.bucket_readable,
    bodies.bodies_in_bucket,
    bodies.retention_long,
    clocks.clocks_agree,
    proxies.proxies_on_blue,
    sites.blue_can_be_stopped,
)


def examine(facts: Facts) -> list[Finding]:
    """Every guard's answer, in the order of `GUARDS`."""
    return [guard(facts) for guard in GUARDS]
