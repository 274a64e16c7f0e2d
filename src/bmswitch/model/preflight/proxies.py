"""Guards about the proxies: every node is read back."""

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import passed, stop, unknown
from bmswitch.model.preflight.facts import Facts


def proxies_on_blue(facts: Facts) -> Finding:
    """Each proxy node was read back: it sends traffic to blue and holds nothing."""
    for node in facts.nodes:
        if node.error:
            return unknown("proxies_on_blue", f"proxy node {node.name} can not be read", node.error)
        if node.colour != "blue":
            return stop(
                "proxies_on_blue",
                f"proxy node {node.name} does not send traffic to blue",
                f"to {node.colour}",
            )
        if node.hold_until_ms:
            return stop(
                "proxies_on_blue", f"proxy node {node.name} holds traffic", "another switch may be under way"
            )
    return passed("proxies_on_blue", f"{len(facts.nodes)} node(s) on blue, nothing held")
