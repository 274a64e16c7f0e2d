"""Prevents that documents and shared files stay behind on the source's disk (traffic-and-objects.md A10, C 20)."""

from bmswitch.model.guards.answers import passed, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

STORE = "sds_filehosting_storetype"


@guard(20)
def documents_in_bucket(facts: Facts) -> Finding:
    """The source keeps documents and shared files in an object store: those on its disk are not cloned."""
    source = facts.source
    if source.sysconf is None:
        return unknown(f"{source.colour}'s system configuration can not be read", source.sysconf_error)
    kind = source.sysconf.get(STORE, "")
    if kind:
        return passed(f"{source.colour} keeps documents and shared files in an object store", kind)
    return warn(
        f"{source.colour} keeps documents and shared files on its own disk",
        f"{STORE} is not set",
        f"photos, icons and shared files are missing on {facts.target.colour} after the switch",
        "move them to an object store, or copy /var/spool/bm-docs and /var/spool/bm-filehosting yourself",
    )
