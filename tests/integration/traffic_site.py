"""A small installation in memory for the client load: REST, IMAP and SMTP, with faults that tests switch on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from typing import Any
from weakref import WeakSet

from aiohttp import web
from tests.integration.mail_fake import ADDRESS, FakeMail, running

from bmswitch.lab.mail.fronts import Fronts

ADMIN = "admin-token"
DOMAIN = "lab.test"


class TinySite:
    """Items by container, mails in `mail`. `gate` holds HTTP requests.

    `cut_reads` and `cut_writes`: so many requests on kept connections are executed and then cut before the answer.
    `refused` and `served` count answers.
    """

    def __init__(self) -> None:
        self.mail = FakeMail({}, DOMAIN)
        self.items: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.cut_reads = 0
        self.cut_writes = 0
        self.refused = 0
        self.served = 0
        self._known: WeakSet[asyncio.BaseTransport] = WeakSet()
        self.url = ""
        self.fronts: Fronts | None = None
        self._logins = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._around])
        add = app.router.add_route
        add("GET", "/api/servers/default/_complete", self.servers)
        add("PUT", "/api/users/{domain}/{uid}", self.create_user)
        add("POST", "/api/users/{domain}/{uid}/password_", self.set_password)
        add("POST", "/api/auth/login", self.login)
        add("GET", "/api/containers/_manage/{container}/_itemCount", self.count)
        add("GET", "/api/containers/_manage/{container}/_list", self.listing)
        for kind in ("calendars", "addressbooks"):
            add("POST", f"/api/{kind}/{{container}}/_mget", self.mget)
            add("PUT", f"/api/{kind}/{{container}}/{{uid}}", self.put)
            add("POST", f"/api/{kind}/{{container}}/{{uid}}", self.put)
            add("DELETE", f"/api/{kind}/{{container}}/{{uid}}", self.delete)
            add("GET", f"/api/{kind}/{{container}}/{{uid}}/complete", self.get)
        add("GET", "/internal-api/db_replicated_mailboxes_by_container/{subtree}/_allReplicas", self.replicas)
        add("GET", "/internal-api/db_mailbox_records/{folder}/_all", self.records)
        add("POST", "/internal-api/db_message_bodies/{partition}/_multiple", self.bodies)
        return app

    def drop_sessions(self) -> None:
        """What a switch does to login tokens."""
        self.sessions.clear()

    @web.middleware
    async def _around(self, request: web.Request, handler: Any) -> web.StreamResponse:
        token = request.headers.get("X-BM-ApiKey", "")
        if not request.path.startswith("/api/auth/") and token != ADMIN:
            await self.gate.wait()
            if token not in self.sessions:
                return fault(401, "AUTHENTICATION_FAIL")
            if not self.mail.writable and not _is_read(request):
                self.refused += 1
                return fault(500, "UNKNOWN")
        response: web.StreamResponse = await handler(request)
        self.served += 1
        self._maybe_cut(request)
        return response

    def _maybe_cut(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None or "X-Load-Id" not in request.headers or request.path.startswith("/api/auth/"):
            return
        kept = transport in self._known
        self._known.add(transport)
        if kept and _is_read(request) and self.cut_reads:
            self.cut_reads -= 1
            transport.close()
        elif kept and not _is_read(request) and self.cut_writes:
            self.cut_writes -= 1
            transport.close()

    async def servers(self, _request: web.Request) -> web.Response:
        return web.json_response([{"uid": "bm-master", "value": {"tags": ["mail/imap"]}}])

    async def create_user(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        if uid in self.passwords:
            return fault(500, "ALREADY_EXISTS")
        self.passwords[uid] = (await request.json())["password"]
        self.mail.add_user(uid, self.passwords[uid])
        self.items[f"calendar:Default:{uid}"] = {}
        self.items[f"book:Contacts_{uid}"] = {}
        return web.Response()

    async def set_password(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        self.passwords[uid] = (await request.json())["newPassword"]
        self.mail.add_user(uid, self.passwords[uid])
        return web.Response()

    async def login(self, request: web.Request) -> web.Response:
        uid = request.query["login"].partition("@")[0]
        if self.passwords.get(uid) != await request.json():
            return web.json_response({"status": "Bad"})
        self._logins += 1
        token = f"session-{self._logins}"
        self.sessions[token] = uid
        return web.json_response({"status": "Ok", "authKey": token})

    async def count(self, request: web.Request) -> web.Response:
        return web.json_response({"total": len(self._container(request))})

    async def listing(self, request: web.Request) -> web.Response:
        return web.json_response([{"uid": uid} for uid in self._container(request)])

    async def put(self, request: web.Request) -> web.Response:
        uid, container = request.match_info["uid"], self._container(request)
        if (request.method == "PUT") == (uid in container):
            return fault(500, "ALREADY_EXISTS") if uid in container else fault(404, "NOT_FOUND")
        container[uid] = await request.json()
        return web.Response()

    async def delete(self, request: web.Request) -> web.Response:
        self._container(request).pop(request.match_info["uid"], None)
        return web.Response()

    async def get(self, request: web.Request) -> web.Response:
        uid, container = request.match_info["uid"], self._container(request)
        if uid not in container:
            return web.Response(status=204)
        return web.json_response({"uid": uid, "value": container[uid]})

    async def mget(self, request: web.Request) -> web.Response:
        container = self._container(request)
        wanted = [uid for uid in await request.json() if uid in container]
        return web.json_response([{"uid": uid, "value": container[uid]} for uid in wanted])

    async def replicas(self, request: web.Request) -> web.Response:
        user = request.match_info["subtree"].partition("!user.")[2]
        folders = self.mail.folders(user)
        value = {"dataLocation": "bm-master", "deleted": False}
        return web.json_response(
            [{"uid": f.uid, "value": {**value, "fullName": f.full_name}} for f in folders]
        )

    async def records(self, request: web.Request) -> web.Response:
        found = self.mail.messages(request.match_info["folder"])
        values = [{"messageBody": m.guid, "flags": list(m.flags), "internalFlags": []} for m in found]
        return web.json_response([{"uid": "x", "value": value} for value in values])

    async def bodies(self, request: web.Request) -> web.Response:
        assert request.match_info["partition"] == "bm-master__lab_test"
        answer = []
        for guid in await request.json():
            mail = message_from_bytes(await self.mail.fetch_raw(guid))
            answer.append({"guid": guid, "messageId": mail["Message-ID"]})
        return web.json_response(answer)

    def _container(self, request: web.Request) -> dict[str, Any]:
        return self.items[request.match_info["container"]]


def _is_read(request: web.Request) -> bool:
    return request.method == "GET" or request.path.endswith("_mget")


def fault(status: int, code: str) -> web.Response:
    """BlueMind's error body."""
    body = {"errorCode": code, "errorType": "ServerFault", "message": "no"}
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


@asynccontextmanager
async def tiny_site() -> AsyncIterator[TinySite]:
    """The site, listening."""
    site = TinySite()
    async with running(site.mail) as fronts:
        site.fronts = fronts
        runner = web.AppRunner(site.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        server = web.TCPSite(runner, ADDRESS, 0)
        await server.start()
        site.url = f"http://{ADDRESS}:{runner.addresses[0][1]}"
        try:
            yield site
        finally:
            await runner.cleanup()
