"""Items that people make: `/api/calendars`, `/api/addressbooks`, `/api/todolist`, `/api/notes`, and the smaller ones."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Router, Void
from bmswitch.lab.rest.views import (
    Ack,
    ItemValue,
    Total,
    hierarchy,
    item_value,
    list_result,
    readable,
    writable,
)
from bmswitch.lab.services.errors import Invalid, NotFound
from bmswitch.lab.services.shapes import CLASSES, PAYLOADS, Payload
from bmswitch.lab.store import Container, Item

Locate = Callable[[Call], str]
_encode = msgspec.json.encode


def add_routes(router: Router) -> None:
    """All item containers of 4.4."""
    for base, kind in (
        ("/api/calendars/{c}", "calendar"),
        ("/api/addressbooks/{c}", "addressbook"),
        ("/api/todolist/{c}", "todolist"),
        ("/api/notes/{c}", "notes"),
        ("/api/deferredaction/{c}", "deferredaction"),
    ):
        _uid_set(router, base, kind, _named, complete="/{uid}/complete")
        router.add("POST", f"{base}/_mget", _mget(_named))
        router.add("GET", f"{base}/_all", _uids(_named))
        _changes(router, base)
    _uid_set(router, "/api/tags/{c}", "tags", _named, complete="/{uid}")
    router.add("POST", "/api/tags/{c}/_mget", _mget(_named))
    router.add("GET", "/api/tags/{c}", _all_values(_named))
    router.add("GET", "/api/tags/{c}/_alluids", _uids(_named))
    _uid_set(router, "/api/calendars/view/{c}", "calendarview", _named, complete="/{uid}")
    router.add("POST", "/api/calendars/view/{c}/_mget", _mget(_named))
    router.add("GET", "/api/calendars/view/{c}/_list", _total_list(_named))
    _uid_set(router, "/api/devices/{user}", "device", _device, complete="/{uid}/complete")
    router.add("GET", "/api/devices/{user}/_list", _total_list(_device))
    _webappdata(router)
    router.add("GET", "/api/calendars/{c}/_list", _total_list(_named))
    router.add("GET", "/api/todolist/{c}", _all_values(_named))
    router.add("GET", "/api/notes/{c}", _all_values(_named))
    _owner_lists(router)


def _webappdata(router: Router) -> None:
    base = "/api/webappdata/{c}"
    router.add("PUT", base + "/uid/{uid}", _create("webappdata", _named, ack=True))
    router.add("POST", base + "/uid/{uid}", _update("webappdata", _named, ack=True))
    router.add("DELETE", base + "/uid/{uid}", _delete(_named))
    router.add("GET", base + "/uid/{uid}", _complete(_named))
    router.add("POST", base + "/uid/_mget", _mget(_named))
    router.add("GET", base + "/_alluids", _uids(_named))
    _changes(router, base)


def _owner_lists(router: Router) -> None:
    """Flat hierarchy and subscriptions, by domain and owner."""
    for base, locate in (
        ("/api/containers/_hierarchy/{domain}/{owner}", hierarchy),
        ("/api/containers/_subscriptions/{domain}/{owner}", _subscriptions),
    ):
        router.add("GET", base + "/_list", _all_values(locate))
        router.add("GET", base + "/{uid}/complete", _complete(locate))
        router.add("POST", base + "/_mget", _mget(locate))
        router.add("GET", base + "/_version", _version(locate))


def _uid_set(router: Router, base: str, kind: str, locate: Locate, *, complete: str) -> None:
    router.add("PUT", base + "/{uid}", _create(kind, locate))
    router.add("POST", base + "/{uid}", _update(kind, locate))
    router.add("DELETE", base + "/{uid}", _delete(locate))
    router.add("GET", base + complete, _complete(locate))


def _changes(router: Router, base: str) -> None:
    router.add("GET", base + "/_version", _version(_named))
    router.add("POST", base + "/_count", _count(_named))
    router.add("POST", base + "/_mgetById", _mget_by_id(_named))
    router.add("GET", base + "/{id}/completeById", _complete_by_id(_named))


def _named(call: Call) -> str:
    return call["c"]


def _device(call: Call) -> str:
    return f"device:{call['user']}"


def _subscriptions(call: Call) -> str:
    return f"owner_subscriptions_{call['owner']}_at_{call['domain']}"


def _payload(call: Call, kind: str) -> Payload:
    return call.json(PAYLOADS[kind])


def _of_kind(container: Container, kind: str) -> None:
    if container.type != kind:
        raise Invalid(f"container {container.uid} is a {container.type}, not a {kind}")


def _ack(call: Call, item: Item) -> Ack:
    return Ack(version=item.version, timestamp=call.services.context.now())


def _create(kind: str, locate: Locate, *, ack: bool = False) -> Callable[[Call], Void | Ack]:
    def create(call: Call) -> Void | Ack:
        container = writable(call, locate(call))
        _of_kind(container, kind)
        value = _payload(call, kind)
        item = call.services.items.create(
            container,
            call["uid"],
            _encode(value),
            CLASSES[kind],
            display_name=value.display_name,
            by=call.author,
        )
        return _ack(call, item) if ack else VOID

    return create


def _update(kind: str, locate: Locate, *, ack: bool = False) -> Callable[[Call], Void | Ack]:
    def update(call: Call) -> Void | Ack:
        container = writable(call, locate(call))
        _of_kind(container, kind)
        value = _payload(call, kind)
        name = value.display_name
        if kind == "webappdata":
            name = call["uid"]
        item = call.services.items.update(
            container, call["uid"], _encode(value), display_name=name, by=call.author
        )
        return _ack(call, item) if ack else VOID

    return update


def _delete(locate: Locate) -> Callable[[Call], Void]:
    def delete(call: Call) -> Void:
        call.services.items.delete(writable(call, locate(call)), call["uid"])
        return VOID

    return delete


def _complete(locate: Locate) -> Callable[[Call], ItemValue | None]:
    def complete(call: Call) -> ItemValue | None:
        container = readable(call, locate(call))
        item = call.services.store.item(container.uid, call["uid"])
        return None if item is None else item_value(item)

    return complete


def _complete_by_id(locate: Locate) -> Callable[[Call], ItemValue | None]:
    def complete(call: Call) -> ItemValue | None:
        container = readable(call, locate(call))
        if not call["id"].isdecimal():
            raise NotFound(f"no item {call['id']}")
        item = call.services.store.item_by_id(container.uid, int(call["id"]))
        return None if item is None else item_value(item)

    return complete


def _mget(locate: Locate) -> Callable[[Call], list[ItemValue]]:
    def mget(call: Call) -> list[ItemValue]:
        container = readable(call, locate(call))
        return [
            item_value(item) for item in call.services.store.items_by_uid(container.uid, call.json(list[str]))
        ]

    return mget


def _mget_by_id(locate: Locate) -> Callable[[Call], list[ItemValue]]:
    def mget(call: Call) -> list[ItemValue]:
        container = readable(call, locate(call))
        found = (call.services.store.item_by_id(container.uid, number) for number in call.json(list[int]))
        return [item_value(item) for item in found if item is not None]

    return mget


def _uids(locate: Locate) -> Callable[[Call], list[str]]:
    def uids(call: Call) -> list[str]:
        container = readable(call, locate(call))
        return [item.uid for item in call.services.store.descriptors(container.uid)]

    return uids


def _all_values(locate: Locate) -> Callable[[Call], list[ItemValue]]:
    def values(call: Call) -> list[ItemValue]:
        container = readable(call, locate(call))
        return [item_value(item) for item in call.services.store.items(container.uid)]

    return values


def _total_list(locate: Locate) -> Callable[[Call], object]:
    def values(call: Call) -> object:
        container = readable(call, locate(call))
        return list_result([item_value(item) for item in call.services.store.items(container.uid)])

    return values


def _version(locate: Locate) -> Callable[[Call], int]:
    def version(call: Call) -> int:
        return readable(call, locate(call)).version

    return version


def _count(locate: Locate) -> Callable[[Call], Total]:
    def count(call: Call) -> Total:
        return Total(total=call.services.store.item_count(readable(call, locate(call)).uid))

    return count
