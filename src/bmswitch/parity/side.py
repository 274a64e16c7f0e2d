"""What an owner has that is no item: members, roles, settings, mail filter, identities, accounts (parity.tables.SIDE)."""

from bmswitch.bluemind.bulk import ApiError, Bulk
from bmswitch.model.digest import Json, normalise
from bmswitch.parity.directory import Entry
from bmswitch.parity.paths import fill
from bmswitch.parity.read import Reading, Wanted, objects, text
from bmswitch.parity.tables import ADMINISTRATORS, SIDE


async def read_side(bulk: Bulk, domain: str, entry: Entry, wanted: Wanted, unread: set[str]) -> Reading:
    """One item per kind of side data of the entry.

    A read that this installation does not offer (unknown route) is put into `unread` by name and not asked again.
    """
    found = Reading()
    for name, side in SIDE.items():
        if entry.kind not in side.kinds or name in unread or not wanted.has(name):
            continue
        try:
            answer = await bulk.get(fill(side.path, domain=domain, entry=entry.uid))
        except ApiError as fault:
            if not unknown_route(fault):
                raise
            unread.add(name)
            continue
        if side.each:
            answer = await _each(bulk, fill(side.path, domain=domain, entry=entry.uid), side.each, answer)
        if name == ADMINISTRATORS:
            answer = await _unit_roles(bulk, domain, entry.uid, answer)
        found.add(name, (), normalise(answer, side.ignored, ordered=side.ordered), keep=wanted.keep)
    return found


async def _each(bulk: Bulk, path: str, key: str, listed: Json) -> Json:
    """Every element of a list as it is by itself, by its name: signatures are not in the list of identities (4.4)."""
    whole: list[Json] = []
    for item in objects(listed):
        name = text(item, key)
        found = await bulk.get(f"{path}/{fill('{name}', name=name)}")
        whole.append({**(found if isinstance(found, dict) else {}), key: name})
    return whole


async def _unit_roles(bulk: Bulk, domain: str, unit: str, administrators: Json) -> Json:
    """The roles of each administrator of an organisational unit (`ou-roles` in the log)."""
    if not isinstance(administrators, list):
        return None
    roles: dict[str, Json] = {}
    for one in administrators:
        if isinstance(one, str):
            where = fill("/api/directory/_ou/{domain}/{unit}/{entry}", domain=domain, unit=unit, entry=one)
            roles[one] = await bulk.post(where, [])
    return roles


def unknown_route(fault: ApiError) -> bool:
    """True when the installation has no such call: it answers 500 `UNKNOWN`, not 404 (clone-and-api.md 4.1)."""
    return fault.code == "UNKNOWN" or (fault.status in (404, 405, 501) and not fault.code)
