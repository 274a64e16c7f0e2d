"""Prevents that a public edge is turned to the target when its clone starts (traffic-and-objects.md C 24)."""

from bmswitch.model.guards.answers import passed, topology_read, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(24)
def edge_apart(facts: Facts) -> Finding:
    """No public edge is in the topology: the clone flips a mapped one while the source serves."""
    source, target = facts.source, facts.target.colour
    mapped = [uid for uid in source.edges if uid in facts.server_map]
    if mapped:
        return warn(
            f"an edge server is mapped: {', '.join(mapped)}",
            ", ".join(f"{uid} to {facts.server_map[uid]}" for uid in mapped),
            f"{target} configures that machine when its clone starts",
            f"map it to an edge of {target}'s own, and keep the public one outside both topologies",
        )
    if not topology_read(source):
        return unknown(f"{source.colour}'s servers can not be read", source.core_error)
    return passed("no edge server is mapped")
