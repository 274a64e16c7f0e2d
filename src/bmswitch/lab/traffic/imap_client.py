"""A small IMAP client that knows, when a connection ends, whether its command may have been executed."""

import re
from dataclasses import dataclass, field

from bmswitch.lab.traffic.config import split_host
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError, Wire

_BYE = b"* BYE"
_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_SIDE = re.compile(rb"stand-in (\S+)")
_LITERAL = re.compile(rb"\{(\d+)\}$")


@dataclass(slots=True)
class Reply:
    """The text after OK, and the untagged answers with their literals."""

    text: bytes
    untagged: list[bytes] = field(default_factory=list)


class ImapClient:
    """One session, logged in, with one folder selected. Made by `open_imap`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.uid_validity = 0
        self.side = ""
        self.polite_end = False
        self._number = 0

    @property
    def ended(self) -> bool:
        """Whether the server ended the session between commands; `polite_end` says whether with BYE."""
        self.polite_end = self.polite_end or self.wire.begins_with(_BYE)
        return self.polite_end or self.wire.over

    async def greet(self) -> None:
        """Wait for the greeting. Errors: NoSessionError."""
        try:
            line = await self.wire.line()
        except EndedError as error:
            raise NoSessionError(f"no greeting: {error}") from error
        if not line.startswith(b"* OK"):
            raise NoSessionError("greeted with BYE")
        side = _SIDE.search(line)
        self.side = side[1].decode() if side else ""

    async def command(self, text: bytes, literal: bytes | None = None) -> Reply:
        """Send one command. Errors: CommandRefusedError; EndedError.

        A literal is sent only when the server asked for it: before that, an end of the connection means that nothing
        was executed.
        """
        if self.ended:
            raise EndedError("ended between commands", sent=False, polite=self.polite_end)
        self._number += 1
        tag = b"c%d" % self._number
        reply = Reply(b"")
        if literal is None:
            self.wire.write(b"%b %b\r\n" % (tag, text))
        else:
            self.wire.write(b"%b %b {%d}\r\n" % (tag, text, len(literal)))
            await self._until(tag, reply, asked=True)
            self.wire.write(literal + b"\r\n")
        reply.text = await self._until(tag, reply, asked=False)
        return reply

    async def logout(self) -> None:
        """LOGOUT and close; what goes wrong here harms nobody."""
        try:
            await self.command(b"LOGOUT")
        except (EndedError, CommandRefusedError):
            pass
        finally:
            self.wire.close()

    async def _until(self, tag: bytes, reply: Reply, *, asked: bool) -> bytes:
        """Read to the tagged answer, or to the `+` that asks for a literal."""
        try:
            while True:
                line = await self._whole_line()
                if line.startswith(_BYE):
                    self.polite_end = True
                elif line.startswith(b"+") and asked:
                    return line
                elif line.startswith(tag + b" "):
                    return _ok(line[len(tag) + 1 :])
                else:
                    reply.untagged.append(line)
        except EndedError as error:
            error.sent, error.polite = not asked, self.polite_end
            raise

    async def _whole_line(self) -> bytes:
        line = await self.wire.line()
        while literal := _LITERAL.search(line):
            line = line[: literal.start()] + await self.wire.exactly(int(literal[1])) + await self.wire.line()
        return line


async def open_imap(address: str, login: str, password: str, folder: str, patience: float) -> ImapClient:
    """Connect, log in and select a folder.

    Errors: NoSessionError, CommandRefusedError; EndedError when a new session was ended with BYE.
    """
    wire = await Wire.connect(*split_host(address), patience)
    client = ImapClient(wire)
    try:
        await client.greet()
        await client.command(b"LOGIN %b %b" % (_quoted(login), _quoted(password)))
        reply = await client.command(b"SELECT " + _quoted(folder))
    except EndedError as error:
        wire.close()
        if not error.polite:
            raise NoSessionError(f"new session: {error}") from error
        error.sent = False
        raise
    except BaseException:
        wire.close()
        raise
    validity = _UIDVALIDITY.search(b"\n".join(reply.untagged))
    client.uid_validity = int(validity[1]) if validity else 0
    return client


def _ok(answer: bytes) -> bytes:
    if answer.startswith(b"OK"):
        return answer[3:]
    raise CommandRefusedError(answer.decode("utf-8", "replace")[:80])


def _quoted(text: str) -> bytes:
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
