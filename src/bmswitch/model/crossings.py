"""Which crossings from a source's version to a target's the cures cover, and what is not proven of any other.

Covered means: the format's record types and each cure were tried on the stand-in in these versions, and the source's shape was read
from a real log. BlueMind itself was in none of these tests (docs/lab.md).
"""

import msgspec


class Crossing(msgspec.Struct, frozen=True):
    """One covered pair of releases (major.minor), and on what; `uncured`: the same without any cure, empty where nobody tried that."""

    source: str
    target: str
    tried: str
    uncured: str = ""


CROSSINGS: tuple[Crossing, ...] = (
    Crossing("5.0", "5.0", "a real log of 5.0.0, and the stand-in of both versions"),
    Crossing(
        "5.0",
        "5.1",
        "a real log of 5.0.0, and the stand-in of both versions",
        uncured="the stand-in of both versions, there and back, on a log that they wrote themselves",
    ),
    Crossing("5.1", "5.1", "the stand-in of both versions"),
)


def release(version: str) -> str:
    """Major and minor of a version: 5.1 of 5.1.3."""
    return ".".join(version.split(".")[:2])


def crossing(source: str, target: str, *, back: bool = False) -> Crossing | None:
    """The covered crossing that fits two versions; on the way back its other direction counts. None when there is none."""
    pair = (release(source), release(target))
    wanted = pair[::-1] if back else pair
    return next((one for one in CROSSINGS if (one.source, one.target) == wanted), None)


def unproven(source: str, target: str) -> list[str]:
    """What nobody has tried of a crossing that is not covered."""
    old, new = release(source), release(target)
    read, written = {one.source for one in CROSSINGS}, {one.target for one in CROSSINGS}
    found = []
    if old not in read:
        found += [
            f"that {old} writes the 43 record types and the keys of {_or(read)}: one that nobody knows passes as it is",
            f"that legacy records of {old} are among those that are brought up to date",
        ]
    if new not in written:
        found += [
            f"that the clone of {new} restores as the one of {_or(written)} does, and that a cure does no harm there",
            f"that verify reads and compares every field that {new} has",
        ]
    return found or [f"that the clone of {new} restores what {old} writes"]


def _or(names: set[str]) -> str:
    return " or ".join(sorted(names))
