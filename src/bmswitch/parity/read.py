"""Reads one place of one installation as prints: uid, signals and digest of each item, values only when asked for."""

from collections.abc import Collection, Iterable, Mapping
from typing import cast

import msgspec

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.barrier import is_probe
from bmswitch.model.differences import Place
from bmswitch.model.digest import Json, Print, normalise, value_digest
from bmswitch.parity.paths import fill, path_of
from bmswitch.parity.tables import Kind

_SIGNAL_FIELDS = {"id": "internalId", "version": "version", "created": "created", "updated": "updated"}

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
        name = self.name(uid)
        self.prints[name] = Print(signals, value_digest(value))
        if keep:
            self.values[name] = value

    def chosen(self, uid: str, guid: str, wanted: "Wanted") -> bool:
        """True for an item that is to be compared; then its body is taken too."""
        if is_probe(uid) or not wanted.has(uid):
            return False
        if guid:
            self.guids.add(guid)
        return True

    def name(self, uid: str) -> str:
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
    for item in items:
        if found.chosen(uid := text(item, "uid"), body_of(item), wanted):
            value = normalise(item.get("value"), ignored, ordered=kind.ordered)
            found.add(uid, _signals(item, kind), value, keep=wanted.keep)
    return found


def alike(names: Iterable[tuple[str, str]], wanted: Wanted) -> tuple[Reading, Reading]:
    """Items, as uid and body, that both sides answer alike, for each of them: nothing of them has to be hashed."""
    found = Reading()
    prints, chosen = found.prints, found.chosen
    for uid, guid in names:
        if chosen(uid, guid, wanted):
            prints[found.name(uid) if uid in prints else uid] = _ALIKE
    return found, Reading(dict(found.prints), {}, set(found.guids))


def body_of(item: JsonObject) -> str:
    """The guid of the body that an item names; empty when it names none."""
    value = item.get("value")
    return text(value, "messageBody") if isinstance(value, dict) else ""


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
