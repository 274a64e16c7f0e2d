"""Prevents a switch through a proxy that points elsewhere, is held by another, or can not be read."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard()
def proxies_on_source(facts: Facts) -> Finding:
    """Each proxy node was read back: it sends traffic to the source and holds nothing."""
    source = facts.source.colour
    dark = [node for node in facts.nodes if node.error]
    if dark:
        names = ", ".join(node.name for node in dark)
        return unknown(f"proxy node {names} can not be read", dark[0].error, "bmswitch proxy check")
    astray = [f"{node.name} to {node.colour}" for node in facts.nodes if node.colour != source]
    if astray:
        return stop(f"a proxy node does not send traffic to {source}", ", ".join(astray), "bmswitch status")
    held = [node.name for node in facts.nodes if node.hold_until_ms > facts.now * 1000]
    if held:
        return stop(
            f"proxy node {', '.join(held)} holds traffic",
            "another switch may be under way",
            "bmswitch status",
        )
    return passed(f"{len(facts.nodes)} node(s) on {source}, nothing held")
