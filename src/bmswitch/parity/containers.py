"""Containers of an owner: which there are, their descriptors, access rights and settings."""

from dataclasses import dataclass

from bmswitch.bluemind.bulk import Bulk
from bmswitch.model.digest import Json, normalise
from bmswitch.parity.paths import fill
from bmswitch.parity.read import Reading, Wanted, objects, text
from bmswitch.parity.tables import META_FIELDS, UNLOGGED, UNLOGGED_FIELDS


@dataclass(frozen=True)
class Held:
    """One container: uid and type."""

    uid: str
    type: str


async def read_containers(bulk: Bulk, owner: str, wanted: Wanted) -> tuple[Reading, dict[str, Held]]:
    """Descriptors of the owner's containers, and which they are.

    The owner must be asked for: without it only what the caller may see is listed (clone-and-api.md 5.3).
    """
    found, held = Reading(), dict[str, Held]()
    for item in objects(await bulk.post("/api/containers/_manage/_listLight", {"owner": owner})):
        uid = text(item, "uid")
        if not uid or text(item, "owner") != owner or not wanted.has(uid):
            continue
        held[uid] = Held(uid, text(item, "type"))
        fields = UNLOGGED_FIELDS if text(item, "type") in UNLOGGED else META_FIELDS
        shown: Json = {name: item.get(name) for name in fields}
        found.add(uid, (), normalise(shown), keep=wanted.keep)
    return found, held


async def read_meta(bulk: Bulk, container: str, *, keep: bool) -> Reading:
    """Access rights and settings of one container, as the items `acl` and `settings`."""
    found = Reading()
    for name in ("acl", "settings"):
        answer = await bulk.get(fill("/api/containers/_manage/{container}/_" + name, container=container))
        found.add(name, (), normalise(answer), keep=keep)
    return found
