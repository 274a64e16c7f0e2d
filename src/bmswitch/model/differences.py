"""One difference between the source and the target, and which ones BlueMind's clone makes unavoidable. No personal data in it."""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from bmswitch.model.digest import Json, Print

Side = Literal["source", "target", "both"]
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

    `side` is where the item is (`both`: it differs). `what` names what differs; `source` and `target` show it, shortened,
    texts as length and hash. `known` is the reason with its source when the clone can not avoid it.
    """

    domain: str
    owner: str
    container: str
    type: str
    item: str
    side: Side
    what: str
    source: str | None = None
    target: str | None = None
    known: str | None = None


def difference(
    place: Place, item: str, side: Side, what: str, *, source: Json = None, target: Json = None
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
        source=shown(source),
        target=shown(target),
    )
    return msgspec.structs.replace(found, known=known_reason(found))


def known_reason(found: Difference) -> str | None:
    """Why the native clone can not avoid this difference; None when it must not be."""
    if found.type == "container_flat_hierarchy" and found.side == "target":
        return "hierarchy nodes deleted on the source stay on the target (clone-and-api.md 3.3)"
    if found.type == "containers" and found.what == "defaultContainer" and found.owner == found.item:
        return (
            "a book or calendar made from its directory entry is no default container (clone-and-api.md 3.3)"
        )
    if found.type == "dir" and found.what == ORG_UNIT_ID and _own_id(found.target):
        return "an org unit that the target had to invent as a parent keeps the target's own item id (change-log.md 8.3)"
    return None


def _own_id(target: str | None) -> bool:
    """True for an id that the target gave itself: a clone's sequence starts beyond the source's by a million (change-log.md 8.4)."""
    return target is not None and target.isdigit() and int(target) > ID_SHIFT


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


def differing(source: dict[str, Print], target: dict[str, Print]) -> set[str]:
    """Uids of the items that are not the same on both sides."""
    if source == target:
        return set()
    return {uid for uid in source.keys() | target.keys() if source.get(uid) != target.get(uid)}


def explain(
    place: Place,
    uid: str,
    source: Print | None,
    target: Print | None,
    *,
    source_value: Json = None,
    target_value: Json = None,
) -> list[Difference]:
    """Every difference of one item: missing on a side, or signal by signal and field by field."""
    if source is None or target is None:
        if source is target:
            return []
        return [difference(place, uid, "source" if source else "target", "missing")]
    found = [
        difference(place, uid, "both", name, source=mine, target=theirs)
        for name, mine, theirs in _signals(source, target)
        if mine != theirs
    ]
    if source.digest != target.digest:
        paths = list(_paths(source_value, target_value, ""))[:_MAX_PATHS] or [("value", None, None)]
        found += [
            difference(place, uid, "both", path or "value", source=mine, target=theirs)
            for path, mine, theirs in paths
        ]
    return found


def _signals(source: Print, target: Print) -> Iterable[tuple[str, int | str | None, int | str | None]]:
    mine, theirs = dict(source.signals), dict(target.signals)
    return [(name, mine.get(name), theirs.get(name)) for name in sorted(mine.keys() | theirs.keys())]


def _paths(source: Json, target: Json, prefix: str) -> Iterable[tuple[str, Json, Json]]:
    """Dotted paths where two normalised values part."""
    if source == target:
        return
    if isinstance(source, dict) and isinstance(target, dict):
        for name in sorted(source.keys() | target.keys()):
            yield from _paths(source.get(name), target.get(name), f"{prefix}.{name}" if prefix else name)
        return
    yield prefix, source, target
