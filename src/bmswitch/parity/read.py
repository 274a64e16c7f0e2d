"""Reads one place of one installation as prints: uid, signals and digest of each item, values only when asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.digest import Json, Print, normalise, value_digest
from bmswitch.parity.tables import Kind

BATCH = 200
_SIGNAL_FIELDS = {"id": "internalId", "version": "version", "created": "created", "updated": "updated"}

JsonObject = dict[str, Json]


@dataclass
class Reading:
    """Items of a place by uid. `values` holds normalised values of the items asked for; `guids` the bodies named."""

    prints: dict[str, Print] = field(default_factory=dict)
    values: dict[str, Json] = field(default_factory=dict)
    guids: set[str] = field(default_factory=set)

    def add(
        self, uid: str, signals: tuple[tuple[str, int | str | None], ...], value: Json, *, keep: bool
    ) -> None:
        """Adds one item. A second item of the same uid is itself a difference: it gets a name of its own."""
        name = uid
        while name in self.prints:
            name += " (again)"
        self.prints[name] = Print(signals, value_digest(value))
        if keep:
            self.values[name] = value


@dataclass(frozen=True)
class Wanted:
    """Which items are read: all (None), or these uids with the ids they may have; `keep` retains their values."""

    items: Mapping[str, Collection[int]] | None = None
    keep: bool = False

    def has(self, uid: str) -> bool:
        """True when the item is to be read."""
        return self.items is None or uid in self.items


ALL = Wanted()


def fill(template: str, **parts: str) -> str:
    """A path with its parts percent-encoded."""
    return template.format(**{n: quote(part, safe="") for n, part in parts.items() if f"{{{n}}}" in template})


def objects(answer: Json) -> list[JsonObject]:
    """The items of a list, or of a `{"values": [...]}` page; nulls are dropped."""
    if isinstance(answer, dict):
        answer = answer.get("values")
    if not isinstance(answer, list):
        return []
    return [part for part in answer if isinstance(part, dict)]


def text(item: JsonObject, name: str) -> str:
    """A text field; empty when it is null or absent."""
    value = item.get(name)
    return value if isinstance(value, str) else ""


async def read_items(
    bulk: Bulk, kind: Kind, parts: Mapping[str, str], wanted: Wanted, *, newer: bool
) -> Reading:
    """All items of a container, or the wanted ones. `newer` leaves out fields that one version does not have."""
    found = Reading()
    ignored = kind.ignored | kind.newer if newer else kind.ignored
    for item in await _items(bulk, kind, parts, wanted):
        uid = text(item, "uid")
        if not wanted.has(uid):
            continue
        raw = item.get("value")
        guid = text(raw, "messageBody") if isinstance(raw, dict) else ""
        if guid:
            found.guids.add(guid)
        value = normalise(raw, ignored, ordered=kind.ordered)
        found.add(uid, _signals(item, kind), value, keep=wanted.keep)
    return found


async def _items(bulk: Bulk, kind: Kind, parts: Mapping[str, str], wanted: Wanted) -> list[JsonObject]:
    """Item values by the type's own read: as few calls as the type allows."""
    if wanted.items is not None and kind.query:
        asked: Collection[object] = (
            {number for ids in wanted.items.values() for number in ids} if kind.by_id else wanted.items
        )
        return await _batches(bulk, fill(kind.query, **parts), asked)
    if kind.read == "all":
        return objects(await bulk.get(fill(kind.path, **parts)))
    listed = objects(await bulk.get(fill("/api/containers/_manage/{container}/_list", **parts)))
    return await _batches(bulk, fill(kind.path, **parts), [text(item, "uid") for item in listed])


async def _batches(bulk: Bulk, path: str, asked: Collection[object]) -> list[JsonObject]:
    todo, found = list(asked), list[JsonObject]()
    for start in range(0, len(todo), BATCH):
        found += objects(await bulk.post(path, todo[start : start + BATCH]))
    return found


def _signals(item: JsonObject, kind: Kind) -> tuple[tuple[str, int | str | None], ...]:
    signals: list[tuple[str, int | str | None]] = []
    for name in kind.signals:
        if name == "flags":
            flags = item.get("flags")
            signals.append((name, ",".join(sorted(map(str, flags))) if isinstance(flags, list) else ""))
        else:
            signals.append((name, _number(item.get(_SIGNAL_FIELDS[name]))))
    value = item.get("value")
    signals += [
        (name, _number(value.get(name)) if isinstance(value, dict) else None) for name in kind.value_signals
    ]
    return tuple(signals)


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) else None


async def read_level1(bulk: Bulk, parts: Mapping[str, str], wanted: Wanted) -> Reading:
    """Uids only, of a type whose values bmswitch does not know how to read."""
    found = Reading()
    for item in objects(await bulk.get(fill("/api/containers/_manage/{container}/_list", **parts))):
        if wanted.has(text(item, "uid")):
            found.add(text(item, "uid"), (), None, keep=wanted.keep)
    return found


async def count_items(bulk: Bulk, container: str) -> int:
    """BlueMind's own count of a container's items (level 0)."""
    answer = await bulk.get(fill("/api/containers/_manage/{container}/_itemCount", container=container))
    return cast("int", answer.get("total", 0)) if isinstance(answer, dict) else 0
