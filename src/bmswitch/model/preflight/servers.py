"""Guards about the topology: every server of blue has another machine on green."""

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import passed, stop, topology_read, unknown, warn
from bmswitch.model.preflight.facts import Facts


def servers_mapped(facts: Facts) -> Finding:
    """Each server of blue's topology has an address on green, and not blue's own (traffic-and-objects.md C 23)."""
    if not topology_read(facts):
        return unknown("servers_mapped", "blue's servers can not be read", facts.blue.core_error)
    servers = facts.blue.servers
    missing = sorted(uid for uid in servers if uid not in facts.server_map)
    if missing:
        return stop(
            "servers_mapped",
            "a server of blue has no address on green: green would reconfigure blue's machine",
            "no entry for " + ", ".join(missing),
            f"add {missing[0]} under servers: in the configuration",
        )
    own = sorted(uid for uid, address in facts.server_map.items() if address in servers.values())
    if own:
        return stop("servers_mapped", "a server is mapped to one of blue's own addresses", ", ".join(own))
    return passed("servers_mapped", f"{len(servers)} server(s) mapped")


def edge_apart(facts: Facts) -> Finding:
    """No public edge is in the topology: green's clone flips a mapped one while blue serves (C 24)."""
    mapped = [uid for uid in facts.blue.edges if uid in facts.server_map]
    if mapped:
        return warn(
            "edge_apart",
            f"an edge server is mapped: {', '.join(mapped)}",
            ", ".join(f"{uid} to {facts.server_map[uid]}" for uid in mapped),
            "green configures that machine when its clone starts",
            "map it to an edge of green's own, and keep the public one outside both topologies",
        )
    if not topology_read(facts):
        return unknown("edge_apart", "blue's servers can not be read", facts.blue.core_error)
    return passed("edge_apart", "no edge server is mapped")
