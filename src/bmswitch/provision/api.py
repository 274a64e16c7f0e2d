"""What provisioning asks of one driver: build the target's machines, and nothing about whether they are fit."""

from typing import Protocol

import msgspec

from bmswitch.model.config import Colour


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the target must become. It reaches commands as environment variables (docs/provision.md)."""

    target: Colour
    target_url: str
    target_version: str
    target_kafka: str
    installation_id: str
    servers: dict[str, str]


class Provisioner(Protocol):
    """One way to build the target. Must be repeatable: a second call on a built one changes nothing."""

    def build(self, request: BuildRequest) -> str:
        """Builds it and says in one sentence what was done; raises `UnreachableError` or `RefusedError`."""
