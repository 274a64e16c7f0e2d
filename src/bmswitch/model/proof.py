"""The verdict of a proof and what it rests on (`proof.json`)."""

from typing import Literal

import msgspec

SCHEMA = 1

Verdict = Literal["equal", "different", "unknown"]
Position = dict[str, list[int]]
"""Topic of the source to the end offset of each partition."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One proof: the target equals the source, or not, or it can not be said, as of `position` of the source's log.

    `differences` counts unexplained ones, `known_differences` those that the clone can not avoid, `unsettled` items that
    changed faster than they could be read. `names` counts all of them by the name that a plan accepts them by, None when they were not counted. `at` is epoch seconds. `not_proved` names what was not read. `scope`
    names the part that was read (`--only`, `--sample`), empty for the whole; `repaired` counts what was
    mended on the target after it was read (`--repair`) and proved again. `changes`
    items were read again since the whole proof of `whole_at` (`--changes`); 0: it is the whole one.
    """

    plan_id: str
    verdict: Verdict
    at: float
    position: Position
    containers: int
    items: int
    bodies: int
    bodies_read: int
    differences: int
    known_differences: int
    unsettled: int
    seconds: float
    not_proved: list[str]
    dimensions: dict[str, "Counts"] = {}
    known_reasons: dict[str, int] = {}
    names: dict[str, int] | None = None
    scope: str = ""
    repaired: int = 0
    whole_at: float = 0.0
    changes: int = 0
    schema: int = SCHEMA


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one dimension: places and items read, differences unexplained and known."""

    places: int = 0
    items: int = 0
    differences: int = 0
    known: int = 0


def verdict_of(*, differences: int, unsettled: int) -> Verdict:
    """A difference is certain even when something else is not known; equal needs everything known."""
    if differences:
        return "different"
    return "unknown" if unsettled else "equal"


def covers(now: Position, then: Position) -> bool:
    """True when the log is still the one of an earlier position: the same partitions, none of them shorter."""
    return now.keys() == then.keys() and all(
        len(now[topic]) == len(ends) and all(a >= b for a, b in zip(now[topic], ends, strict=True))
        for topic, ends in then.items()
    )
