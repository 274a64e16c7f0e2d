"""A small SMTP client that knows, when a connection ends, whether its mail may have been taken."""

import re
from base64 import b64encode

from bmswitch.lab.traffic.config import split_host
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError, Wire

_CLOSING = b"421"
_SIDE = re.compile(rb"stand-in (\S+)")


class SmtpClient:
    """One session after EHLO. Made by `open_smtp`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.side = ""

    @property
    def ended(self) -> bool:
        """Whether the server ended the session between transactions."""
        return self.wire.over or self.polite_end

    @property
    def polite_end(self) -> bool:
        """Whether it said 421."""
        return self.wire.begins_with(_CLOSING)

    async def greet(self) -> None:
        """Greeting and EHLO. Errors: NoSessionError."""
        try:
            greeting = await self._reply()
        except EndedError as error:
            raise NoSessionError(f"no greeting: {error}") from error
        if not greeting.startswith(b"220"):
            raise NoSessionError(f"greeted with {greeting[:3].decode('ascii', 'replace')}")
        side = _SIDE.search(greeting)
        self.side = side[1].decode() if side else ""
        await self._command(b"EHLO load.invalid", b"250")

    async def login(self, login: str, password: str) -> None:
        """AUTH PLAIN. Errors: CommandRefusedError, EndedError."""
        blob = b64encode(f"\0{login}\0{password}".encode())
        await self._command(b"AUTH PLAIN " + blob, b"235")

    async def send(self, sender: str, recipient: str, content: bytes) -> None:
        """One transaction. Errors: CommandRefusedError; EndedError, whose `sent` is true only after the content."""
        await self._command(b"MAIL FROM:<%b>" % sender.encode(), b"250")
        await self._command(b"RCPT TO:<%b>" % recipient.encode(), b"250")
        await self._command(b"DATA", b"354")
        body = content.replace(b"\r\n.", b"\r\n..")
        self.wire.write(body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"))
        answer = await self._reply()
        if not answer.startswith(b"250"):
            raise CommandRefusedError(_shown(answer))

    async def quit(self) -> None:
        """QUIT and close; what goes wrong here harms nobody."""
        try:
            await self._command(b"QUIT", b"221")
        except (EndedError, CommandRefusedError):
            pass
        finally:
            self.wire.close()

    async def _command(self, line: bytes, wanted: bytes) -> None:
        if self.ended:
            raise EndedError("ended between transactions", sent=False, polite=self.polite_end)
        self.wire.write(line + b"\r\n")
        try:
            answer = await self._reply()
        except EndedError as error:
            error.sent = False
            raise
        if answer.startswith(_CLOSING):
            raise EndedError("421", sent=False, polite=True)
        if not answer.startswith(wanted):
            raise CommandRefusedError(_shown(answer))

    async def _reply(self) -> bytes:
        line = await self.wire.line()
        while line[3:4] == b"-":
            line = await self.wire.line()
        return line


async def open_smtp(address: str, patience: float, credentials: tuple[str, str] | None = None) -> SmtpClient:
    """Connect, greet and log in when asked.

    Errors: NoSessionError, CommandRefusedError; EndedError when a new session was ended with 421.
    """
    wire = await Wire.connect(*split_host(address), patience)
    client = SmtpClient(wire)
    try:
        await client.greet()
        if credentials is not None:
            await client.login(*credentials)
    except EndedError as error:
        wire.close()
        if not error.polite:
            raise NoSessionError(f"new session: {error}") from error
        raise
    except BaseException:
        wire.close()
        raise
    return client


def _shown(answer: bytes) -> str:
    return answer.decode("utf-8", "replace")[:80]
