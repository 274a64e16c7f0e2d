"""Reads the shared bucket for the guards."""

import contextlib

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import BucketFacts
from bmswitch.model.plan import Plan
from bmswitch.objects.bucket import Bucket
from bmswitch.workflows.facts.attempt import attempt, quietly
from bmswitch.workflows.sites import open_bucket


def bucket_facts(config: Config, plan: Plan | None, *, count: bool) -> BucketFacts:
    """The bucket as it is. `count` counts its bodies, too: it is listed whole, which takes minutes for millions."""
    empty = BucketFacts(
        name=config.bucket.name,
        endpoint=config.bucket.endpoint,
        documents_before=plan.volume.documents if plan else -1,
    )
    with contextlib.closing(open_bucket(config.bucket)) as bucket:
        counted, error = attempt(lambda: _counted(bucket, bodies=count), (-1, -1))
        if error:
            return msgspec.structs.replace(empty, error=error)
        keeping, settings_error = quietly(bucket.keeping, None)
    facts = msgspec.structs.replace(
        empty, bodies=counted[0], documents=counted[1], settings_error=settings_error
    )
    if keeping is None:
        return facts
    return msgspec.structs.replace(
        facts,
        versioning=keeping.versioning,
        keeps_deleted_days=keeping.deleted_days,
        expires=keeping.expires,
    )


def _counted(bucket: Bucket, *, bodies: bool) -> tuple[int, int]:
    bucket.check()
    return sum(1 for _ in bucket.bodies()) if bodies else -1, bucket.documents()
