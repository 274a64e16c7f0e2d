"""Prevents a proof about another bucket than the one that the source writes to (traffic-and-objects.md C 18, 19)."""

from urllib.parse import urlsplit

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding

BUCKET, ENDPOINT = "sds_s3_bucket", "sds_s3_endpoint"


@guard(18, 19)
def bucket_of_the_source(facts: Facts) -> Finding:
    """The configured bucket is the one of the source's system configuration, at the same endpoint."""
    side, bucket = facts.source, facts.bucket
    if side.sysconf is None:
        return unknown(f"{side.colour}'s system configuration can not be read", side.sysconf_error)
    told = side.sysconf.get(BUCKET, "")
    if told and bucket.name and told != bucket.name:
        return stop(
            f"{side.colour} keeps its bodies in another bucket than the configuration names",
            f"{BUCKET} is {told}, bucket.name {bucket.name}",
            "correct bucket.name: bodies would be looked for in the wrong place",
        )
    endpoint = side.sysconf.get(ENDPOINT, "")
    if endpoint and bucket.endpoint and _place(endpoint) != _place(bucket.endpoint):
        return warn(
            f"bmswitch reads the bucket at another endpoint than {side.colour}",
            f"{ENDPOINT} is {endpoint}, bucket.endpoint {bucket.endpoint}",
            "right when it is a replica that the other side will use: then the proof says how far it lags behind",
            f"name the endpoint that {facts.target.colour} will use",
        )
    return passed("bmswitch reads the bucket that the bodies are in", told)


def _place(url: str) -> str:
    return urlsplit(url if "//" in url else f"//{url}").netloc.lower()
