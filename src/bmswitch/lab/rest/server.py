"""The HTTP server: aiohttp's lowest level, one router, BlueMind's way of answering errors (clone-and-api.md 4.1)."""

import asyncio
import inspect
import logging
import sqlite3
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from bmswitch.lab.rest import containers, contents, directory, machines, mail, platform, sides
from bmswitch.lab.rest.eventbus import PATH as EVENTBUS
from bmswitch.lab.rest.eventbus import SIDE_HEADER, Asked, EventBus
from bmswitch.lab.rest.polls import PATH as POLLS
from bmswitch.lab.rest.polls import Polls
from bmswitch.lab.rest.router import VOID, Call, Json, Router
from bmswitch.lab.services.core_services import Services
from bmswitch.lab.services.errors import Fault

KEY_HEADER: Final = "X-BM-ApiKey"
MAX_BODY: Final = 10_000_000
_STOP_SECONDS: Final = 2.0

log = logging.getLogger("bmswitch.lab.rest")

_encode = msgspec.json.encode


class _Error(msgspec.Struct, rename="camel", omit_defaults=True):
    error_code: str | None = None
    error_type: str | None = None
    message: str | None = None


class _UnknownRoute(msgspec.Struct, rename="camel"):
    code: str
    message: str
    stack_trace: list[str]


def make_router() -> Router:
    """All routes of the stand-in."""
    router = Router()
    for part in (platform, containers, contents, directory, sides, mail, machines):
        part.add_routes(router)
    return router


class RestServer:
    """The REST API of one core on (address, http_port)."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._router = make_router()
        self._runner: web.ServerRunner | None = None
        self.events = EventBus(services.site.name, self._asked)
        self.polls = Polls(services.site.name, services.mail, services.state)
        self.port = 0

    async def start(self) -> None:
        """Listen. Port 0 takes a free one, then `port` tells which."""
        self.polls.start()
        site = self._services.site
        server = web.Server(self._handle, request_factory=_request, keepalive_timeout=75, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_STOP_SECONDS)
        await self._runner.setup()
        listener = web.TCPSite(self._runner, site.address, site.http_port, backlog=4096, reuse_address=True)
        await listener.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """End kept sessions politely, finish what runs, at most 2 s, and close."""
        self.polls.stop()
        await self.events.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(EVENTBUS):
            return await self.events.serve(request)
        if path == POLLS:
            return await self.polls.serve(request)
        key = request.headers.get(KEY_HEADER) or request.rel_url.query.get("apikey") or ""
        body = await request.read() if request.can_read_body else b""
        answer = await self._call(request.method, path, request.rel_url.raw_query_string, key, body)
        answer.headers[SIDE_HEADER] = self._services.site.name
        return answer

    async def _asked(self, asked: Asked) -> tuple[int, bytes]:
        """A call that came over the event bus: the same routes, rights and fence."""
        path, _, query = asked.path.partition("?")
        answer = await self._call(asked.method, path, query, asked.key, bytes(asked.body))
        body = answer.body if isinstance(answer.body, bytes) else b""
        return answer.status, body if answer.content_type == "application/json" else b""

    async def _call(self, method: str, path: str, query: str, key: str, body: bytes) -> web.Response:
        try:
            return await self._answer(method, path, query, key, body)
        except Fault as fault:
            return _fault(fault)
        except (KeyError, sqlite3.Error, ValueError) as error:
            log.exception("%s %s", method, path)
            return _json(_encode(_Error("UNKNOWN", type(error).__name__, "internal error")), 500)

    async def _answer(self, method: str, path: str, query: str, key: str, body: bytes) -> web.Response:
        found = self._router.find(method, path)
        if found is None:
            message = f"no route for {method} {path}"
            return _json(_encode(_UnknownRoute("UNKNOWN", message, [])), 500)
        handler, params = found
        caller = self._services.accounts.caller(key)
        call = Call(self._services, params=params, query=query, body=body, caller=caller, key=key)
        answer = handler(call)
        if inspect.isawaitable(answer):
            answer = await answer
        return _success(answer)


def _success(answer: object) -> web.Response:
    if answer is VOID:
        return web.Response(status=200)
    if answer is None:
        return web.Response(status=204)
    if isinstance(answer, Json):
        return _json(answer.data, 200)
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type="message/rfc822")
    return _json(_encode(answer), 200)


def _fault(fault: Fault) -> web.Response:
    return _json(_encode(_Error(fault.code, "ServerFault", fault.message)), fault.status)


def _json(data: bytes, status: int) -> web.Response:
    return web.Response(body=data, status=status, content_type="application/json")


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """A request with BlueMind's limit of body size."""
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=MAX_BODY
    )
