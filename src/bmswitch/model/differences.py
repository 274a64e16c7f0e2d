"""One difference between the source and the target, and which ones BlueMind's clone makes unavoidable. No personal data in it."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Literal

import msgspec

from bmswitch.model.digest import Json, Print

Side = Literal["source", "target", "both"]
ORG_UNIT_ID = "org unit id"
ID_SHIFT = 1_000_000
KNOWN = {
    "hierarchy-node-stays": "hierarchy nodes deleted on the source stay on the target (clone-and-api.md 3.3)",
    "no-default-container": "a book or calendar made from its directory entry is no default container (clone-and-api.md 3.3)",
    "org-unit-own-id": (
        "an org unit that the target had to invent as a parent keeps the target's own item id (change-log.md 8.3)"
    ),
}
"""What the native clone can not avoid: the name that a plan accepts it by, and the reason."""
_MAX_SHOWN = 60
_MAX_PATHS = 20
_encode = msgspec.json.Encoder(order="sorted").encode


class Place(msgspec.Struct, frozen=True, order=True):
    """What is read and compared in one go: a container's items, an owner's side data, a domain's directory.

    `type` is BlueMind's container type, or one of ours: `dir` (entries), `containers` (an owner's containers),
    `containers_meta` (access rights and settings of one container), `side` (roles, settings, filters, ... of an owner).
    """

    domain: str
    owner: str
    container: str
    type: str


class LogPlace(msgspec.Struct, frozen=True, order=True):
    """One record of the source's log; `operation` is what it says about its item."""

    topic: str
    partition: int
    offset: int
    operation: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One line of differences.ndjson.

    `side` is where the item is (`both`: it differs). `what` names what differs; `source` and `target` show it, shortened,
    texts as length and hash. `known` is the reason with its source when the clone can not avoid it. `record` is the newest
    record of the item in the source's log: the target has not done it. `cause` is the likely one among the known
    defects, with its source; `repair` is what `verify --repair` would do, None where it can not mend.
    `kind` is the kind of an entry that differs (`USER`, ...).
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
    record: LogPlace | None = None
    cause: str | None = None
    repair: str | None = None
    kind: str | None = None


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
        return KNOWN["hierarchy-node-stays"]
    if found.type == "containers" and found.what == "defaultContainer" and found.owner == found.item:
        return KNOWN["no-default-container"]
    if found.type == "dir" and found.what == ORG_UNIT_ID and _own_id(found.target):
        return KNOWN["org-unit-own-id"]
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
        paths = list(islice(_paths(source_value, target_value, ""), _MAX_PATHS)) or [("value", None, None)]
        found += [
            difference(place, uid, "both", path or "value", source=mine, target=theirs)
            for path, mine, theirs in paths
        ]
    return found


def _signals(source: Print, target: Print) -> Iterable[tuple[str, int | str | None, int | str | None]]:
    mine, theirs = dict(source.signals), dict(target.signals)
    return [(name, mine.get(name), theirs.get(name)) for name in sorted(mine.keys() | theirs.keys())]


def _paths(source: Json, target: Json, prefix: str) -> Iterable[tuple[str, Json, Json]]:
    """Dotted paths where two normalised values part; `name[]` is an element of a list, shown on the side that has it."""
    if source == target:
        return
    if isinstance(source, dict) and isinstance(target, dict):
        for name in sorted(source.keys() | target.keys()):
            yield from _paths(source.get(name), target.get(name), f"{prefix}.{name}" if prefix else name)
        return
    if isinstance(source, list) and isinstance(target, list):
        yield from _elements(source, target, prefix)
        return
    yield prefix, source, target


def _elements(source: list[Json], target: list[Json], prefix: str) -> Iterable[tuple[str, Json, Json]]:
    """What one list has and the other has not; a changed element is told field by field when it is the only one."""
    gone, new = _without(source, target), _without(target, source)
    if not gone and not new:
        yield f"{prefix} (order)", source, target
    elif len(gone) == len(new) == 1:
        yield from _paths(gone[0], new[0], f"{prefix}[]")
    else:
        yield from ((f"{prefix}[]", one, None) for one in gone)
        yield from ((f"{prefix}[]", None, one) for one in new)


def _without(these: list[Json], others: list[Json]) -> list[Json]:
    left = Counter(map(_encode, others))
    found = []
    for one in these:
        text = _encode(one)
        if left[text]:
            left[text] -= 1
        else:
            found.append(one)
    return found
