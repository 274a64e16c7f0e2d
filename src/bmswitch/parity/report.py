"""What a proof found, put together: counts by dimension and everything that was not read, by name."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from bmswitch.model.differences import Difference
from bmswitch.model.proof import Counts
from bmswitch.parity.seen import Seen
from bmswitch.parity.sides import Sides
from bmswitch.parity.tables import KINDS, NEVER_PROVED

_DIMENSION = {
    "dir": "directory",
    "entry": "entries",
    "side": "side data",
    "containers": "containers",
    "containers_meta": "access and settings",
}


def dimensions(seen: Seen, found: Iterable[Difference]) -> dict[str, Counts]:
    """Places, items and differences of each dimension, in the order in which they were first met."""
    unexplained, known = _by_dimension(found)
    names = list(seen.tallies) + sorted((unexplained.keys() | known.keys()) - seen.tallies.keys())
    return {
        name: Counts(
            places=seen.tallies[name].places if name in seen.tallies else 0,
            items=seen.tallies[name].items if name in seen.tallies else 0,
            differences=unexplained[name],
            known=known[name],
        )
        for name in names
    }


def counted(before: dict[str, Counts], found: Iterable[Difference]) -> dict[str, Counts]:
    """The same places and items with other differences."""
    unexplained, known = _by_dimension(found)
    return {
        name: msgspec.structs.replace(counts, differences=unexplained[name], known=known[name])
        for name, counts in before.items()
    }


def _by_dimension(found: Iterable[Difference]) -> tuple[Counter[str], Counter[str]]:
    """Unexplained and known differences of each dimension."""
    unexplained, known = Counter[str](), Counter[str]()
    for one in found:
        (known if one.known else unexplained)[_DIMENSION.get(one.type, one.type)] += 1
    return unexplained, known


def not_proved(
    sides: Sides, *, scope: str = "", passwords: str = "", bodies_named: int, bodies_opened: int
) -> list[str]:
    """What this proof did not read, by name."""
    found = [f"everything but {scope}"] if scope else []
    found += [f"items of {name} (no restorer, or not known to bmswitch)" for name in sorted(sides.skipped)]
    for side in ("source", "target"):
        found += [
            f"{name}: {getattr(sides, side).name} does not offer the read"
            for name in sorted(sides.unread[side])
        ]
    if sides.newer:
        fields = sorted(f"{name}.{part}" for name, kind in KINDS.items() for part in kind.newer)
        found.append(f"fields that one of the two versions does not have: {', '.join(fields)}")
    if bodies_opened < bodies_named:
        found.append(
            f"content of {bodies_named - bodies_opened} of {bodies_named} bodies (presence was proved)"
        )
    if passwords:
        found.append(passwords)
    return found + list(NEVER_PROVED)
