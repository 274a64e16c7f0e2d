"""Faults that a client sees: BlueMind's `errorCode`, and the HTTP status that goes with it (clone-and-api.md 4.1).

Fault
├── NotFound            404 NOT_FOUND
├── Denied              403 PERMISSION_DENIED
├── BadKey              401 AUTHENTICATION_FAIL
├── AlreadyExists       500 ALREADY_EXISTS
├── Invalid             500 INVALID_PARAMETER
└── NotWritable         500, no code of its own: `instance is not writable`
"""

from typing import ClassVar


class Fault(Exception):  # noqa: N818 - BlueMind's own word for it
    """A refused call: `code` is BlueMind's, `status` HTTP's."""

    code: ClassVar[str | None] = "UNKNOWN"
    status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(Fault):
    """The container, item or entry is not there."""

    code = "NOT_FOUND"
    status = 404


class Denied(Fault):
    """The caller lacks the role or the verb."""

    code = "PERMISSION_DENIED"
    status = 403


class BadKey(Fault):
    """The API key is not known."""

    code = "AUTHENTICATION_FAIL"
    status = 401


class AlreadyExists(Fault):
    """The uid, id, login or address is taken."""

    code = "ALREADY_EXISTS"


class Invalid(Fault):
    """The value can not be used."""

    code = "INVALID_PARAMETER"


class NotWritable(Fault):
    """The write fence: demoted, or neither leader nor cloning (change-log.md 1.6)."""

    def __init__(self) -> None:
        super().__init__("instance is not writable")
