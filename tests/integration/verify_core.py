"""A core of a few hundred lines for tests of the proof: an installation held in dictionaries, served over HTTP.

It knows nothing of BlueMind's rules: it answers what it holds, so that a test can break one thing at a time.
"""

import asyncio
import copy
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote

import msgspec
from aiohttp import web

TOKEN = "8f7d6c5b-secret-token-of-the-fake"
Json = Any


def item(uid: str, number: int, value: Json, version: int = 1) -> dict[str, Json]:
    """An ItemValue."""
    return {
        "uid": uid,
        "internalId": number,
        "version": version,
        "displayName": uid,
        "externalId": None,
        "createdBy": "system",
        "updatedBy": "system",
        "created": 1000,
        "updated": 2000,
        "flags": [],
        "value": value,
    }


@dataclass
class Installation:
    """Everything the fake answers with. `side` maps a path to its answer; `faults` a path to (status, body)."""

    state: str = "CORE_STATE_RUNNING"
    version: str = "5.0.1"
    domains: list[str] = field(default_factory=lambda: ["lab.test"])
    entries: dict[str, dict[str, Json]] = field(default_factory=dict)
    complete: dict[str, dict[str, Json]] = field(default_factory=dict)
    containers: dict[str, dict[str, Json]] = field(default_factory=dict)
    acls: dict[str, list[Json]] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    items: dict[str, dict[str, dict[str, Json]]] = field(default_factory=dict)
    side: dict[str, Json] = field(default_factory=dict)
    faults: dict[str, tuple[int, Json]] = field(default_factory=dict)
    extra_count: dict[str, int] = field(default_factory=dict)

    def clone(self) -> "Installation":
        """An equal one."""
        return copy.deepcopy(self)


Hook = Callable[[str, str, Json], None]


class FakeCore:
    """Serves one installation on a port of 127.0.0.1; `hook(method, path, body)` is called before each answer."""

    def __init__(self, held: Installation) -> None:
        self.held = held
        self.hook: Hook = lambda *_: None
        self.calls: list[str] = []
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.raw_path.split("?")[0]
        raw = await request.read()
        body = msgspec.json.decode(raw) if raw else None
        self.calls.append(f"{request.method} {path}")
        self.hook(request.method, path, body)
        if path in self.held.faults:
            status, fault = self.held.faults[path]
            return _json(fault, status)
        key = request.headers.get("X-BM-ApiKey")
        if path != "/api/system/installation/state" and key != TOKEN:
            said = {"errorCode": "AUTHENTICATION_FAIL", "errorType": "ServerFault", "message": f"bad {key}"}
            return _json(said, 401)
        for pattern, answer in _ROUTES:
            match = pattern.fullmatch(f"{request.method} {path}")
            if match:
                found = answer(self.held, body, *(unquote(part) for part in match.groups()))
                return found if isinstance(found, web.Response) else _json(found)
        if path in self.held.side:
            return _json(self.held.side[path])
        return _json({"code": "UNKNOWN", "message": "no route", "stackTrace": []}, 500)


def _json(value: Json, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _missing() -> web.Response:
    return _json({"errorCode": "NOT_FOUND", "errorType": "ServerFault", "message": "not there"}, 404)


def _search(held: Installation, body: Json, domain: str) -> Json:
    assert body == {"hiddenFilter": False, "systemFilter": False, "stateFilter": "All", "size": -1}
    values = list(held.entries[domain].values())
    return {"total": len(values), "values": values}


def _descriptors(held: Installation, container: str) -> Json:
    if container not in held.items:
        return _missing()
    return [{k: v for k, v in one.items() if k != "value"} for one in held.items[container].values()]


def _count(held: Installation, _: Json, container: str) -> Json:
    if container not in held.items:
        return _missing()
    return {"total": len(held.items[container]) + held.extra_count.get(container, 0)}


def _mget(held: Installation, body: Json, container: str) -> Json:
    if container not in held.items:
        return _missing()
    return [held.items[container][uid] for uid in body if uid in held.items[container]]


def _all(prefix: str) -> Callable[..., Json]:
    def answer(held: Installation, _: Json, *names: str) -> Json:
        container = prefix + names[-1]
        return list(held.items[container].values()) if container in held.items else _missing()

    return answer


def _by_id(held: Installation, body: Json, folder: str) -> Json:
    records = held.items["mbox_records_" + folder].values()
    return [one for one in records if one["internalId"] in body]


def _page(answer: Callable[..., Json]) -> Callable[..., Json]:
    def paged(held: Installation, body: Json, *names: str) -> Json:
        found = answer(held, body, *names)
        return found if isinstance(found, web.Response) else {"total": len(found), "values": found}

    return paged


def _complete(held: Installation, _: Json, domain: str, uid: str) -> Json:
    return held.complete[domain].get(uid, _missing())


def _put_probe(held: Installation, body: Json, domain: str, uid: str) -> Json:
    if uid in held.entries[domain]:
        return _json({"errorCode": "ALREADY_EXISTS", "errorType": "ServerFault", "message": uid}, 500)
    return _post_probe(held, body, domain, uid)


def _post_probe(held: Installation, body: Json, domain: str, uid: str) -> Json:
    if held.state != "CORE_STATE_RUNNING":
        return _json({"errorType": "ServerFault", "message": "instance is not writable"}, 500)
    shown = body["contactInfos"]["identification"]["formatedName"]["value"]
    assert body["hidden"] is True
    held.entries[domain][uid] = item(uid, 1, {"entryUid": uid, "displayName": shown, "kind": "EXTERNALUSER"})
    return web.Response()


def _state(held: Installation, _: Json, wanted: str) -> Json:
    held.state = {"demote": "CORE_STATE_DEMOTED", "promote": "CORE_STATE_RUNNING"}[wanted]
    return web.Response()


_ANY = "([^/]+)"
_ROUTES: list[tuple[re.Pattern[str], Callable[..., Json]]] = [
    (re.compile(pattern.replace("*", _ANY)), answer)
    for pattern, answer in (
        ("GET /api/system/installation/state", lambda held, _: held.state),
        (
            "GET /api/system/installation/version",
            lambda held, _: {"softwareVersion": held.version, "needsUpgrade": False, "another": 1},
        ),
        (r"PUT /api/system/installation/state/_(demote|promote)", _state),
        ("GET /api/domains", lambda held, _: [item(d, 1, {}) for d in ("global.virt", *held.domains)]),
        ("POST /api/directory/*/_search", _search),
        (
            "POST /api/directory/*/_mget",
            lambda held, body, d: [held.entries[d][uid] for uid in body if uid in held.entries[d]],
        ),
        ("PUT /api/externaluser/*/*", _put_probe),
        ("POST /api/externaluser/*/*", _post_probe),
        (r"GET /api/(?:users|groups|mailshares|externaluser|directory/_ou)/*/*/complete", _complete),
        (r"GET /api/resources/*/((?!type$)[^/]+)", _complete),
        (
            "POST /api/containers/_manage/_listLight",
            lambda held, body: [c for c in held.containers.values() if c["owner"] == body["owner"]],
        ),
        ("GET /api/containers/_manage/*/_itemCount", _count),
        ("GET /api/containers/_manage/*/_descriptor", lambda held, _, c: held.containers[c]),
        ("GET /api/containers/_manage/*/_list", lambda held, _, c: _descriptors(held, c)),
        ("GET /api/containers/_manage/*/_acl", lambda held, _, c: held.acls.get(c, [])),
        ("GET /api/containers/_manage/*/_settings", lambda held, _, c: held.settings.get(c, {})),
        (
            r"POST /api/(?:addressbooks|calendars|todolist|notes|tags|calendars/view|deferredaction)/*/_mget",
            _mget,
        ),
        (r"POST /api/(?:webappdata|smime_cacerts)/*/uid/_mget", _mget),
        ("GET /api/devices/*/_list", _page(_all("device:"))),
        ("GET /api/containers/_hierarchy/[^/]+/*/_list", _all("hierarchy_")),
        ("GET /api/containers/_subscriptions/[^/]+/*/_list", _all("subscriptions_")),
        ("GET /internal-api/db_replicated_mailboxes_by_container/*/_allReplicas", _all("")),
        ("GET /internal-api/db_mailbox_records/*/_all", _all("mbox_records_")),
        ("POST /internal-api/db_mailbox_records/*/_mgetById", _by_id),
    )
]


def small_installation(users: int = 3) -> Installation:
    """Users with an address book, calendar, notes, device, web data, hierarchy, subscriptions, a folder with mails; a group."""
    held = Installation()
    domain = held.domains[0]
    held.entries[domain], held.complete[domain] = {}, {}
    numbers = iter(range(10, 1_000_000))
    for n in range(users):
        _user(held, domain, f"u{n}", numbers)
    held.entries[domain]["g1"] = item(
        "g1", next(numbers), {"entryUid": "g1", "kind": "GROUP", "displayName": "team"}
    )
    held.complete[domain]["g1"] = item("g1", 1, {"name": "team", "memberCount": 2, "emails": []})
    held.entries[domain]["r1"] = item(
        "r1", next(numbers), {"entryUid": "r1", "kind": "RESOURCE", "displayName": "room"}
    )
    held.complete[domain]["r1"] = {"label": "room", "typeIdentifier": "t1"}
    held.side[f"/api/groups/{domain}/g1/members"] = [
        {"type": "user", "uid": "u0"},
        {"type": "user", "uid": "u1"},
    ]
    held.side[f"/api/groups/{domain}/g1/roles"] = ["hasMail"]
    held.side[f"/api/domains/{domain}/_settings"] = {"lang": "fr"}
    held.side[f"/api/domains/{domain}/roles"] = []
    held.side[f"/api/domains/{domain}"] = item(domain, 3, {"name": domain, "aliases": ["a.test"]})
    held.side["/api/servers/default/_complete"] = [item("s1", 4, {"ip": "10.0.0.1", "tags": ["mail/imap"]})]
    held.side[f"/api/servers/default/{domain}/assignments"] = [{"serverUid": "s1", "tag": "mail/imap"}]
    held.side[f"/api/mailboxes/{domain}/_filter"] = {"rules": []}
    return held


def add_container(
    held: Installation, domain: str, owner: str, uid: str, kind: str
) -> dict[str, dict[str, Json]]:
    """A container with rights and settings; its items, to be filled."""
    held.containers[uid] = {
        "uid": uid,
        "name": uid,
        "owner": owner,
        "type": kind,
        "domainUid": domain,
        "defaultContainer": True,
        "readOnly": False,
        "internalId": 7,
    }
    held.acls[uid] = [{"subject": owner, "verb": "All"}]
    held.settings[uid] = {"colour": "blue"}
    return held.items.setdefault(uid, {})


def _user(held: Installation, domain: str, uid: str, numbers: Iterator[int]) -> None:
    entry = {"entryUid": uid, "kind": "USER", "displayName": f"User {uid}", "email": f"{uid}@{domain}"}
    held.entries[domain][uid] = item(uid, next(numbers), entry)
    held.complete[domain][uid] = item(uid, 1, {"login": uid, "password": None, "quota": 5, "emails": []})
    held.side[f"/api/users/{domain}/{uid}/roles"] = ["a", "b"]
    held.side[f"/api/users/{domain}/{uid}/_settings"] = {"lang": "en"}
    held.side[f"/api/mailboxes/{domain}/{uid}/_filter"] = {
        "rules": [{"id": 1, "name": "r"}],
        "forwarding": None,
    }
    held.side[f"/api/users/{domain}/{uid}/identity"] = [{"id": "default", "email": f"{uid}@{domain}"}]
    held.side[f"/api/users/{domain}/{uid}/identity/default"] = {
        "email": f"{uid}@{domain}",
        "signature": "<b>",
    }

    def fill(container: str, kind: str, values: dict[str, Json]) -> None:
        stored = add_container(held, domain, uid, container, kind)
        stored.update({name: item(name, next(numbers), value) for name, value in values.items()})

    fill(
        f"book:Contacts_{uid}",
        "addressbook",
        {"c1": {"identification": {"name": "Ann"}}, "c2": {"note": "x"}},
    )
    fill(f"calendar:Default:{uid}", "calendar", {"e1": {"main": {"summary": "s", "attendees": ["p", "q"]}}})
    fill(f"notes:default_{uid}", "notes", {"n/1": {"body": "hello"}})
    fill(f"todolist:default_{uid}", "todolist", {"t1": {"summary": "do"}})
    fill(f"tags_{uid}", "tags", {"red": {"label": "red"}})
    fill(f"device:{uid}", "device", {"d1": {"identifier": "phone", "lastSync": 5}})
    fill(f"webappdata:{uid}", "webappdata", {"w1": {"key": "k", "value": "v"}})
    fill(f"hierarchy_{uid}", "container_flat_hierarchy", {"node": {"containerUid": "x", "name": "X"}})
    fill(f"subscriptions_{uid}", "owner_subscriptions", {"sub": {"containerUid": "x", "offlineSync": True}})
    folder = {"fullName": "INBOX", "name": "INBOX", "uidValidity": 9, "lastUid": 20, "highestModSeq": 4}
    fill(f"subtree_{uid}", "replicated_mailboxes", {f"f-{uid}": folder})
    mails = {f"{n}.": _mail(uid, n) for n in range(1, 4)}
    fill(f"mbox_records_f-{uid}", "mailbox_records", mails)


def _mail(uid: str, number: int) -> Json:
    return {
        "imapUid": number,
        "flags": ["\\Seen", "$Label"],
        "internalFlags": [],
        "messageBody": f"{ord(uid[-1]):02x}{number:02x}".ljust(40, "0"),
        "modSeq": number,
        "internalDate": 77,
    }


@contextmanager
def two_cores(blue: Installation, green: Installation) -> Iterator[tuple[FakeCore, FakeCore]]:
    """Both sides, served; a write of a probe on blue is on green at once."""
    with FakeCore(blue) as first, FakeCore(green) as second:

        def mirror(method: str, path: str, body: Json) -> None:
            if path.startswith("/api/externaluser/") and method in ("PUT", "POST"):
                domain, uid = path.split("/")[3:5]
                _post_probe(second.held, body, domain, uid)

        first.hook = mirror
        yield first, second
