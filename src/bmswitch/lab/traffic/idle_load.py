"""IDLE sessions that stay open all the time, as phones do, and write now and then; one that ends is opened again at once.

The time from its end until it waits again counts as one IMAP request: that is how long the phone was deaf. Each write is an
APPEND on the kept session: no proxy can hold it, so only the mail server's own end and fence keep it from the old side
(proxy-cutover.md 8).
"""

import asyncio
import time

from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.imap_client import ImapClient, open_imap
from bmswitch.lab.traffic.mail_load import MailLoad
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.shapes import mail_content
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError

FOLDER = "Sent"
_PAUSE_SECONDS = 1.0
_WRITES_AFTER = (0.5, 2.5)


class _Phone:
    """One kept session; `client` is None while there is none."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.client: ImapClient | None = None
        self.idling = False
        self.ended_at: float | None = None


class IdleLoad(MailLoad):
    """Keeps the configured number of IDLE sessions open until its tasks are cancelled."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "imap")

    async def keep(self, number: int) -> None:
        """One session, for ever."""
        phone = _Phone(self.context.people[number % len(self.context.people)])
        try:
            await self._live(phone)
        finally:
            if phone.client is not None:
                phone.client.wire.close()

    async def _live(self, phone: _Phone) -> None:
        while True:
            try:
                await self._idle(phone)
                await self._listen(phone, self.context.chance.uniform(*_WRITES_AFTER))
            except (NoSessionError, CommandRefusedError) as error:
                self.context.stats.failed("imap", f"IDLE: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)
            except EndedError:
                continue
            else:
                await self.context.under_way(self._append(phone))

    def count_end(self, *, polite: bool) -> None:
        """Counted where a session is dropped."""

    async def _append(self, phone: _Phone) -> None:
        """One mail to the own `Sent`, on the kept session or on the one that takes its place."""
        scheduled = time.monotonic()
        load_id, person = self.context.new_id(), phone.person
        content = mail_content(
            load_id, person.address, person.address, self.context.chance.randrange(500, 2000)
        )
        write = Write(load_id, "imap", "append-idle", person.mail_name(FOLDER, load_id), "once", scheduled)
        self.context.stats.sent("imap")

        async def attempt() -> str:
            client = await self._awake(phone)
            try:
                await client.command(b"APPEND " + FOLDER.encode(), content)
            except EndedError as error:
                self._drop(phone, polite=error.polite)
                raise
            return client.side

        if await self.perform(attempt, scheduled, write=write, idempotent=False) == "acknowledged":
            self.context.stats.kept["idle"].writes += 1

    async def _idle(self, phone: _Phone) -> None:
        """Opens the session if there is none, and waits in IDLE. Errors: NoSessionError, CommandRefusedError, EndedError."""
        client = phone.client or await self._open(phone)
        if phone.idling:
            return
        try:
            client.wire.write(b"idle IDLE\r\n")
            await self._until(client, b"+")
        except EndedError as error:
            self._drop(phone, polite=error.polite)
            raise
        phone.idling = True
        if phone.ended_at is not None:
            self.context.stats.sent("imap")
            self.context.stats.answered("imap", phone.ended_at)
            phone.ended_at = None

    async def _listen(self, phone: _Phone, seconds: float) -> None:
        """Hears notifications for a while. Errors: EndedError when the server ended the session."""
        client = phone.client
        if client is None:
            return
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                client.wire.patience = left
                await self._until(client, None)
        except EndedError as error:
            if not error.timeout:
                self._drop(phone, polite=error.polite)
                raise
        finally:
            client.wire.patience = self.context.config.hold

    async def _awake(self, phone: _Phone) -> ImapClient:
        """The session outside IDLE. Errors: as of `open_imap`; EndedError when it ended before anything was sent."""
        client = phone.client
        if client is None:
            return await self._open(phone)
        if phone.idling:
            phone.idling = False
            try:
                client.wire.write(b"DONE\r\n")
                await self._until(client, b"idle ")
            except EndedError as error:
                self._drop(phone, polite=error.polite)
                error.sent = error.timeout = False
                raise
        return client

    async def _until(self, client: ImapClient, wanted: bytes | None) -> None:
        """Reads up to the line that begins with `wanted` (any line for None); EndedError says whether BYE came first."""
        try:
            while True:
                line = await client.wire.line()
                client.polite_end = client.polite_end or line.startswith(b"* BYE")
                if line.endswith(b" EXISTS"):
                    self.context.stats.notifications += 1
                if wanted is None or line.startswith(wanted):
                    return
        except EndedError as error:
            error.polite = client.polite_end
            raise

    async def _open(self, phone: _Phone) -> ImapClient:
        config, person = self.context.config, phone.person
        phone.client = await open_imap(config.imap, person.address, person.password, "INBOX", config.hold)
        phone.idling = False
        self.context.stats.kept_opened("idle", phone.client.side)
        return phone.client

    def _drop(self, phone: _Phone, *, polite: bool) -> None:
        if phone.client is None:
            return
        self.context.stats.kept_ended("idle", phone.client.side, polite=polite)
        phone.client.wire.close()
        phone.client, phone.idling = None, False
        phone.ended_at = phone.ended_at or time.monotonic()
