"""One TCP connection of a mail client, line by line.

A client library hides what decides between "repeat it" and "never repeat it": whether the server had asked for a
mail's bytes when the connection ended. So the load speaks IMAP and SMTP itself, over this.
"""

import asyncio
from typing import cast

_LIMIT = 1 << 24


class NoSessionError(ConnectionError):
    """No connection, or no greeting: a new client was turned away."""


class CommandRefusedError(Exception):
    """The server answered no: IMAP NO or BAD, SMTP 4xx or 5xx. It did nothing."""


class EndedError(ConnectionError):
    """No answer came. Whoever knows better than the wire sets the attributes.

    `sent`: the server may have executed the command. `polite`: it said `* BYE` or 421 first. `timeout`: it said
    nothing for as long as a client waits.
    """

    def __init__(
        self, reason: str, *, sent: bool = True, polite: bool = False, timeout: bool = False
    ) -> None:
        super().__init__(reason)
        self.sent = sent
        self.polite = polite
        self.timeout = timeout


class Wire(asyncio.Protocol):
    """Bytes in and out, with a deadline for each line. `patience` is in seconds."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._buffer = bytearray()
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, host: str, port: int, patience: float) -> "Wire":
        """Connect; errors: NoSessionError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                _, wire = await loop.create_connection(lambda: cls(patience), host, port)
        except TimeoutError as error:
            raise NoSessionError("timeout while connecting") from error
        except OSError as error:
            raise NoSessionError(type(error).__name__) from error
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer += data
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """Called by the loop."""
        self._over = True
        self._wake()

    @property
    def over(self) -> bool:
        """Whether the server closed; what it said before may still be in the buffer."""
        return self._over

    def begins_with(self, prefix: bytes) -> bool:
        """Whether an unread line begins so: `* BYE` or `421` that nobody asked for."""
        return self._buffer.startswith(prefix) or b"\n" + prefix in self._buffer

    def write(self, data: bytes) -> None:
        """Send; a closed connection is seen at the next read."""
        if self._transport is not None and not self._over:
            self._transport.write(data)

    async def line(self) -> bytes:
        """The next line without its end. Errors: EndedError; whether the command was sent is the caller's to say."""
        while (end := self._buffer.find(b"\n")) < 0:
            await self._more()
        taken = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return taken.rstrip(b"\r")

    async def exactly(self, count: int) -> bytes:
        """Exactly `count` bytes (a literal)."""
        while len(self._buffer) < count:
            await self._more()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def close(self) -> None:
        """Close; nothing more is read."""
        if self._transport is not None:
            self._transport.abort() if self._over else self._transport.close()

    async def _more(self) -> None:
        if self._over:
            raise EndedError("closed by the server")
        if len(self._buffer) > _LIMIT:
            raise EndedError("answer too long")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.patience):
                await self._waiter
        except TimeoutError as error:
            raise EndedError("timeout", timeout=True) from error
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
