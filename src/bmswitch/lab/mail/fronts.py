"""Starts, counts, politely ends and stops the mail sessions of one stand-in installation.

Kept sessions are what a proxy's hold can not move: they must be ended at the mail server of the old colour, after the
hold and before the drain, so that their clients reconnect into the hold (proxy-cutover.md 8).
"""

# mypy: allow-untyped-calls
# Twisted has no annotations here: calls into it can not be checked.

import asyncio
import contextlib

import msgspec
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.tcp import Port

from bmswitch.lab.mail.imap import ImapFactory
from bmswitch.lab.mail.smtp import SmtpFactory
from bmswitch.lab.services.mail import MailService
from bmswitch.lab.site import StandIn

_STOP_SECONDS = 2.0


class Sessions(msgspec.Struct, frozen=True):
    """Open sessions: all of IMAP, those of them in IDLE, and SMTP."""

    imap: int
    idle: int
    smtp: int


class Fronts:
    """The two listeners and their sessions. All methods belong to the event loop's thread."""

    def __init__(self, imap: ImapFactory, smtp: SmtpFactory, port: Port, server: asyncio.Server) -> None:
        self._imap = imap
        self._smtp = smtp
        self._port = port
        self._server = server

    @property
    def imap_port(self) -> int:
        """The TCP port that was bound."""
        return int(self._port.getHost().port)

    @property
    def smtp_port(self) -> int:
        """The TCP port that was bound."""
        return int(self._server.sockets[0].getsockname()[1])

    def kick(self) -> None:
        """End every session politely and return at once; one that does not finish what it does is ended after 5 s."""
        self.kick_imap()
        self.kick_smtp()

    def kick_imap(self, at_most: int | None = None) -> None:
        """End IMAP sessions: the running command is finished, then `* BYE` and close; IDLE gets its `* BYE` now."""
        for session in [one for one in self._imap.sessions if not one.leaving][:at_most]:
            session.kick()

    def kick_smtp(self, at_most: int | None = None) -> None:
        """End SMTP sessions: 421 and close, between transactions."""
        for session in [one for one in self._smtp.sessions if not one.leaving][:at_most]:
            session.kick()

    def sessions(self) -> Sessions:
        """How many sessions are open now."""
        return Sessions(
            imap=len(self._imap.sessions),
            idle=sum(session.idling for session in self._imap.sessions),
            smtp=len(self._smtp.sessions),
        )

    async def stop(self) -> None:
        """Stop listening, end what is open, politely where it can be; bounded by 2 s."""
        self._server.close()
        await maybeDeferred(self._port.stopListening).asFuture(asyncio.get_running_loop())
        self.kick()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.gather(self._imap.sessions.wait_empty(), self._smtp.sessions.wait_empty())
        for imap in self._imap.sessions:
            imap.abort()
        for smtp in self._smtp.sessions:
            smtp.abort()


async def start_fronts(site: StandIn, mail: MailService) -> Fronts:
    """Listen on `site.address` for IMAP and SMTP; port 0 takes any free port."""
    loop = asyncio.get_running_loop()
    reactor = AsyncioSelectorReactor(loop)
    imap = ImapFactory(mail, ident=f"{site.name} {site.version}", call_later=reactor.callLater)
    port = reactor.listenTCP(site.imap_port, imap, backlog=4096, interface=site.address)
    smtp = SmtpFactory(mail, ident=f"{site.name} {site.version}")
    server = await loop.create_server(smtp, site.address, site.smtp_port, backlog=4096)
    return Fronts(imap, smtp, port, server)
