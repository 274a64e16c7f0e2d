"""Prevents that the source's host settings are installed on the target (traffic-and-objects.md B1, C 25, 50)."""

from bmswitch.model.guards.answers import passed, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.guards.settings import of_target
from bmswitch.model.plan import Finding

HOST_KEYS = ("host", "hz-member-address")
"""Keys that name a machine: the same value on both sides is the other one's machine."""
OWN_KEYS = ("sw_password", "db", "user", "password")
"""Keys of the database and of the setup wizard, which belong to one installation."""


@guard(25, 50)
def settings_of_its_own_host(facts: Facts) -> Finding:
    """The target does not carry the source's host names, cluster address or database settings."""
    source, target = facts.source, facts.target.colour
    if source.sysconf is None:
        return unknown(f"{source.colour}'s system configuration can not be read", source.sysconf_error)
    there = of_target(facts)
    same = [
        key
        for key in HOST_KEYS + OWN_KEYS
        if source.sysconf.get(key) and there.get(key) == source.sysconf[key]
    ]
    if same:
        return warn(
            f"{target} has {source.colour}'s own settings: {', '.join(same)}",
            "equal on both sides" if facts.switch else "the clone copies them, and no override names them",
            f"{target} takes itself for {source.colour}'s machine; with the same hz-member-address both join one cluster",
            "name them under replication.sysconf_override in the configuration",
        )
    return passed(f"{target} has host settings of its own")
