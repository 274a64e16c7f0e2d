"""Directory calls: users, groups, mailshares, external users, org units, resources, search (clone-and-api.md 4.4)."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Json, Router, Void
from bmswitch.lab.rest.views import ItemValue, TaskRef, item_value, list_result, task_ref
from bmswitch.lab.services.directory import face
from bmswitch.lab.services.entries import KINDS
from bmswitch.lab.services.errors import Denied, NotFound
from bmswitch.lab.services.passwords import verify
from bmswitch.lab.services.platform import require_domain
from bmswitch.lab.services.shapes_directory import DirEntry, Entry, Member, OrgUnit, OrgUnitRoles, User
from bmswitch.lab.store import Item

_encode = msgspec.json.encode


class DirEntryQuery(msgspec.Struct, rename="camel"):
    """Search of the directory; the defaults hide entries."""

    hidden_filter: bool = True
    system_filter: bool = True
    state_filter: str | None = None
    kinds_filter: list[str] | None = None
    name_filter: str | None = None
    email_filter: str | None = None
    name_or_email_filter: str | None = None
    entry_uid_filter: list[str] | None = None
    from_: int = msgspec.field(name="from", default=0)
    size: int = -1


class ChangePassword(msgspec.Struct, rename="camel"):
    """Body of `password_`; an administrator leaves the current one out."""

    new_password: str
    current_password: str | None = None


def add_routes(router: Router) -> None:
    """One set of calls a kind, and the directory's own."""
    for base, kind in (
        ("/api/users/{d}", "USER"),
        ("/api/groups/{d}", "GROUP"),
        ("/api/mailshares/{d}", "MAILSHARE"),
        ("/api/externaluser/{d}", "EXTERNALUSER"),
        ("/api/directory/_ou/{d}", "ORG_UNIT"),
        ("/api/resources/{d}", "RESOURCE"),
    ):
        router.add("PUT", base + "/{uid}", _create(kind))
        router.add("POST", base + "/{uid}", _update(kind))
        router.add("DELETE", base + "/{uid}", _delete(kind))
        router.add("GET", base + "/{uid}/complete", _complete(kind))
        router.add("GET", base + "/_alluids", _all_uids(kind))
    router.add("GET", "/api/resources/{d}/{uid}", _resource)
    router.add("GET", "/api/users/{d}/byLogin/{login}", _by_login)
    router.add("GET", "/api/users/{d}/byEmail/{email}", _by_email)
    router.add("GET", "/api/groups/{d}/byName/{name}", _group_by_name)
    router.add("POST", "/api/users/{d}/{uid}/password_", _set_password)
    router.add("GET", "/api/users/{d}/{uid}/_settings", _settings)
    router.add("POST", "/api/users/{d}/{uid}/_settings", _set_settings)
    router.add("GET", "/api/users/{d}/{uid}/groups", _groups_of)
    router.add("GET", "/api/groups/{d}/{uid}/members", _members)
    router.add("PUT", "/api/groups/{d}/{uid}/members", _add_members)
    router.add("DELETE", "/api/groups/{d}/{uid}/members", _remove_members)
    for base, kind in (("users", "USER"), ("groups", "GROUP")):
        router.add("GET", f"/api/{base}/{{d}}/{{uid}}/roles", _roles)
        router.add("POST", f"/api/{base}/{{d}}/{{uid}}/roles", _set_roles(kind))
    router.add("POST", "/api/directory/{d}/_search", _search)
    router.add("POST", "/api/directory/{d}/_mget", _mget)
    router.add("GET", "/api/directory/{d}/entry-uid/{uid}", _entry)
    router.add("DELETE", "/api/directory/{d}/_byentryuid/{uid}", _delete(""))
    router.add("GET", "/api/directory/_ou/{d}/{uid}/_administrators", _administrators)
    router.add("POST", "/api/directory/_ou/{d}/{uid}/{dir}/_set", _set_unit_roles)
    router.add("POST", "/api/directory/_ou/{d}/{uid}/{dir}", _unit_roles)


def _create(kind: str) -> Callable[[Call], Void]:
    def create(call: Call) -> Void:
        call.need_admin()
        require_domain(call.services.context, call["d"])
        value: Entry = call.json(KINDS[kind])
        call.services.directory.create(call["d"], call["uid"], kind, value, by=call.author)
        return VOID

    return create


def _update(kind: str) -> Callable[[Call], Void]:
    def update(call: Call) -> Void:
        if kind != "USER" or call.caller.uid != call["uid"]:
            call.need_admin()
        value: Entry = call.json(KINDS[kind])
        call.services.directory.update(call["d"], call["uid"], kind, value, by=call.author)
        return VOID

    return update


def _delete(kind: str) -> Callable[[Call], TaskRef | Void]:
    def delete(call: Call) -> TaskRef | Void:
        call.need_admin()
        services = call.services
        if kind:
            services.directory.entry(call["d"], call["uid"], kind)
        task = services.tasks.done(lambda: services.directory.delete(call["d"], call["uid"]), "deleted")
        return VOID if kind in ("EXTERNALUSER", "ORG_UNIT") else task_ref(task.id)

    return delete


def _complete(kind: str) -> Callable[[Call], ItemValue | None]:
    def complete(call: Call) -> ItemValue | None:
        _see(call)
        item = call.services.store.item(call["d"], call["uid"])
        if item is None or face(item).kind != kind:
            return None
        return _with_value(call, item, kind)

    return complete


def _with_value(call: Call, item: Item, kind: str) -> ItemValue:
    """The entry's own value, a user's password nulled."""
    value = call.services.directory.entry(call["d"], item.uid, kind)
    if isinstance(value, User):
        value = msgspec.structs.replace(value, password=None)
    return item_value(item, _encode(value))


def _resource(call: Call) -> Json | None:
    _see(call)
    try:
        return Json(_encode(call.services.directory.entry(call["d"], call["uid"], "RESOURCE")))
    except NotFound:
        return None


def _all_uids(kind: str) -> Callable[[Call], list[str]]:
    def uids(call: Call) -> list[str]:
        _see(call)
        return [
            item.uid for item, entry in call.services.directory.dir_entries(call["d"]) if entry.kind == kind
        ]

    return uids


def _by_login(call: Call) -> ItemValue | None:
    return _by_address(call, f"{call['login']}@{call['d']}")


def _by_email(call: Call) -> ItemValue | None:
    return _by_address(call, call["email"])


def _by_address(call: Call, address: str) -> ItemValue | None:
    _see(call)
    found = call.services.store.find_address(address)
    item = call.services.store.item(call["d"], found[1]) if found and found[0] == call["d"] else None
    return _with_value(call, item, "USER") if item is not None and face(item).kind == "USER" else None


def _group_by_name(call: Call) -> ItemValue | None:
    _see(call)
    for item, entry in call.services.directory.dir_entries(call["d"]):
        if entry.kind == "GROUP" and entry.display_name == call["name"]:
            return _with_value(call, item, "GROUP")
    return None


def _set_password(call: Call) -> Void:
    """An administrator needs no current password; a hash is stored as it is."""
    services, wanted = call.services, call.json(ChangePassword)
    if not call.caller.admin:
        stored = services.store.password(call["d"], call["uid"])
        if (
            call.caller.uid != call["uid"]
            or stored is None
            or not verify(wanted.current_password or "", stored)
        ):
            raise Denied("the current password is wrong")
    services.directory.set_password(call["d"], call["uid"], wanted.new_password)
    return VOID


def _settings(call: Call) -> dict[str, str]:
    _see(call)
    return call.services.platform.user_settings(call["d"], call["uid"])


def _set_settings(call: Call) -> Void:
    if call.caller.uid != call["uid"]:
        call.need_admin()
    call.services.platform.set_user_settings(
        call["d"], call["uid"], call.json(dict[str, str]), by=call.author
    )
    return VOID


def _groups_of(call: Call) -> list[ItemValue]:
    _see(call)
    sides = [
        side
        for side in call.services.store.sides("memberships", owner=call["uid"])
        if side.domain == call["d"]
    ]
    items = (call.services.store.item(call["d"], side.uid) for side in sides)
    return [_with_value(call, item, "GROUP") for item in items if item is not None]


def _members(call: Call) -> list[Member]:
    _see(call)
    return call.services.groups.members(call["d"], call["uid"])


def _add_members(call: Call) -> Void:
    call.need_admin()
    call.services.groups.add(call["d"], call["uid"], call.json(list[Member]))
    return VOID


def _remove_members(call: Call) -> Void:
    call.need_admin()
    call.services.groups.remove(call["d"], call["uid"], call.json(list[Member]))
    return VOID


def _roles(call: Call) -> list[str]:
    _see(call)
    return call.services.sides.roles(call["uid"])


def _set_roles(kind: str) -> Callable[[Call], Void]:
    def set_roles(call: Call) -> Void:
        call.need_admin()
        call.services.directory.entry(call["d"], call["uid"], kind)
        call.services.sides.set_roles(call["d"], call["uid"], kind, call.json(list[str]))
        return VOID

    return set_roles


def _search(call: Call) -> Json:
    _see(call)
    query = call.json(DirEntryQuery)
    found = [
        (item, entry)
        for item, entry in call.services.directory.dir_entries(call["d"])
        if _matches(query, entry)
    ]
    end = None if query.size < 0 else query.from_ + query.size
    page = list_result([item_value(item, _encode(entry)) for item, entry in found[query.from_ : end]])
    return Json(
        page.data.replace(b'{"total":%d' % len(found[query.from_ : end]), b'{"total":%d' % len(found), 1)
    )


def _matches(query: DirEntryQuery, entry: DirEntry) -> bool:
    name, mail = (entry.display_name or "").lower(), (entry.email or "").lower()
    refused = (
        (query.hidden_filter and entry.hidden)
        or (query.system_filter and entry.system)
        or (query.state_filter == "Archived" and not entry.archived)
        or (query.state_filter == "Active" and entry.archived)
        or (query.kinds_filter and entry.kind not in query.kinds_filter)
        or (query.entry_uid_filter and entry.entry_uid not in query.entry_uid_filter)
        or (query.name_filter and query.name_filter.lower() not in name)
        or (query.email_filter and query.email_filter.lower() not in mail)
    )
    if refused:
        return False
    wanted = (query.name_or_email_filter or "").lower()
    return wanted in name or wanted in mail


def _mget(call: Call) -> list[ItemValue]:
    _see(call)
    items = call.services.store.items_by_uid(call["d"], call.json(list[str]))
    return [item_value(item, _encode(face(item))) for item in items]


def _entry(call: Call) -> DirEntry | None:
    _see(call)
    item = call.services.store.item(call["d"], call["uid"])
    return None if item is None else face(item)


def _administrators(call: Call) -> list[str]:
    _see(call)
    return sorted(side.owner for side in call.services.store.sides("ou-roles", uid=call["uid"]))


def _unit_roles(call: Call) -> list[str]:
    _see(call)
    side = call.services.store.side("ou-roles", call["dir"], call["uid"])
    return [] if side is None else msgspec.json.decode(side.value, type=OrgUnitRoles).roles


def _set_unit_roles(call: Call) -> Void:
    call.need_admin()
    services = call.services
    unit = services.directory.entry(call["d"], call["uid"], "ORG_UNIT")
    if not isinstance(unit, OrgUnit):
        raise NotFound(f"org unit {call['uid']} not found")
    services.org_units.set_roles(call["d"], call["uid"], unit, call["dir"], call.json(list[str]))
    return VOID


def _see(call: Call) -> None:
    """The directory is open to everybody of the domain who is known."""
    if not call.caller.admin and (not call.caller.uid or call.caller.domain != call["d"]):
        raise Denied("the directory is not open to you")
    require_domain(call.services.context, call["d"])
