"""IDLE sessions that stay open all the time, as phones do; when one ends it is opened again at once.

The time from its end until it waits again counts as one IMAP request: that is how long the phone was deaf.
"""

import asyncio
import time

from bmswitch.lab.traffic.imap_client import ImapClient, open_imap
from bmswitch.lab.traffic.mail_load import MailLoad
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError

_RENEW_SECONDS = 540.0
_PAUSE_SECONDS = 1.0


class IdleLoad(MailLoad):
    """Keeps the configured number of IDLE sessions open until its tasks are cancelled."""

    async def keep(self, number: int) -> None:
        """One session, for ever."""
        person = self.context.people[number % len(self.context.people)]
        began: float | None = None
        while True:
            try:
                client = await self._open(person)
            except (NoSessionError, CommandRefusedError, EndedError) as error:
                self.context.stats.failed("imap", f"IDLE: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if began is not None:
                self.context.stats.sent("imap")
                self.context.stats.answered("imap", began)
            await self._wait_for_its_end(client)
            began = time.monotonic()

    async def _open(self, person: Person) -> ImapClient:
        config = self.context.config
        client = await open_imap(config.imap, person.address, person.password, "INBOX", config.hold)
        client.wire.write(b"idle IDLE\r\n")
        line = await client.wire.line()
        while line.startswith(b"* ") and not line.startswith(b"* BYE"):
            line = await client.wire.line()
        if not line.startswith(b"+"):
            client.wire.close()
            raise EndedError("ended before IDLE", sent=False, polite=line.startswith(b"* BYE"))
        client.wire.patience = _RENEW_SECONDS
        return client

    async def _wait_for_its_end(self, client: ImapClient) -> None:
        polite = False
        try:
            while True:
                line = await client.wire.line()
                polite = polite or line.startswith(b"* BYE")
                if line.endswith(b" EXISTS"):
                    self.context.stats.notifications += 1
        except EndedError as error:
            if not error.timeout:
                self.count_end(polite=polite)
        finally:
            client.wire.close()
