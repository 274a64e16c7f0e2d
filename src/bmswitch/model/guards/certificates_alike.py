"""Prevents that a certificate is missing on the side that shall serve (traffic-and-objects.md A3, C 41)."""

from bmswitch.model.guards.answers import passed, some, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(41, asked=GATE)
def certificates_alike(facts: Facts) -> Finding:
    """Behind the proxies each TLS port shows the same certificate on both sides."""
    source, target = facts.source.colour, facts.target.colour
    here = _by_port(facts, source)
    there = _by_port(facts, target)
    missing = sorted(f"{uid}:{port}" for uid, port in here.keys() - there.keys())
    other = sorted(
        f"{uid}:{port}" for uid, port in here.keys() & there.keys() if here[uid, port] != there[uid, port]
    )
    if missing or other:
        said = [f"{place} has none on {target}" for place in missing] + [
            f"{place} is another" for place in other
        ]
        return warn(
            f"{target} does not show the certificates of {source}",
            some(said),
            "clients and proxies that verify are refused; both sides may renew the same name at 07:00 UTC",
            f"copy certificate, key and chain to {target}; let one side only renew",
        )
    return passed("both sides show the same certificates", f"{len(here)} ports compared")


def _by_port(facts: Facts, colour: str) -> dict[tuple[str, int], str]:
    """Fingerprint by server uid and port, where there is TLS at all."""
    return {
        (one.host, one.port): one.fingerprint
        for one in facts.certificates
        if one.colour == colour and one.fingerprint
    }
