"""Reads one place of one installation as prints: uid, signals and digest of each item, values only when asked for."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import quote

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.barrier import is_probe
from bmswitch.model.differences import Place
from bmswitch.model.digest import Json, Print, normalise, value_digest
from bmswitch.parity.mail import folder_of
from bmswitch.parity.tables import Kind

BATCH = 200
_SIGNAL_FIELDS = {"id": "internalId", "version": "version", "created": "created", "updated": "updated"}

_UNSAFE = re.compile(r"[^A-Za-z0-9_.~-]+")

JsonObject = dict[str, Json]
_ALIKE = Print((), 0)


class Reading(msgspec.Struct):
    """Items of a place by uid. `values` holds normalised values of the items asked for; `guids` the bodies named."""

    prints: dict[str, Print] = {}
    values: dict[str, Json] = {}
    guids: set[str] = set()

    def add(
        self, uid: str, signals: tuple[tuple[str, int | str | None], ...], value: Json, *, keep: bool
    ) -> None:
        """Adds one item."""
        name = self._name(uid)
        self.prints[name] = Print(signals, value_digest(value))
        if keep:
            self.values[name] = value

    def add_alike(self, uid: str) -> None:
        """Adds one item of which both sides answer the same: nothing of it has to be hashed."""
        self.prints[self._name(uid)] = _ALIKE

    def _name(self, uid: str) -> str:
        """A second item of the same uid is itself a difference: it gets a name of its own."""
        while uid in self.prints:
            uid += " (again)"
        return uid


class Wanted(msgspec.Struct, frozen=True):
    """Which items are read: all (None), or these uids with the ids they may have; `keep` retains their values."""

    items: Mapping[str, Collection[int]] | None = None
    keep: bool = False

    def has(self, uid: str) -> bool:
        """True when the item is to be read."""
        return self.items is None or uid in self.items


ALL = Wanted()


def fill(template: str, **parts: str) -> str:
    """A path with its parts percent-encoded."""
    return template.format(**{n: _quoted(part) for n, part in parts.items() if f"{{{n}}}" in template})


@lru_cache(1024)
def path_of(template: str, place: Place) -> str:
    """The path of a place. Kept for a moment: the same path is asked of both sides."""
    return fill(
        template,
        container=place.container,
        owner=place.owner,
        domain=place.domain,
        folder=folder_of(place.container),
    )


def _quoted(part: str) -> str:
    """As `quote`, which looks at every character: most of a uid needs no escape."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), part)


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


def read_of(items: Iterable[JsonObject], kind: Kind, wanted: Wanted, *, newer: bool) -> Reading:
    """Fetched items as prints, those of bmswitch's own probes apart. `newer` leaves out fields that one version does not have."""
    found = Reading()
    ignored = kind.ignored | kind.newer if newer else kind.ignored
    for uid, item in _chosen(items, wanted, found.guids):
        value = normalise(item.get("value"), ignored, ordered=kind.ordered)
        found.add(uid, _signals(item, kind), value, keep=wanted.keep)
    return found


def alike(items: Iterable[JsonObject], wanted: Wanted) -> tuple[Reading, Reading]:
    """Fetched items that both sides answer alike, for each of them: only their names and bodies matter."""
    found = Reading()
    for uid, _ in _chosen(items, wanted, found.guids):
        found.add_alike(uid)
    return found, Reading(dict(found.prints), guids=set(found.guids))


def _chosen(items: Iterable[JsonObject], wanted: Wanted, guids: set[str]) -> Iterator[tuple[str, JsonObject]]:
    """The items that are to be compared, with their uids; adds the bodies that they name."""
    for item in items:
        uid = text(item, "uid")
        if is_probe(uid) or not wanted.has(uid):
            continue
        value = item.get("value")
        if isinstance(value, dict) and (guid := text(value, "messageBody")):
            guids.add(guid)
        yield uid, item


async def fetch_items(bulk: Bulk, kind: Kind, place: Place, wanted: Wanted) -> list[JsonObject]:
    """All items of a container, or the wanted ones, by the type's own read: as few calls as the type allows."""
    if wanted.items is not None and kind.query:
        asked: Collection[object] = (
            {number for ids in wanted.items.values() for number in ids} if kind.by_id else wanted.items
        )
        return await _batches(bulk, path_of(kind.query, place), asked)
    if kind.read == "all":
        return objects(await bulk.get(path_of(kind.path, place)))
    listed = objects(await bulk.get(path_of("/api/containers/_manage/{container}/_list", place)))
    return await _batches(bulk, path_of(kind.path, place), [text(item, "uid") for item in listed])


async def _batches(bulk: Bulk, path: str, asked: Collection[object]) -> list[JsonObject]:
    todo = list(asked)
    if len(todo) <= BATCH:
        return objects(await bulk.post(path, todo)) if todo else []
    found = list[JsonObject]()
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


async def read_level1(bulk: Bulk, place: Place, wanted: Wanted) -> Reading:
    """Uids only, of a type whose values bmswitch does not know how to read."""
    found = Reading()
    for item in objects(await bulk.get(path_of("/api/containers/_manage/{container}/_list", place))):
        if wanted.has(text(item, "uid")):
            found.add(text(item, "uid"), (), None, keep=wanted.keep)
    return found


async def count_items(bulk: Bulk, container: str) -> int:
    """BlueMind's own count of a container's items (level 0)."""
    answer = await bulk.get(fill("/api/containers/_manage/{container}/_itemCount", container=container))
    return cast("int", answer.get("total", 0)) if isinstance(answer, dict) else 0
