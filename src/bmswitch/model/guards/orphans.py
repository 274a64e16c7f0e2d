"""Prevents that a domain, server, setting or job is lost: a clone reads them once, when it starts (C 22)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(22, asked=GATE)
def orphans(facts: Facts) -> Finding:
    """Domains, servers, settings and jobs are as they were when the clone read them."""
    source, target = facts.source.colour, facts.target.colour
    if facts.at_gate.orphans_error:
        return unknown(f"{source}'s orphans topic can not be read", facts.at_gate.orphans_error)
    if facts.at_gate.orphans:
        return stop(
            f"domains, servers, settings or jobs changed on {source} after {target}'s clone had read them",
            "; ".join(facts.at_gate.orphans),
            f"make the same change on {target} after the switch and clone again: `bmswitch plan`",
        )
    return passed("nothing changed that a clone reads only once")
