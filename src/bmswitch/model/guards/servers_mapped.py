"""Prevents that the target reconfigures the source's machines (traffic-and-objects.md C 23)."""

from bmswitch.model.guards.answers import passed, stop, topology_read, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(23)
def servers_mapped(facts: Facts) -> Finding:
    """Each server of the source's topology has an address on the target, and not the source's own."""
    source, target = facts.source, facts.target.colour
    if not topology_read(source):
        return unknown(f"{source.colour}'s servers can not be read", source.core_error)
    missing = sorted(uid for uid in source.servers if uid not in facts.server_map)
    if missing:
        return stop(
            f"a server of {source.colour} has no address on {target}: {target} would reconfigure {source.colour}'s machine",
            "no entry for " + ", ".join(missing),
            f"add {missing[0]} under servers: in the configuration",
        )
    own = sorted(uid for uid, address in facts.server_map.items() if address in source.servers.values())
    if own:
        return stop(f"a server is mapped to one of {source.colour}'s own addresses", ", ".join(own))
    return passed(f"{len(source.servers)} server(s) mapped")
