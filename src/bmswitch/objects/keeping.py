"""What a bucket's versioning and lifecycle mean for an object that is deleted (traffic-and-objects.md B8)."""

import msgspec
from minio.lifecycleconfig import LifecycleConfig


class Keeping(msgspec.Struct, frozen=True):
    """`versioning`: Enabled, Suspended or Off. `deleted_days`: how long a deleted version stays, None: for ever.

    `expires` names the rules by which current objects are deleted without anybody asking.
    """

    versioning: str
    deleted_days: int | None
    expires: list[str]


def keeping_of(versioning: str, rules: LifecycleConfig | None) -> Keeping:
    """Both settings of a bucket as one answer."""
    active = [rule for rule in (rules.rules if rules else []) if rule.status == "Enabled"]
    kept = [
        rule.noncurrent_version_expiration.noncurrent_days
        for rule in active
        if rule.noncurrent_version_expiration and rule.noncurrent_version_expiration.noncurrent_days
    ]
    expires = [
        f"rule {rule.rule_id or 'without name'}: after {rule.expiration.days or rule.expiration.date} days"
        for rule in active
        if rule.expiration and (rule.expiration.days or rule.expiration.date)
    ]
    return Keeping(versioning, min(kept, default=None), expires)
