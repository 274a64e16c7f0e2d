"""Where held HTTP requests wait: Envoy asks here whether a request may go on, and gets its answer when the hold ends.

Envoy's `ext_authz` sends the head of the request only (HTTP/1.1, no body) and uses one connection for each question,
so an `asyncio.Protocol` that looks for the end of the head is all that is needed: 5 to 10 times cheaper than a web
framework when some thousand requests are let go at once. Nothing of a request is looked at, kept or logged.
"""

import asyncio
import itertools
import math
from typing import Final

_END: Final = b"\r\n\r\n"
_YES: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_LARGEST_HEAD: Final = 1 << 20
_BATCH: Final = 64
_PAUSE: Final = 0.001  # seconds between two batches: the fastest pace of the release
_STEP: Final = 0.01  # seconds between two batches of a release at a pace


class WaitingRoom:
    """Answers at once while open; keeps each question waiting while closed.

    Args:
        spread: seconds over which a release lets go what waits; 0 is as fast as it can.
    """

    def __init__(self, *, spread: float = 0.0) -> None:
        self._spread = spread
        self._closed = False
        self._waiting: dict[Question, None] = {}  # in the order of their coming
        self._letting_go: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._waiting)

    def close(self) -> None:
        """From now on questions wait, those too that an earlier `open` has not let go yet."""
        self._closed = True

    def open(self) -> None:
        """Lets all go, oldest first, in batches; questions that come now are answered at once."""
        self._closed = False
        if self._letting_go is None or self._letting_go.done():
            self._letting_go = asyncio.get_running_loop().create_task(self._let_go())

    async def _let_go(self) -> None:
        loop = asyncio.get_running_loop()
        began, all_of_them, gone = loop.time(), len(self._waiting), 0
        while self._waiting and not self._closed:
            due = all_of_them * (loop.time() - began) / self._spread if self._spread else gone + _BATCH
            for question in list(itertools.islice(self._waiting, max(0, math.ceil(due) - gone))):
                del self._waiting[question]
                question.answer()
                gone += 1
            await asyncio.sleep(_STEP if self._spread else _PAUSE)

    def enter(self, question: "Question") -> None:
        """One question has come."""
        if self._closed:
            self._waiting[question] = None
        else:
            question.answer()

    def leave(self, question: "Question") -> None:
        """Its client has gone."""
        self._waiting.pop(question, None)


class Question(asyncio.Protocol):
    """One connection of Envoy's; asks one question at a time."""

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Waits for the end of the head."""
        self._head += data
        if len(self._head) > _LARGEST_HEAD and self._transport is not None:
            self._transport.abort()
        elif self._head.endswith(_END):
            self._head = b""
            self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- the signature of asyncio
        """The client has gone; its answer goes nowhere."""
        self._transport = None
        self._room.leave(self)

    def answer(self) -> None:
        """The request may go on."""
        if self._transport is not None:
            self._transport.write(_YES)
