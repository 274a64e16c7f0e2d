"""A websocket of the event bus that knows, when it ends, whether its server said so first (form: `lab/rest/eventbus.py`)."""

import asyncio
from typing import Self

import aiohttp
import msgspec
from aiohttp import WSCloseCode, WSMessageTypeError, WSMsgType

from bmswitch.lab.rest.eventbus import PATH, SIDE_HEADER, Asked, Told
from bmswitch.lab.traffic.http_client import Answer
from bmswitch.lab.traffic.wire import EndedError, NoSessionError

_POLITE = (WSCloseCode.GOING_AWAY, WSCloseCode.SERVICE_RESTART)


class SocketClient:
    """One open websocket. Made by `open`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, side: str, patience: float) -> None:
        self._socket = socket
        self._patience = patience
        self.side = side

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, base: str, patience: float) -> Self:
        """Connect. Errors: NoSessionError."""
        try:
            async with asyncio.timeout(patience):
                socket = await session.ws_connect(base.rstrip("/") + PATH, autoping=True)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoSessionError(f"websocket: {type(error).__name__}") from error
        side = socket._response.headers.get(SIDE_HEADER, "")  # noqa: SLF001 - aiohttp gives the handshake's headers nowhere else
        return cls(socket, side, patience)

    async def wait(self, seconds: float) -> None:
        """Hears nothing for a while. Errors: EndedError when it was ended; `polite` with 1001 or 1012."""
        try:
            message = await self._socket.receive(timeout=seconds)
        except TimeoutError:
            return
        if message.type is not WSMsgType.TEXT:
            raise self._ended(sent=False)

    async def call(self, asked: Asked) -> Answer:
        """One REST call over the socket. Errors: EndedError; a call after which the socket ended politely was not executed."""
        try:
            await self._socket.send_str(msgspec.json.encode(asked).decode())
            text = await self._socket.receive_str(timeout=self._patience)
        except TimeoutError as error:
            raise EndedError("no answer over the websocket", timeout=True) from error
        except (WSMessageTypeError, ConnectionError) as error:
            ended = self._ended(sent=True)
            ended.sent = not ended.polite
            raise ended from error
        told = msgspec.json.decode(text, type=Told)
        return Answer(told.status_code, bytes(told.body))

    async def close(self) -> None:
        """Close; what goes wrong here harms nobody."""
        await self._socket.close()

    def _ended(self, *, sent: bool) -> EndedError:
        code = self._socket.close_code
        return EndedError(f"websocket closed with {code}", sent=sent, polite=code in _POLITE)
