"""One difference between blue and green, and which ones BlueMind's clone makes unavoidable. No personal data in it."""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from bmswitch.model.digest import Json, Print

Side = Literal["blue", "green", "both"]
ORG_UNIT_ID = "org unit id"
ID_SHIFT = 1_000_000
_MAX_SHOWN = 60
_MAX_PATHS = 5


class Place(msgspec.Struct, frozen=True, order=True):
    """What is read and compared in one go: a container's items, an owner's side data, a domain's directory.

    `type` is BlueMind's container type, or one of ours: `dir` (entries), `containers` (an owner's containers),
    `containers_meta` (access rights and settings of one container), `side` (roles, settings, filters, ... of an owner).
    """

    domain: str
    owner: str
    container: str
    type: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One line of differences.ndjson.

    `side` is where the item is (`both`: it differs). `what` names what differs; `blue` and `green` show it, shortened,
    texts as length and hash. `known` is the reason with its source when the clone can not avoid it.
    """

    domain: str
    owner: str
    container: str
    type: str
    item: str
    side: Side
    what: str
    blue: str | None = None
    green: str | None = None
    known: str | None = None


def difference(
    place: Place, item: str, side: Side, what: str, *, blue: Json = None, green: Json = None
) -> Difference:
    """A difference at a place, its values made fit to be shown."""
    found = Difference(
        domain=place.domain,
        owner=place.owner,
        container=place.container,
        type=place.type,
        item=item,
        side=side,
        what=what,
        blue=shown(blue),
        green=shown(green),
    )
    return msgspec.structs.replace(found, known=known_reason(found))


def known_reason(found: Difference) -> str | None:
    """Why the native clone can not avoid this difference; None when it must not be."""
    if found.type == "container_flat_hierarchy" and found.side == "green":
        return "hierarchy nodes deleted on blue stay on green (clone-and-api.md 3.3)"
    if found.type == "containers" and found.what == "defaultContainer" and found.owner == found.item:
        return (
            "a book or calendar made from its directory entry is no default container (clone-and-api.md 3.3)"
        )
    if found.type == "dir" and found.what == ORG_UNIT_ID and _own_id(found.green):
        return (
            "an org unit that green had to invent as a parent keeps green's own item id (change-log.md 8.3)"
        )
    return None


def _own_id(green: str | None) -> bool:
    """True for an id that green gave itself: a clone's sequence starts beyond blue's by a million (change-log.md 8.4)."""
    return green is not None and green.isdigit() and int(green) > ID_SHIFT


def shown(value: Json) -> str | None:
    """Numbers and truth values as they are; texts as length and hash, because they can be personal."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    kind = "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"
    return f"{kind} of {len(text)} ({mark})"[:_MAX_SHOWN]


def differing(blue: dict[str, Print], green: dict[str, Print]) -> set[str]:
    """Uids of the items that are not the same on both sides."""
    if blue == green:
        return set()
    return {uid for uid in blue.keys() | green.keys() if blue.get(uid) != green.get(uid)}


def explain(
    place: Place,
    uid: str,
    blue: Print | None,
    green: Print | None,
    *,
    blue_value: Json = None,
    green_value: Json = None,
) -> list[Difference]:
    """Every difference of one item: missing on a side, or signal by signal and field by field."""
    if blue is None or green is None:
        if blue is green:
            return []
        return [difference(place, uid, "blue" if blue else "green", "missing")]
    found = [
        difference(place, uid, "both", name, blue=mine, green=theirs)
        for name, mine, theirs in _signals(blue, green)
        if mine != theirs
    ]
    if blue.digest != green.digest:
        paths = list(_paths(blue_value, green_value, ""))[:_MAX_PATHS] or [("value", None, None)]
        found += [
            difference(place, uid, "both", path or "value", blue=mine, green=theirs)
            for path, mine, theirs in paths
        ]
    return found


def _signals(blue: Print, green: Print) -> Iterable[tuple[str, int | str | None, int | str | None]]:
    mine, theirs = dict(blue.signals), dict(green.signals)
    return [(name, mine.get(name), theirs.get(name)) for name in sorted(mine.keys() | theirs.keys())]


def _paths(blue: Json, green: Json, prefix: str) -> Iterable[tuple[str, Json, Json]]:
    """Dotted paths where two normalised values part."""
    if blue == green:
        return
    if isinstance(blue, dict) and isinstance(green, dict):
        for name in sorted(blue.keys() | green.keys()):
            yield from _paths(blue.get(name), green.get(name), f"{prefix}.{name}" if prefix else name)
        return
    yield prefix, blue, green
