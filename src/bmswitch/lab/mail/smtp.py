"""SMTP of a stand-in installation: aiosmtpd, delivering through the mail service.

Answers are those of BlueMind's LMTP and sender policy (traffic-and-objects.md A4): 451 while the core is not RUNNING,
553 for an unknown recipient, 452 for everything that goes wrong during delivery, not writable included. There is no
queue, so one transaction has one recipient: further ones get 452 and the sender repeats them.
"""

import asyncio
import logging
from base64 import b64decode

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from bmswitch.lab.mail.registry import Registry
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.mail import MailService

_KICK_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


class SmtpFactory:
    """Makes one session per connection (called by the event loop) and knows all that are open."""

    def __init__(self, mail: MailService, *, ident: str) -> None:
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self.sessions: Registry[SmtpSession] = Registry()
        self._mail = mail
        self._ident = ident

    def __call__(self) -> "SmtpSession":
        """One session."""
        return SmtpSession(self._mail, ident=f"stand-in {self._ident}", sessions=self.sessions)


class SmtpSession(SMTP):
    """One connection. `kick` ends it politely, `abort` at once."""

    def __init__(self, mail: MailService, *, ident: str, sessions: "Registry[SmtpSession]") -> None:
        super().__init__(
            _Handler(mail),
            hostname="bluemind.lab",
            ident=ident,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            auth_exclude_mechanism={"LOGIN"},
            loop=asyncio.get_running_loop(),
        )
        self._sessions = sessions
        self._kicked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the session."""
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the session."""
        self._sessions.discard(self)
        super().connection_lost(error)

    @property
    def leaving(self) -> bool:
        """Whether it was told to end."""
        return (
            self._kicked
            or not isinstance(self.transport, asyncio.WriteTransport)
            or self.transport.is_closing()
        )

    def kick(self) -> None:
        """421 and close: now between transactions, else after the running one (at most 5 s)."""
        if self.envelope is None or self.envelope.mail_from is None:
            self._end()
        elif not self._kicked:
            self._kicked = True
            self.loop.call_later(_KICK_SECONDS, self._end)

    def abort(self) -> None:
        """Cut the connection."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd finds commands by their names
        """DATA, then the end of a kicked session."""
        await super().smtp_DATA(arg)
        if self._kicked:
            self._end()

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802 - the same
        """RSET, then the end of a kicked session."""
        await super().smtp_RSET(arg)
        if self._kicked:
            self._end()

    def _end(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport) and not self.transport.is_closing():
            self.transport.write(b"421 4.3.2 Service shutting down\r\n")
            self.transport.close()


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, mail: MailService) -> None:
        self._mail = mail

    async def auth_PLAIN(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - found by its name
        """AUTH PLAIN, checked by the mail service."""
        blob = await server.challenge_auth("") if len(args) == 1 else _decoded(args[1])
        parts = blob.split(b"\0") if isinstance(blob, bytes) else []
        if len(parts) != 3:
            return AuthResult(success=False, message="501 5.5.2 Malformed credentials")
        user = await self._mail.authenticate(
            parts[1].decode("utf-8", "replace"), parts[2].decode("utf-8", "replace")
        )
        return AuthResult(success=user is not None, handled=False)

    async def handle_RCPT(  # noqa: N802 - found by its name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept one known recipient while the core is RUNNING."""
        if not self._mail.running:
            return "451 4.3.0 Service unavailable"
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient per transaction"
        if not self._mail.knows(address):
            return "553 5.1.1 Unknown recipient"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        """Deliver; answered when body and rows are durable."""
        content = envelope.original_content or b""
        try:
            imap_uid = await self._mail.deliver(envelope.rcpt_tos[0], content)
        except NotFound:
            return "553 5.1.1 Unknown recipient"
        except Exception as error:  # noqa: BLE001 - "any exception = temporary 452" is the documented behaviour
            _LOG.warning("delivery refused: %s", error)
            return "452 4.3.1 Delivery failed, try again later"
        return f"250 2.0.0 Delivered as {imap_uid}"


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
