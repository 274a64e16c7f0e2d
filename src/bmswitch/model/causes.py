"""The likely cause of a difference among the known defects of BlueMind's log and clone, each with its source. Pure.

A cause is a hint for a person, never a reason to call something equal: that is `differences.known_reason` alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bmswitch.model.differences import Difference

Log = str | None
"""The operation of the item's newest record in the source's log; empty when the log has none, None when it was not read."""


@dataclass(frozen=True)
class Cause:
    """One defect: when it is the likely one, and what it says."""

    fits: Callable[[Difference, Log], bool]
    said: str


def likely_cause(found: Difference, log: Log = None) -> str | None:
    """The first defect that fits; None when none does."""
    return next((cause.said for cause in CAUSES if cause.fits(found, log)), None)


def _what(types: str, *fields: str) -> Callable[[Difference, Log], bool]:
    """A field of these types, or anything of them when no field is named."""
    wanted = types.split()

    def fits(found: Difference, _log: Log) -> bool:
        return found.type in wanted and (not fields or any(found.what.startswith(field) for field in fields))

    return fits


def _side(*items: str) -> Callable[[Difference, Log], bool]:
    return lambda found, _log: found.type == "side" and found.item in items


def _only(where: str, types: str = "") -> Callable[[Difference, Log], bool]:
    """Missing on the other side."""
    wanted = types.split()
    return lambda found, _log: found.side == where and (not wanted or found.type in wanted)


def _logged(where: str, *operations: str) -> Callable[[Difference, Log], bool]:
    return lambda found, log: found.side == where and log in operations


CAUSES: tuple[Cause, ...] = (
    Cause(
        _what("passwords"),
        "a changed password writes no record, and a user's UPDATE keeps the target's own (clone-and-api.md 3.7)",
    ),
    Cause(
        lambda found, _log: found.what == "body missing in the bucket",
        "purged by one side's timer while the other still names it (traffic-and-objects.md B6)",
    ),
    Cause(
        lambda found, _log: found.what == "body damaged in the bucket",
        "the object is not one whole zstd frame of the mail (traffic-and-objects.md B3)",
    ),
    Cause(
        _what("dir", "placeholder"),
        "made up as a parent; its own record did not arrive or was refused (change-log.md 8.3)",
    ),
    Cause(
        _what("entry", "label"),
        "the resource's type was not there yet and was made up as `Auto-created` (clone-and-api.md 3.3)",
    ),
    Cause(
        _what("replicated_mailboxes", "uidValidity"),
        "a CREATE record's UIDVALIDITY is replaced by the target's own container id; the cure `uidvalidity` prevents it"
        " (clone-and-api.md 3.4)",
    ),
    Cause(
        _what("replicated_mailboxes", "lastUid"),
        "the folder's newest record did not arrive: an IMAP UID could be given twice (traffic-and-objects.md A9)",
    ),
    Cause(
        _only("source", "mailbox_records"),
        "the folder's container was absent when the record came, so it was skipped without a word (clone-and-api.md 3.3)",
    ),
    Cause(
        _only("target", "owner_subscriptions"),
        "a subscription's DELETE leaves its old row behind (clone-and-api.md 3.3)",
    ),
    Cause(
        _only("target", "container_flat_hierarchy"),
        "a hierarchy node's DELETE is only logged, the node stays (clone-and-api.md 3.3)",
    ),
    Cause(
        _side("mail filter"),
        "a user's restore rebuilds quota and filters; a filter record that came before is undone (clone-and-api.md 3.3)",
    ),
    Cause(
        _side("members"),
        "a membership came before its group, or its group's uid was aliased (change-log.md 8.2, 8.3)",
    ),
    Cause(
        _side("roles", "group roles", "domain roles", "organisation administrators"),
        "a role record whose target is missing ends the worker (clone-and-api.md 3.3)",
    ),
    Cause(
        _what("containers_meta"),
        "a container's CREATE record carries empty rights and settings: its UPDATE did not arrive (clone-and-api.md 3.3)",
    ),
    Cause(
        _logged("source", ""),
        "the source never logged it: a record is lost when its core dies, or when Kafka refuses it (change-log.md 8.1)",
    ),
    Cause(
        _logged("source", "DELETE"),
        "the log says deleted, the source has it: made again without a record (change-log.md 8.1)",
    ),
    Cause(
        _logged("target", "DELETE"),
        "its DELETE did not arrive, or failed on the target (clone-and-api.md 3.3)",
    ),
    Cause(
        _only("target"),
        "made by the target itself: a restore runs the usual hooks, which make default containers and views (change-log.md 8.3)",
    ),
    Cause(
        lambda found, _log: found.what == "id",
        "made on the target by a normal call, not restored: its own record did not arrive (clone-and-api.md 3.3)",
    ),
    Cause(
        lambda found, log: found.side == "both" and log == "",
        "the source never logged this change (change-log.md 8.1)",
    ),
    Cause(
        _only("source"),
        "its record was lost on the way, or its creation failed and was swallowed (clone-and-api.md 3.3)",
    ),
    Cause(
        lambda found, log: found.side == "both" and bool(log),
        "its newest record did not arrive, or an older one was applied after it (clone-and-api.md 3.3)",
    ),
)
