"""What provisioning asks of one driver: build green's machines, and nothing about whether they are fit."""

from typing import Protocol

import msgspec


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What green must become. It reaches commands as environment variables (docs/provision.md)."""

    green_url: str
    green_version: str
    green_kafka: str
    installation_id: str
    servers: dict[str, str]


class Provisioner(Protocol):
    """One way to build green. Must be repeatable: a second call on a built green changes nothing."""

    def build(self, request: BuildRequest) -> str:
        """Builds green and says in one sentence what was done; raises `UnreachableError` or `RefusedError`."""
