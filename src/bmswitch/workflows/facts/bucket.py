"""Reads the shared bucket for the guards."""

import contextlib

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import BucketFacts
from bmswitch.model.plan import Plan
from bmswitch.objects.bucket import Bucket, Measured
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
        (counted, documents), error = attempt(lambda: _counted(bucket, bodies=count), (Measured(), -1))
        if error:
            return msgspec.structs.replace(empty, error=error)
        keeping, settings_error = quietly(bucket.keeping, None)
    facts = msgspec.structs.replace(
        empty,
        bodies=counted.bodies,
        bytes=counted.bytes,
        sample=counted.sample,
        documents=documents,
        settings_error=settings_error,
    )
    if keeping is None:
        return facts
    return msgspec.structs.replace(
        facts,
        versioning=keeping.versioning,
        keeps_deleted_days=keeping.deleted_days,
        expires=keeping.expires,
    )


def _counted(bucket: Bucket, *, bodies: bool) -> tuple[Measured, int]:
    bucket.check()
    return bucket.measured() if bodies else Measured(), bucket.documents()
