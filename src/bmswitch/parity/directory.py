"""Directory entries of a domain: the listing with every filter widened, then each entry's whole value by kind."""

from dataclasses import dataclass

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.barrier import is_probe
from bmswitch.model.differences import ORG_UNIT_ID
from bmswitch.model.digest import Json, normalise
from bmswitch.parity.paths import fill
from bmswitch.parity.read import JsonObject, Reading, Wanted, objects, text
from bmswitch.parity.tables import COMPLETE, ENTRY_FIELDS, ENTRY_IGNORED, KEPT_ENTRY_IDS

_EVERYTHING = {"hiddenFilter": False, "systemFilter": False, "stateFilter": "All", "size": -1}
"""The defaults hide hidden, system and archived entries (clone-and-api.md 5.3)."""

PLACEHOLDER = "placeholder of "


@dataclass(frozen=True)
class Entry:
    """One entry: uid, kind (`USER`, `GROUP`, ...) and address."""

    uid: str
    kind: str
    email: str = ""


async def read_directory(bulk: Bulk, domain: str, wanted: Wanted) -> tuple[Reading, dict[str, Entry]]:
    """Prints of the entries as the directory lists them, and who they are; probe entries are left out."""
    found, entries = Reading(), dict[str, Entry]()
    if wanted.items is None:
        answer = await bulk.post(fill("/api/directory/{domain}/_search", domain=domain), _EVERYTHING)
    else:
        answer = await bulk.post(fill("/api/directory/{domain}/_mget", domain=domain), list(wanted.items))
    for item in objects(answer):
        uid = text(item, "uid")
        if is_probe(uid) or not wanted.has(uid):
            continue
        value = item.get("value")
        entry = value if isinstance(value, dict) else {}
        entries[uid] = Entry(uid, text(entry, "kind"), text(entry, "email"))
        shown: Json = {name: entry.get(name) for name in ENTRY_FIELDS}
        found.add(uid, _signals(item, entry), normalise(shown), keep=wanted.keep)
    return found, entries


def _signals(item: JsonObject, entry: JsonObject) -> tuple[tuple[str, int | str | None], ...]:
    """The item id where the clone keeps it; a placeholder is a defect whatever the other side says."""
    signals: list[tuple[str, int | str | None]] = []
    number = item.get("internalId")
    if text(entry, "kind") in KEPT_ENTRY_IDS:
        name = ORG_UNIT_ID if text(entry, "kind") == "ORG_UNIT" else "id"
        signals.append((name, number if isinstance(number, int) else None))
    if text(entry, "displayName").startswith(PLACEHOLDER):
        signals.append(("placeholder", 1))
    return tuple(signals)


async def read_entry(bulk: Bulk, domain: str, entry: Entry, *, keep: bool) -> Reading:
    """The whole value of one entry (item `value` of its own place); empty for kinds that have none."""
    found = Reading()
    if entry.kind not in COMPLETE:
        return found
    answer = await bulk.get(fill(COMPLETE[entry.kind], domain=domain, entry=entry.uid))
    if isinstance(answer, dict):
        value = answer.get("value") if entry.kind != "RESOURCE" else answer
        found.add("value", (), normalise(value, ENTRY_IGNORED), keep=keep)
    return found
