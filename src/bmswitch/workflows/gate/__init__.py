"""The gate of the switch: every guard is asked again at the last moment. To add one: a function, and a place in GUARDS."""

from bmswitch.model.plan import Finding, Level
from bmswitch.workflows.gate import cores, means, proxies, replication
from bmswitch.workflows.gate.facts import GateFacts, Guard, gather

__all__ = ["GUARDS", "GateFacts", "ask", "gather"]

GUARDS: tuple[Guard, ...] = (
    replication.replicate_runs,
    replication.caught_up,
    replication.lag,
    replication.quarantine,
    replication.orphans,
    replication.proof,
    cores.blue_runs,
    cores.green_is_a_clone,
    cores.versions,
    proxies.blue_everywhere,
    proxies.frontends,
    means.bucket,
    means.disk,
    means.commands,
)


def ask(facts: GateFacts) -> list[Finding]:
    """Every guard's answer, in order."""
    return [guard(facts) for guard in GUARDS]


def refusals(findings: list[Finding]) -> list[Finding]:
    """Those that forbid to go on: `unknown` is never a pass."""
    return [finding for finding in findings if finding.level in (Level.stop, Level.unknown)]
