"""Prevents that links in mails and calendars lead elsewhere after the switch (traffic-and-objects.md C 45)."""

from bmswitch.model.guards.answers import passed, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.guards.settings import of_target
from bmswitch.model.plan import Finding

KEY = "external_url"


@guard(45, 40)
def same_public_address(facts: Facts) -> Finding:
    """The target has the source's external address."""
    source, target = facts.source, facts.target.colour
    if source.sysconf is None:
        return unknown(f"{source.colour}'s system configuration can not be read", source.sysconf_error)
    here, there = source.sysconf.get(KEY, ""), of_target(facts).get(KEY, "")
    if here != there:
        return warn(
            f"{target} has another external address than {source.colour}",
            f"{KEY} is {here or 'not set'} on {source.colour}, {there or 'not set'} on {target}",
            "public links to files and calendars, and logins through Keycloak, break",
            f"set {KEY} on {target} to the public address",
        )
    return passed("both sides have the same external address", here)
