"""Prevents an old side that still can write: to the shared bucket, to its own log (C 8, 9, 14)."""

from bmswitch.model.guards.answers import passed, stop, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(8, 9, 14)
def source_can_be_fenced(facts: Facts) -> Finding:
    """The source's rights to write to the bucket and to its Kafka can be withdrawn, and that can be proven."""
    source = facts.source.colour
    if facts.unproven_policy:
        return stop(
            f"{source}.rights.bucket is a policy, and there is no {source}.bucket_key to see that it is applied",
            "a store may keep a policy and not apply it to keys: MinIO does",
            f"name {source}.bucket_key in the configuration",
        )
    if facts.missing_rights:
        parts = " and ".join(facts.missing_rights)
        return warn(
            f"it is not configured how {source}'s right to write to {parts} is withdrawn",
            consequence=f"an old {source} that is started again could purge bodies or write to its log",
            command=f"name {source}.rights in the configuration, or withdraw them by hand after the switch",
        )
    return passed(f"{source}'s rights to write are withdrawn before the promotion")
