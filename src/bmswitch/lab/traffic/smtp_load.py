"""SMTP clients: mails from one load user to another; kept sessions and complete new ones, some of them logged in."""

import asyncio

from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.mail_load import MailLoad
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.shapes import mail_content
from bmswitch.lab.traffic.smtp_client import SmtpClient, open_smtp
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError

_KEPT_SESSIONS = 3
_KEPT = 0.6
_LOGGED_IN = 0.5


class _Kept:
    """A kept session; `lock` is held during a transaction."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.client: SmtpClient | None = None


class SmtpLoad(MailLoad):
    """Sends one mail per call of `one`; never raises for what the other side does."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "smtp")
        self._kept = [_Kept() for _ in range(_KEPT_SESSIONS)]

    async def one(self, scheduled: float) -> None:
        """One mail, in a kept session that is free or in a session of its own."""
        self.context.stats.sent("smtp")
        chance = self.context.chance
        sender, recipient = chance.sample(self.context.people, 2)
        load_id = self.context.new_id()
        content = mail_content(load_id, sender.address, recipient.address, chance.randrange(500, 6000))
        write = Write(load_id, "smtp", "deliver", recipient.mail_name("INBOX", load_id), "once", scheduled)
        free = [kept for kept in self._kept if not kept.lock.locked()]
        if free and chance.random() < _KEPT:
            kept = chance.choice(free)
            async with kept.lock:
                await self.perform(
                    lambda: self._send_kept(kept, sender, recipient, content),
                    scheduled,
                    write=write,
                    idempotent=False,
                )
        else:
            await self.perform(
                lambda: self._send_new(sender, recipient, content), scheduled, write=write, idempotent=False
            )

    async def close(self) -> None:
        """Quit the kept sessions."""
        await asyncio.gather(*(kept.client.quit() for kept in self._kept if kept.client is not None))

    async def _send_kept(self, kept: _Kept, sender: Person, recipient: Person, content: bytes) -> str:
        if kept.client is not None and kept.client.ended:
            self.count_end(polite=kept.client.polite_end)
            kept.client.wire.close()
            kept.client = None
        if kept.client is None:
            kept.client = await open_smtp(self.context.config.smtp, self.context.config.hold)
        client = kept.client
        try:
            await client.send(sender.address, recipient.address, content)
        except (EndedError, CommandRefusedError):
            client.wire.close()
            kept.client = None
            raise
        return client.side

    async def _send_new(self, sender: Person, recipient: Person, content: bytes) -> str:
        config = self.context.config
        logged_in = self.context.chance.random() < _LOGGED_IN
        client = await open_smtp(
            config.smtp, config.hold, (sender.address, sender.password) if logged_in else None
        )
        try:
            await client.send(sender.address, recipient.address, content)
            await client.quit()
        finally:
            client.wire.close()
        return client.side
