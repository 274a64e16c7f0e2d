"""Prevents that clients are refused because of a certificate that ends or that they do not trust (C 41)."""

from bmswitch.model.guards.answers import passed, some, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

DAYS = 14


@guard(41)
def certificates_good(facts: Facts) -> Finding:
    """Each TLS frontend has a certificate that clients trust for two more weeks, the same on every node."""
    fronts = [one for one in facts.certificates if not one.colour and not one.error]
    ended = [f"{one.at}: {one.verified}" for one in fronts if one.verified]
    if ended:
        return stop(
            "clients do not trust the certificate of a frontend", some(ended, 3), "renew it, with its chain"
        )
    soon = [
        f"{one.at} in {(one.until - facts.now) / 86400:.0f} days"
        for one in fronts
        if one.until and one.until - facts.now < DAYS * 86400
    ]
    if soon:
        return warn(
            "the certificate of a frontend ends soon",
            some(soon, 3),
            "clients are refused while one may still want to go back",
            "renew it before the switch",
        )
    by_name: dict[tuple[str, int], set[str]] = {}
    for one in fronts:
        by_name.setdefault((one.host, one.port), set()).add(one.fingerprint)
    unlike = [f"{host}:{port}" for (host, port), prints in by_name.items() if len(prints) > 1]
    if unlike:
        return warn("proxy nodes show different certificates for one name", some(unlike))
    return passed(
        "the frontends' certificates are good" if fronts else "no frontend speaks TLS", f"{len(fronts)} read"
    )
