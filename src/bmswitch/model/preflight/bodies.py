"""Guards about the message bodies: where blue keeps them, for how long, and whether the bucket answers."""

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import passed, stop, unknown, warn
from bmswitch.model.preflight.facts import ARCHIVE_KIND, RETENTION, Facts

OBJECT_STORES = frozenset({"s3", "scalityring"})
DEFAULT_RETENTION = 90
MIN_RETENTION = 14
"""Days: more than a replay and the time in which one may want to go back."""


def bucket_readable(facts: Facts) -> Finding:
    """The shared bucket answers; without it green has no mail (clone-and-api.md 7.3)."""
    if facts.bucket_error:
        return unknown("bucket_readable", "the bucket can not be read", facts.bucket_error)
    return passed("bucket_readable", f"{facts.bodies:,} bodies in the bucket")


def bodies_in_bucket(facts: Facts) -> Finding:
    """Blue keeps its bodies in an object store; else they are on its disk and green has no mail (clone-and-api.md 7.3)."""
    if facts.sysconf_error or not facts.sysconf_read:
        return unknown("bodies_in_bucket", "blue's system configuration can not be read", facts.sysconf_error)
    kind = facts.sysconf.get(ARCHIVE_KIND) or "cyrus"
    if kind not in OBJECT_STORES:
        return stop(
            "bodies_in_bucket",
            "blue keeps its message bodies on its own disk, not in a bucket",
            f"{ARCHIVE_KIND} is {kind}",
            "move them to an object store first",
        )
    return passed("bodies_in_bucket", "blue keeps its message bodies in an object store", kind)


def retention_long(facts: Facts) -> Finding:
    """Deleted bodies stay in the shared bucket for longer than a switch takes and may be undone (C 14 and 17)."""
    if facts.sysconf_error or not facts.sysconf_read:
        return unknown("retention_long", "blue's system configuration can not be read", facts.sysconf_error)
    told = facts.sysconf.get(RETENTION, "").strip()
    try:
        days = int(told) if told else DEFAULT_RETENTION
    except ValueError:
        return warn("retention_long", f"blue's {RETENTION} is no number", told)
    if 0 <= days < MIN_RETENTION:
        return warn(
            "retention_long",
            f"blue deletes bodies from the shared bucket {days} days after their purge",
            f"{RETENTION} is {days}",
            "a body that green still needs can go, and what it deletes is gone for both",
            f"set {RETENTION} to -1 on blue until its installation is removed",
        )
    said = "never" if days < 0 else f"{days} days after their purge at the earliest"
    return passed("retention_long", f"bodies are deleted from the bucket {said}")
