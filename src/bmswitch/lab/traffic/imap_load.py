r"""IMAP clients: APPEND to `Sent`, STORE of flags, FETCH of a whole mail; kept sessions and complete new ones."""

import asyncio
import re

from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.imap_client import ImapClient, Reply, open_imap
from bmswitch.lab.traffic.mail_load import MailLoad
from bmswitch.lab.traffic.people import Mail, Person
from bmswitch.lab.traffic.shapes import mail_content
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError

FOLDER = "Sent"
_KEPT_SESSIONS = 6
_KEPT = 0.6
_APPENDUID = re.compile(rb"\[APPENDUID \d+ (\d+)\]")
_FLAGS = ("\\Answered", "\\Flagged", "\\Seen")


class _Kept:
    """The kept session of one person; `lock` is held while a command runs on it."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.lock = asyncio.Lock()
        self.client: ImapClient | None = None


class ImapLoad(MailLoad):
    """Runs one command per call of `one`; never raises for what the other side does."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "imap")
        self._kept = [_Kept(person) for person in context.people[:_KEPT_SESSIONS]]

    async def one(self, scheduled: float) -> None:
        """Any command of the mix, on a free kept session or in a session of its own."""
        self.context.stats.sent("imap")
        chance = self.context.chance
        free = [kept for kept in self._kept if not kept.lock.locked()]
        if free and chance.random() < _KEPT:
            kept = chance.choice(free)
            async with kept.lock:
                await self._command(kept.person, kept, scheduled)
        else:
            await self._command(self.context.person(), None, scheduled)

    async def close(self) -> None:
        """Log out of the kept sessions."""
        await asyncio.gather(*(kept.client.logout() for kept in self._kept if kept.client is not None))

    async def _command(self, person: Person, kept: _Kept | None, scheduled: float) -> None:
        draw = self.context.chance.random()
        mail = person.pick_mail(self.context.chance)
        if mail is None or draw < 0.4:
            await self._append(person, kept, scheduled)
        elif draw < 0.7:
            await self._store(person, mail, kept, scheduled)
        else:
            await self._fetch(person, mail, kept, scheduled)

    async def _append(self, person: Person, kept: _Kept | None, scheduled: float) -> None:
        load_id = self.context.new_id()
        content = mail_content(
            load_id, person.address, person.address, self.context.chance.randrange(500, 6000)
        )
        write = Write(load_id, "imap", "append", person.mail_name(FOLDER, load_id), "once", scheduled)
        found: list[int] = []

        async def attempt() -> str:
            client, reply = await self._run(person, kept, b"APPEND " + FOLDER.encode(), content)
            number = _APPENDUID.search(reply.text)
            if number:
                found.append(int(number[1]))
            return client.side

        outcome = await self.perform(attempt, scheduled, write=write, idempotent=False)
        if outcome == "acknowledged" and found:
            person.mails.append(Mail(load_id, found[-1]))

    async def _store(self, person: Person, mail: Mail, kept: _Kept | None, scheduled: float) -> None:
        flags = " ".join(flag for flag in _FLAGS if self.context.chance.random() < 0.5)
        expected = f"flags:{flags}"
        write_id = self.context.new_id()
        write = Write(write_id, "imap", "store", person.mail_name(FOLDER, mail.load_id), expected, scheduled)
        text = b"UID STORE %d FLAGS (%b)" % (mail.imap_uid, flags.encode())

        async def attempt() -> str:
            client, reply = await self._run(person, kept, text)
            if not any(b"FETCH" in line for line in reply.untagged):
                raise CommandRefusedError("STORE: the mail is not there")
            return client.side

        mail.busy = True
        outcome = await self.perform(attempt, scheduled, write=write, idempotent=True)
        mail.busy = False
        if outcome == "unknown":
            person.mails = [other for other in person.mails if other is not mail]

    async def _fetch(self, person: Person, mail: Mail, kept: _Kept | None, scheduled: float) -> None:
        async def attempt() -> str:
            text = b"UID FETCH %d (UID FLAGS BODY.PEEK[])" % mail.imap_uid
            client, reply = await self._run(person, kept, text)
            if not any(mail.load_id.encode() in line for line in reply.untagged):
                raise CommandRefusedError("FETCH: the mail is not there")
            return client.side

        await self.perform(attempt, scheduled, write=None, idempotent=True)

    async def _run(
        self, person: Person, kept: _Kept | None, text: bytes, literal: bytes | None = None
    ) -> tuple[ImapClient, Reply]:
        """One command on the kept session, opened again when it has ended, or in a session of its own."""
        if kept is None:
            client = await self._open(person)
            try:
                reply = await client.command(text, literal)
                await client.logout()
            finally:
                client.wire.close()
            return client, reply
        if kept.client is not None and kept.client.ended:
            self.count_end(polite=kept.client.polite_end)
            kept.client.wire.close()
            kept.client = None
        if kept.client is None:
            kept.client = await self._open(person)
        try:
            return kept.client, await kept.client.command(text, literal)
        except EndedError:
            kept.client.wire.close()
            kept.client = None
            raise

    async def _open(self, person: Person) -> ImapClient:
        config = self.context.config
        client = await open_imap(config.imap, person.address, person.password, FOLDER, config.hold)
        if person.uid_validity and person.uid_validity != client.uid_validity:
            self.context.stats.failed("imap", "UIDVALIDITY changed: every client reads the folder again")
            person.mails = []
        person.uid_validity = client.uid_validity
        return client
