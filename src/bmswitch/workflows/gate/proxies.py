"""Guards about the proxies: every node is read back, points at blue, is held by nobody, and its frontends answer."""

from bmswitch.model.plan import Finding
from bmswitch.workflows.gate.facts import GateFacts, passed, stop, unknown


def blue_everywhere(facts: GateFacts) -> Finding:
    """A node that is not read back could send clients anywhere."""
    silent = [node.name for node in facts.nodes if not node.seen]
    if silent:
        return unknown(
            "blue_everywhere", f"proxy node {', '.join(silent)} can not be read", command="docs/proxy.md"
        )
    astray = [f"{node.name} points at {node.colour}" for node in facts.nodes if node.colour != "blue"]
    held = [f"{node.name} is held" for node in facts.nodes if node.hold_until_ms > facts.now * 1000]
    if astray or held:
        return stop(
            "blue_everywhere", "a proxy node is not free", "; ".join(astray + held), "bmswitch status"
        )
    return passed("blue_everywhere", f"{len(facts.nodes)} proxy node(s) point at blue, nothing is held")


def frontends(facts: GateFacts) -> Finding:
    """What the soak will probe answers now: otherwise a breach afterwards would prove nothing."""
    if facts.frontend_faults:
        return stop(
            "frontends", "a frontend does not answer before the switch", "; ".join(facts.frontend_faults[:3])
        )
    return passed("frontends", "every frontend answers")
