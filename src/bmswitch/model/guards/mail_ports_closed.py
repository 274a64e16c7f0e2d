"""Prevents that the target refuses recipients for good while its directory is incomplete (traffic-and-objects.md A4, C 11)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

PORTS = (25, 2400)


@guard(11, 48)
def mail_ports_closed(facts: Facts) -> Finding:
    """SMTP and LMTP of the target's machines can not be reached from here."""
    target = facts.target.colour
    found = [
        f"{one.address}:{one.port}" for one in facts.open_ports if one.colour == target and one.port in PORTS
    ]
    if found:
        return warn(
            f"mail can reach {target} past the proxies",
            ", ".join(found),
            f"a recipient that {target} does not know yet is refused for good, and the mail bounces",
            f"close 25 and 2400 of {target}'s machines by firewall until it serves (this machine may be allowed alone)",
        )
    return passed(f"25 and 2400 of {target}'s machines are closed from here")
