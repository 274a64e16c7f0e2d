"""The event bus of the stand-in: websockets on `/eventbus/` that stay open (traffic-and-objects.md A2).

As in BlueMind: on core's own port, the API key inside the messages, a heartbeat every 50 s, no check of core's state (A6).
The form of the messages is the lab's own: BlueMind speaks SockJS there, with sessions and fallbacks that nobody needs here.
A message `{requestId, method, path, key, body}` is a REST call; its answer is `{requestId, statusCode, body}`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from bmswitch.lab.mail.registry import Registry

PATH = "/eventbus/"
SIDE_HEADER = "X-Stand-In"
"""Which side answers, told in the handshake and with each long poll."""

_HEARTBEAT = 50.0
_GOODBYE = 2.0


class Asked(msgspec.Struct, rename="camel"):
    """One REST call inside a message."""

    request_id: str
    method: str
    path: str
    key: str = ""
    body: msgspec.Raw = msgspec.Raw(b"")


class Told(msgspec.Struct, rename="camel"):
    """Its answer; `body` is JSON."""

    request_id: str
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"null")


Ask = Callable[[Asked], Awaitable[tuple[int, bytes]]]


class EventBus:
    """All open websockets of one core. `ask` carries out one call."""

    def __init__(self, side: str, ask: Ask) -> None:
        self._side = side
        self._ask = ask
        self._stopping = False
        self.sessions: Registry[_Session] = Registry()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One websocket from handshake to its end."""
        if self._stopping:
            return web.Response(status=503)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, timeout=_GOODBYE)
        if not socket.can_prepare(request):
            return web.Response(status=400, text='Can "Upgrade" only to "WebSocket".\n')
        socket.headers[SIDE_HEADER] = self._side
        await socket.prepare(request)
        session = _Session(socket, self._ask)
        self.sessions.add(session)
        try:
            await session.run()
        finally:
            self.sessions.discard(session)
        return socket

    async def stop(self) -> None:
        """Every session ends now, and no new one begins: the core is about to go."""
        self._stopping = True
        await self.kick()

    async def kick(self, at_most: int | None = None) -> None:
        """Ends up to `at_most` sessions with close code 1012 (service restart), each after the call that runs on it."""
        leaving = [session for session in self.sessions if not session.leaving][:at_most]
        await asyncio.gather(*(session.kick() for session in leaving))


class _Session:
    def __init__(self, socket: web.WebSocketResponse, ask: Ask) -> None:
        self._socket = socket
        self._ask = ask
        self._busy = False
        self.leaving = False

    async def run(self) -> None:
        """Calls one after the other. What comes after a kick is not executed: its client may safely ask again."""
        async for message in self._socket:
            if self.leaving or message.type is not WSMsgType.TEXT:
                break
            await self._call(message.data)
        await self._close()

    async def kick(self) -> None:
        self.leaving = True
        if not self._busy:
            await self._close()

    async def _call(self, text: str) -> None:
        try:
            asked = msgspec.json.decode(text, type=Asked)
        except msgspec.MsgspecError:
            await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
            return
        self._busy = True
        try:
            status, body = await self._ask(asked)
            answer = Told(asked.request_id, status, msgspec.Raw(body or b"null"))
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(msgspec.json.encode(answer).decode())
        finally:
            self._busy = False
        if self.leaving:
            await self._close()

    async def _close(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"ended for a switch")
