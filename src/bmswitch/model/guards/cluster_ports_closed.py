"""Prevents that Hazelcast joins both sides into one cluster: its name is the same everywhere (A6, C 50)."""

from bmswitch.model.guards.answers import passed, some, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

PORTS = tuple(range(5701, 5716))


@guard(50)
def cluster_ports_closed(facts: Facts) -> Finding:
    """The cluster's ports can not be reached from here on both sides at once."""
    found = {
        side.colour: [f"{p.address}:{p.port}" for p in facts.open_ports if p.colour == side.colour and p.port in PORTS]
        for side in facts.sides
    }  # fmt: skip
    if all(found.values()):
        return warn(
            "the cluster ports of both sides are open on one network",
            some([place for places in found.values() for place in places]),
            "one wrong hz-member-address and both installations are one cluster: sessions and state are mixed",
            "close 5701 to 5715 between the sites",
        )
    return passed("the cluster ports of both sides are not open on one network")
