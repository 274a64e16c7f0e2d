"""Prevents a target without mail: bodies on the source's own disk are not cloned (clone-and-api.md 7.3)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import ARCHIVE_KIND, Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

OBJECT_STORES = frozenset({"s3", "scalityring"})


@guard()
def bodies_in_bucket(facts: Facts) -> Finding:
    """The source keeps its bodies in an object store."""
    side = facts.source
    if side.sysconf is None:
        return unknown(f"{side.colour}'s system configuration can not be read", side.sysconf_error)
    kind = side.sysconf.get(ARCHIVE_KIND) or "cyrus"
    if kind not in OBJECT_STORES:
        return stop(
            f"{side.colour} keeps its message bodies on its own disk, not in a bucket",
            f"{ARCHIVE_KIND} is {kind}",
            "move them to an object store first",
        )
    return passed(f"{side.colour} keeps its message bodies in an object store", kind)
