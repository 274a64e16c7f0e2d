"""Reads the shared bucket for the guards."""

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import BucketFacts
from bmswitch.workflows.facts.attempt import attempt
from bmswitch.workflows.sites import open_bucket


def bucket_facts(config: Config, *, count: bool) -> BucketFacts:
    """Whether the bucket answers; `count` lists it whole, which takes minutes for millions of bodies."""
    bodies, error = attempt(lambda: _bodies(config, count=count), -1)
    return BucketFacts(error=error, bodies=bodies)


def _bodies(config: Config, *, count: bool) -> int:
    bucket = open_bucket(config.bucket)
    try:
        bucket.check()
        return sum(1 for _ in bucket.bodies()) if count else -1
    finally:
        bucket.close()
