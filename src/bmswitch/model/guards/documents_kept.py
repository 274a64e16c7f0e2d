"""Prevents that photos and icons vanish unseen: a clone's replay deletes documents (traffic-and-objects.md B7, C 15)."""

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

MANY, SHARE = 10, 0.05
"""More than both of this is no daily work of people."""


@guard(15, asked=GATE)
def documents_kept(facts: Facts) -> Finding:
    """The bucket holds at least as many documents (`doc-fs-*`) as when the plan was made."""
    before, now = facts.bucket.documents_before, facts.bucket.documents
    if now < 0:
        return unknown("the bucket's documents can not be counted", facts.bucket.error)
    if before < 0:
        return passed(f"{now} documents in the bucket", "the plan did not count them")
    cause = f"{before - now} documents (photos, icons) went from the bucket since the plan was made"
    seen, harm = (
        f"{before} then, {now} now",
        "the replay of a clone that has this bucket's key repeats old deletions",
    )
    if before - now > max(MANY, before * SHARE):
        return stop(
            cause,
            seen,
            "bring them back from the bucket's old versions, or plan again if people deleted them",
            harm,
        )
    if now < before:
        return warn(
            cause,
            seen,
            harm,
            "look whether people deleted them; else bring them back from the bucket's old versions",
        )
    return passed(f"{now} documents in the bucket, none less than when the plan was made")
