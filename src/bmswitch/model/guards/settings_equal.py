"""Prevents a target that works otherwise than the source: settings are cloned once, changes later are lost (C 25)."""

from bmswitch.model.guards.answers import passed, some, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.guards.settings_of_its_own_host import HOST_KEYS, OWN_KEYS
from bmswitch.model.plan import Finding

OF_ITS_OWN = frozenset({*HOST_KEYS, *OWN_KEYS, "db_version", "mynetworks"})


@guard(22, 25, asked=GATE)
def settings_equal(facts: Facts) -> Finding:
    """Every setting that is no host's own and was not overridden is the same on both sides, key by key."""
    source, target = facts.source, facts.target
    if source.sysconf is None or target.sysconf is None:
        dark = source if source.sysconf is None else target
        return unknown(f"{dark.colour}'s system configuration can not be read", dark.sysconf_error)
    other = sorted(
        key
        for key in source.sysconf.keys() | target.sysconf.keys()
        if key not in OF_ITS_OWN
        and key not in facts.override
        and source.sysconf.get(key, "") != target.sysconf.get(key, "")
    )
    if other:
        return warn(
            f"{len(other)} settings differ between {source.colour} and {target.colour}",
            some(other, 8),
            f"{target.colour} works otherwise after the switch",
            f"compare these keys of /api/configuration on both sides, and set them on {target.colour}",
        )
    return passed(f"{len(source.sysconf)} settings compared, none differs that should not")
