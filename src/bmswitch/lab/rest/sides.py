"""Filters, identities, accounts, resource types, mail flow, domain roles (clone-and-api.md 4.4)."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Json, Router, Void
from bmswitch.lab.services.errors import AlreadyExists, Denied
from bmswitch.lab.services.platform import require_domain
from bmswitch.lab.services.shapes_directory import (
    Account,
    Identity,
    MailFilter,
    ResourceType,
    UserMailIdentity,
)

_encode = msgspec.json.encode
_Payload = UserMailIdentity | Identity | Account | ResourceType | dict[str, object]


def add_routes(router: Router) -> None:
    """Everything that is no item."""
    router.add("GET", "/api/mailboxes/{d}/{owner}/_filter", lambda call: _filter(call, call["owner"]))
    router.add("POST", "/api/mailboxes/{d}/{owner}/_filter", lambda call: _set_filter(call, call["owner"]))
    router.add("GET", "/api/mailboxes/{d}/_filter", lambda call: _filter(call, call["d"]))
    router.add("POST", "/api/mailboxes/{d}/_filter", lambda call: _set_filter(call, call["d"]))
    _crud(router, "/api/users/{d}/{owner}/identity", "userMailIdentities", UserMailIdentity)
    _crud(router, "/api/mailboxes/{d}/identity/{owner}", "mailboxIdentity", Identity)
    _crud(router, "/api/users/{d}/{owner}/accounts", "userAccounts", Account)
    _crud(router, "/api/resources/{d}/type", "resourceTypes", ResourceType)
    _crud(router, "/api/mailflow/{d}", "mailflow", dict, listing="/_assignments")
    router.add("GET", "/api/domains/{d}/roles", _domain_roles)
    router.add("POST", "/api/domains/{d}/roles", _set_domain_roles)


def _crud(router: Router, base: str, type_: str, kind: type[_Payload], *, listing: str = "") -> None:
    router.add("GET", base + listing, _all(type_))
    router.add("GET", base + "/{uid}", _one(type_))
    router.add("PUT", base + "/{uid}", _put(type_, kind, new=True))
    router.add("POST", base + "/{uid}", _put(type_, kind, new=False))
    router.add("DELETE", base + "/{uid}", _delete(type_))


def _owner(call: Call) -> str:
    """The mailbox or user of the path; the domain for what belongs to it."""
    return call.params.get("owner", call["d"])


def _check(call: Call) -> None:
    if not call.caller.admin and call.caller.uid != _owner(call):
        raise Denied("this belongs to somebody else")
    require_domain(call.services.context, call["d"])


def _filter(call: Call, mailbox: str) -> MailFilter:
    _check(call)
    return call.services.sides.filter(mailbox)


def _set_filter(call: Call, mailbox: str) -> Void:
    _check(call)
    call.services.sides.set_filter(call["d"], mailbox, call.json(MailFilter))
    return VOID


def _all(type_: str) -> Callable[[Call], Json]:
    """Values of an owner, each with its id."""

    def answer(call: Call) -> Json:
        _check(call)
        store = call.services.store
        if "owner" in call.params:
            sides = store.sides(type_, owner=_owner(call))
        else:  # what belongs to a domain is logged under owners of many kinds
            sides = [side for side in store.sides(type_) if side.domain == call["d"]]
        return Json(b"[" + b",".join(_with_id(side.uid, side.value) for side in sides) + b"]")

    return answer


def _with_id(uid: str, value: bytes) -> bytes:
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    return _encode({"id": uid, **fields})


def _one(type_: str) -> Callable[[Call], Json | None]:
    def answer(call: Call) -> Json | None:
        _check(call)
        side = call.services.store.side(type_, _owner(call), call["uid"])
        return None if side is None else Json(side.value)

    return answer


def _put(type_: str, kind: type[_Payload], *, new: bool) -> Callable[[Call], Void]:
    def put(call: Call) -> Void:
        _check(call)
        owner, services = _owner(call), call.services
        known = services.store.side(type_, owner, call["uid"]) is not None
        if new and known:
            raise AlreadyExists(f"{type_} {call['uid']} exists")
        if not new:
            services.sides.get(type_, owner, call["uid"])
        services.sides.put(type_, call["d"], owner, call["uid"], _encode(call.json(kind)))
        return VOID

    return put


def _delete(type_: str) -> Callable[[Call], Void]:
    def delete(call: Call) -> Void:
        _check(call)
        call.services.sides.delete(type_, _owner(call), call["uid"])
        return VOID

    return delete


def _domain_roles(call: Call) -> list[str]:
    call.need_admin()
    require_domain(call.services.context, call["d"])
    return call.services.sides.roles(call["d"])


def _set_domain_roles(call: Call) -> Void:
    call.need_admin()
    require_domain(call.services.context, call["d"])
    call.services.sides.set_roles(call["d"], call["d"], "DOMAIN", call.json(list[str]))
    return VOID
