"""Answers of BlueMind's REST API that bmswitch reads, under BlueMind's own JSON names (clone-and-api.md 4)."""

from typing import Generic, Literal, TypeVar

import msgspec

Value = TypeVar("Value")


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base: unknown fields are ignored, as BlueMind adds some with each version."""


class ItemValue(Wire, Generic[Value], frozen=True, kw_only=True, rename="camel"):
    """One item of a container with its value; dates are epoch milliseconds."""

    uid: str
    internal_id: int = 0
    version: int = 0
    display_name: str | None = None
    created: int | None = None
    updated: int | None = None
    value: Value


class ListResult(Wire, Generic[Value], frozen=True, kw_only=True, rename="camel"):
    """Answer of a search."""

    total: int = 0
    values: list[ItemValue[Value]] = []


class InstallationVersion(Wire, frozen=True, kw_only=True, rename="camel"):
    """`softwareVersion` is the running bundle's version, `needsUpgrade` tells of upgraders not yet run."""

    software_version: str
    version_name: str | None = None
    database_version: str | None = None
    needs_upgrade: bool = False


class ServerValue(Wire, frozen=True, kw_only=True, rename="camel"):
    """What BlueMind stores of one machine."""

    ip: str | None = None
    fqdn: str | None = None
    name: str | None = None
    tags: list[str] = []


class Server(msgspec.Struct, frozen=True):
    """One machine of the topology."""

    uid: str
    ip: str
    name: str
    tags: list[str]


class TaskRef(Wire, frozen=True, kw_only=True, rename="camel"):
    """Name of a task."""

    id: str


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task stands. `Success` of the clone proves nothing (clone-and-api.md 0)."""

    state: Literal["NotStarted", "InProgress", "InError", "Success"]
    message: str = msgspec.field(name="lastLogEntry", default="")
    steps: float = 0
    progress: float = 0
    result: str | None = None

    @property
    def ended(self) -> bool:
        """True when the task will not change any more."""
        return self.state in ("InError", "Success")


class RawTaskStatus(Wire, frozen=True, kw_only=True, rename="camel"):
    """The task as it is sent: every text may be null."""

    state: Literal["NotStarted", "InProgress", "InError", "Success"]
    last_log_entry: str | None = None
    steps: float | None = None
    progress: float | None = None
    result: str | None = None


class CloneRequest(Wire, frozen=True, kw_only=True, rename="camel"):
    """Body of `POST _clone` (clone-and-api.md 1.2). Every server uid of the source must be in `uid_to_ip_mapping`."""

    source_installation_id: str
    target_installation_id: str
    uid_to_ip_mapping: dict[str, str]
    sysconf_override: dict[str, str] = {}
    mode: Literal["FORK", "TAIL", "PROMOTE"] = "TAIL"
    clone_workers: int = 4
    skipped_container_types: list[str] = []


class DirEntry(Wire, frozen=True, kw_only=True, rename="camel"):
    """One entry of the directory, as a search lists it."""

    entry_uid: str | None = None
    display_name: str | None = None
    kind: str = ""


class LoginResponse(Wire, frozen=True, kw_only=True, rename="camel"):
    """Login answers 200 even when refused: `status` decides."""

    status: Literal["Ok", "Bad", "Expired"]
    auth_key: str | None = None
    message: str | None = None


class Fault(Wire, frozen=True, kw_only=True, rename="camel"):
    """Body of an error; `errorCode` is missing when the exception was no ServerFault."""

    error_code: str | None = None
    error_type: str | None = None
    message: str | None = None
    code: str | None = None
