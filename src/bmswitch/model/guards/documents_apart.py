"""Prevents that the replay of a clone deletes live photos: its documents need a bucket or key of their own (B7, B8, C 15)."""

from bmswitch.model.guards.answers import passed, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.guards.settings import of_target
from bmswitch.model.plan import Finding

BUCKET, KEY = "sds_filehosting_s3_bucket", "sds_filehosting_s3_access_key"


@guard(15)
def documents_apart(facts: Facts) -> Finding:
    """The target's documents are in another bucket than the source's, or it has another key for them."""
    source, target = facts.source, facts.target.colour
    if source.sysconf is None:
        return unknown(f"{source.colour}'s system configuration can not be read", source.sysconf_error)
    bucket = source.sysconf.get(BUCKET, "")
    if not bucket:
        return passed(f"{source.colour} keeps no documents in a bucket")
    there = of_target(facts)
    if there.get(BUCKET) == bucket and there.get(KEY) == source.sysconf.get(KEY):
        return warn(
            f"{target} has {source.colour}'s document bucket and its key: its replay deletes live photos and icons",
            f"{BUCKET} and {KEY} are the same on both sides",
            "a contact that was deleted and made again loses its photo on both sides",
            f"give {target} another bucket, or another key without the right to delete, under replication.sysconf_override",
        )
    return passed(f"{target} does not hold {source.colour}'s key of the document bucket")
