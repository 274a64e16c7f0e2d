"""Containers: `/api/containers/_manage`, and the container calls of calendars, books, lists."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Router, Void
from bmswitch.lab.rest.views import (
    BaseDescriptor,
    Descriptor,
    ItemDescriptor,
    Total,
    base_descriptor,
    check_access,
    descriptor,
    item_descriptor,
    readable,
    writable,
)
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.store import Ace, Container

_BASE = "/api/containers/_manage"


class _Query(msgspec.Struct, rename="camel"):
    """ContainerQuery: without an owner only what the caller may see."""

    owner: str | None = None
    type: str | None = None
    name: str | None = None


class _New(msgspec.Struct, rename="camel"):
    """What a client sends to make a container."""

    type: str
    owner: str
    name: str = ""
    default_container: bool = False
    domain_uid: str | None = None


class _Book(msgspec.Struct, rename="camel"):
    """AddressBookDescriptor and CalendarDescriptor."""

    name: str
    owner: str
    domain_uid: str
    settings: dict[str, str] = {}


class _Changed(msgspec.Struct, rename="camel"):
    """ContainerModifiableDescriptor."""

    name: str


class _Subscription(msgspec.Struct, rename="camel"):
    """One subscription to be made."""

    container_uid: str
    offline_sync: bool = True


def add_routes(router: Router) -> None:
    """Management of containers."""
    router.add("POST", f"{_BASE}/_listLight", _list_light)
    router.add("POST", f"{_BASE}/_list", _list)
    router.add("POST", f"{_BASE}/_mget", _mget)
    router.add("GET", f"{_BASE}/{{c}}", _get)
    router.add("GET", f"{_BASE}/_light/{{c}}", _light)
    router.add("GET", f"{_BASE}/_ifPresent/{{c}}", _if_present)
    router.add("PUT", f"{_BASE}/{{c}}", _create)
    router.add("POST", f"{_BASE}/{{c}}", _rename)
    router.add("DELETE", f"{_BASE}/{{c}}", _delete)
    router.add("GET", f"{_BASE}/{{c}}/_descriptor", _get)
    router.add("GET", f"{_BASE}/{{c}}/_itemCount", _item_count)
    router.add("GET", f"{_BASE}/{{c}}/_list", _items)
    router.add("POST", f"{_BASE}/{{c}}/_mget", _items_by_uid)
    router.add("GET", f"{_BASE}/{{c}}/_acl", lambda call: readable(call, call["c"]).acls)
    router.add("PUT", f"{_BASE}/{{c}}/_acl", _set_acl)
    router.add("GET", f"{_BASE}/{{c}}/_settings", lambda call: readable(call, call["c"]).settings)
    router.add("PUT", f"{_BASE}/{{c}}/_settings", _set_settings)
    for base, kind in (("/api/mgmt/addressbooks", "addressbook"), ("/api/mgmt/calendars", "calendar")):
        router.add("PUT", base + "/{c}", _maker(kind))
        router.add("DELETE", base + "/{c}", _delete)
    for base, kind in (("/api/todolists", "todolist"), ("/api/notes", "notes")):
        router.add("PUT", base + "/{c}", _maker(kind))
        router.add("DELETE", base + "/{c}", _delete)
    router.add("POST", "/api/users/{domain}/subscriptions/{subject}/_subscribe", _subscribe)
    router.add("POST", "/api/users/{domain}/subscriptions/{subject}/_unsubscribe", _unsubscribe)


def _seen(call: Call) -> list[Container]:
    query = call.json(_Query)
    found = call.services.store.containers(owner=query.owner or call.caller.uid, type=query.type)
    if not call.caller.admin and query.owner not in (None, call.caller.uid):
        return []
    return [container for container in found if container.type != "dir"]


def _list_light(call: Call) -> list[BaseDescriptor]:
    return [base_descriptor(container) for container in _seen(call)]


def _list(call: Call) -> list[Descriptor]:
    return [descriptor(container) for container in _seen(call)]


def _mget(call: Call) -> list[Descriptor]:
    found = (call.services.store.container(uid) for uid in call.json(list[str]))
    present = [container for container in found if container is not None]
    for container in present:
        check_access(call, container)
    return [descriptor(container) for container in present]


def _get(call: Call) -> Descriptor:
    return descriptor(readable(call, call["c"]))


def _light(call: Call) -> BaseDescriptor:
    return base_descriptor(readable(call, call["c"]))


def _if_present(call: Call) -> Descriptor | None:
    try:
        return _get(call)
    except NotFound:
        return None


def _create(call: Call) -> BaseDescriptor:
    new = call.json(_New)
    container = Container(
        uid=call["c"],
        type=new.type,
        owner=new.owner,
        domain=new.domain_uid or call.caller.domain,
        name=new.name or call["c"],
        default=new.default_container,
    )
    check_access(call, container, write=True)
    return base_descriptor(call.services.containers.create(container))


def _maker(kind: str) -> Callable[[Call], Void]:
    """A call that makes a container of one kind for its owner, who is subscribed to it."""

    def make(call: Call) -> Void:
        new = call.json(_Book) if b'"domainUid"' in call.body else None
        if new is None:
            plain = call.json(_New)
            new = _Book(plain.name, plain.owner, call.caller.domain)
        container = Container(
            uid=call["c"],
            type=kind,
            owner=new.owner,
            domain=new.domain_uid,
            name=new.name,
            settings=new.settings,
        )
        check_access(call, container, write=True)
        services = call.services
        with services.context.write():
            made = services.containers.create(container)
            services.containers.set_acl(made.uid, [Ace(new.owner, "All")])
            services.containers.subscribe(new.owner, made)
        return VOID

    return make


def _rename(call: Call) -> Void:
    writable(call, call["c"])
    call.services.containers.rename(call["c"], call.json(_Changed).name)
    return VOID


def _delete(call: Call) -> Void:
    writable(call, call["c"])
    call.services.containers.delete(call["c"])
    return VOID


def _item_count(call: Call) -> Total:
    return Total(total=call.services.store.item_count(readable(call, call["c"]).uid))


def _items(call: Call) -> list[ItemDescriptor]:
    container = readable(call, call["c"])
    return [item_descriptor(item) for item in call.services.store.descriptors(container.uid)]


def _items_by_uid(call: Call) -> list[ItemDescriptor]:
    container = readable(call, call["c"])
    return [
        item_descriptor(item)
        for item in call.services.store.items_by_uid(container.uid, call.json(list[str]))
    ]


def _set_acl(call: Call) -> Void:
    writable(call, call["c"])
    call.services.containers.set_acl(call["c"], call.json(list[Ace]))
    return VOID


def _set_settings(call: Call) -> Void:
    writable(call, call["c"])
    call.services.containers.set_settings(call["c"], call.json(dict[str, str]))
    return VOID


def _subscribe(call: Call) -> Void:
    _own(call)
    for wanted in call.json(list[_Subscription]):
        container = readable(call, wanted.container_uid)
        call.services.containers.subscribe(call["subject"], container, offline=wanted.offline_sync)
    return VOID


def _unsubscribe(call: Call) -> Void:
    _own(call)
    for uid in call.json(list[str]):
        call.services.containers.unsubscribe(call["subject"], call.services.items.container(uid))
    return VOID


def _own(call: Call) -> None:
    if call["subject"] != call.caller.uid:
        call.need_admin()
