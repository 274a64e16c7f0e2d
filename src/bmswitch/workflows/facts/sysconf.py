"""A side's system configuration without its secrets: what is not known to be harmless becomes a digest."""

import hashlib
import hmac
import secrets

HARMLESS = frozenset({
    "archive_kind",
    "sds_backup_rentention_days",
    "cyrus_expunged_retention_time",
    "sds_s3_endpoint",
    "sds_s3_bucket",
    "sds_s3_region",
    "sds_filehosting_storetype",
    "sds_filehosting_endpoint",
    "sds_filehosting_s3_bucket",
    "external_url",
    "hz-member-address",
    "host",
})  # fmt: skip
"""Keys that guards name with their values (traffic-and-objects.md B1); all others can only be compared."""
_SALT = secrets.token_bytes(16)


def harmless(told: dict[str, str]) -> dict[str, str]:
    """The same keys; equal values stay equal within this process, and a secret can not be got back."""
    return {key: value if key in HARMLESS or not value else _digest(value) for key, value in told.items()}


def _digest(value: str) -> str:
    return "digest:" + hmac.new(_SALT, value.encode(), hashlib.sha256).hexdigest()[:12]
