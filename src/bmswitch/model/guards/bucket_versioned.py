"""Prevents that a wrong deletion in the shared bucket is final (traffic-and-objects.md B8, C 14, 15, 48)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

KEEP_DAYS = 14
"""A deleted version must outlive the time in which one may want to go back."""


@guard(14, 15, 48)
def bucket_versioned(facts: Facts) -> Finding:
    """The shared bucket keeps deleted versions for at least 14 days, and deletes nothing by a rule of its own."""
    bucket = facts.bucket
    if bucket.error or bucket.settings_error or not bucket.versioning:
        return warn(
            "it is not known whether the bucket keeps what is deleted",
            bucket.error or bucket.settings_error,
            "a body or photo that one side deletes by mistake may be gone for both",
            "look at the bucket's versioning and lifecycle by hand",
        )
    if bucket.versioning != "Enabled":
        return warn(
            "the bucket does not keep what is deleted: its versioning is not enabled",
            f"versioning {bucket.versioning}",
            "old timers, a clone's replay or a mistake delete a body or photo for both sides, for good",
            f"enable versioning on the bucket {bucket.name}",
        )
    if bucket.expires:
        return warn(
            "a lifecycle rule deletes objects of the bucket by itself",
            "; ".join(bucket.expires),
            "bodies have no last use: a rule deletes those that mailboxes still name",
            "remove the expiration of current versions",
        )
    days = bucket.keeps_deleted_days
    if days is not None and days < KEEP_DAYS:
        return warn(
            f"the bucket keeps what was deleted for {days} days only",
            "NoncurrentVersionExpiration",
            "a deletion that is noticed later can not be undone",
            f"keep noncurrent versions for at least {KEEP_DAYS} days",
        )
    return passed("the bucket keeps what is deleted", "for ever" if days is None else f"for {days} days")
