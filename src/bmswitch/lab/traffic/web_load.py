"""Websockets and long polls that stay open all the time, as browsers and phones keep them; one that ends is opened again at once.

Through the websockets events are written now and then: no proxy can hold them (proxy-cutover.md 8).
"""

import asyncio
import time

import aiohttp
import msgspec

from bmswitch.lab.rest.eventbus import SIDE_HEADER, Asked
from bmswitch.lab.rest.polls import ENDED
from bmswitch.lab.rest.polls import PATH as POLLS
from bmswitch.lab.traffic.context import Context, Write
from bmswitch.lab.traffic.http_client import Answer, HttpClient, LoginRefusedError, NoAnswerError
from bmswitch.lab.traffic.mail_load import MailLoad
from bmswitch.lab.traffic.people import Item, Person
from bmswitch.lab.traffic.shapes import item_path, value_of
from bmswitch.lab.traffic.socket_client import SocketClient
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError

_PAUSE_SECONDS = 1.0
_WRITES_AFTER = (0.5, 2.5)
_HEARTBEAT = 5.0
"""Shorter than real phones have it: a poll shows its side only with its answer."""
_ASK_AGAIN = 0.02


class _Browser:
    """One kept websocket; `socket` is None while there is none."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.socket: SocketClient | None = None
        self.ended_at: float | None = None


class WebLoad(MailLoad):
    """Keeps websockets and long polls open until its tasks are cancelled."""

    def __init__(self, context: Context, client: HttpClient) -> None:
        super().__init__(context, "http")
        self._client = client
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Close everything."""
        await self._session.close()

    async def keep_socket(self, number: int) -> None:
        """One websocket, for ever."""
        browser = _Browser(self.context.people[number % len(self.context.people)])
        try:
            await self._live(browser)
        finally:
            if browser.socket is not None:
                await browser.socket.close()

    async def _live(self, browser: _Browser) -> None:
        while True:
            try:
                socket = await self._connected(browser)
                await socket.wait(self.context.chance.uniform(*_WRITES_AFTER))
            except NoSessionError as error:
                self.context.stats.failed("http", str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            except EndedError as error:
                await self._drop(browser, polite=error.polite)
            else:
                await self.context.under_way(self._write(browser))

    async def keep_poll(self, number: int) -> None:
        """One long poll after the other, for ever."""
        person = self.context.people[number % len(self.context.people)]
        stats, side = self.context.stats, ""
        while True:
            try:
                text, answered_by = await self._poll(person)
            except CommandRefusedError as error:
                stats.failed("http", f"long poll: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            except EndedError:
                if side:
                    stats.kept_ended("longpoll", side, polite=False)
                side = ""
                await asyncio.sleep(_ASK_AGAIN)
                continue
            if not side:
                stats.kept_opened("longpoll", answered_by)
            elif side != answered_by:
                stats.kept_ended("longpoll", side, polite=True)
                stats.kept_opened("longpoll", answered_by)
            side = answered_by
            if text == ENDED:
                stats.kept_ended("longpoll", side, polite=True)
                side = ""
                await asyncio.sleep(_ASK_AGAIN)

    def count_end(self, *, polite: bool) -> None:
        """Counted where a session is dropped."""

    async def _poll(self, person: Person) -> tuple[str, str]:
        """The text of the answer and its side. Errors: CommandRefusedError, EndedError."""
        patience = aiohttp.ClientTimeout(total=_HEARTBEAT + self.context.config.hold)
        login = {"Authorization": aiohttp.encode_basic_auth(person.address, person.password)}
        url = self.context.config.http_url.rstrip("/") + POLLS
        try:
            async with self._session.post(
                url, params={"Cmd": "Ping"}, data=f"{_HEARTBEAT:g}", headers=login, timeout=patience
            ) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EndedError(type(error).__name__) from error
        if answer.status != 200:
            raise CommandRefusedError(str(answer.status))
        return text, answer.headers.get(SIDE_HEADER, "")

    async def _write(self, browser: _Browser) -> None:
        """One event in the own calendar; asked again on the next websocket when this one ended before it was executed."""
        person, scheduled = browser.person, time.monotonic()
        write_id = self.context.new_id()
        item = Item("calendars", person.container("calendars"), f"load-{write_id}", write_id, busy=True)
        write = Write(write_id, "http", "create-websocket", item.name, f"present:{write_id}", scheduled)
        body = msgspec.Raw(value_of(item.kind, item.uid, write_id))
        self.context.stats.sent("http")

        async def attempt() -> str:
            socket = await self._connected(browser)
            try:
                answer = await self._asked(person, socket, Asked(write_id, "PUT", item_path(item), body=body))
            except EndedError as error:
                await self._drop(browser, polite=error.polite)
                raise
            if not answer.ok:
                raise CommandRefusedError(f"websocket: {answer.reason}")
            return socket.side

        item.busy = False
        if await self.perform(attempt, scheduled, write=write, idempotent=False) == "acknowledged":
            self.context.stats.kept["websocket"].writes += 1
            person.items.append(item)

    async def _asked(self, person: Person, socket: SocketClient, asked: Asked) -> Answer:
        """As a person; logs in again after a 401, as sessions do not survive a switch (A8)."""
        token = person.token
        answer = await socket.call(msgspec.structs.replace(asked, key=token))
        if answer.status != 401:
            return answer
        try:
            await self._client.login(person, instead_of=token)
        except (NoAnswerError, LoginRefusedError) as error:
            raise CommandRefusedError(str(error)) from error
        return await socket.call(msgspec.structs.replace(asked, key=person.token))

    async def _connected(self, browser: _Browser) -> SocketClient:
        if browser.socket is not None:
            return browser.socket
        config, stats = self.context.config, self.context.stats
        socket = browser.socket = await SocketClient.open(self._session, config.http_url, config.hold)
        stats.kept_opened("websocket", socket.side)
        if browser.ended_at is not None:
            stats.sent("http")
            stats.answered("http", browser.ended_at)
            browser.ended_at = None
        return socket

    async def _drop(self, browser: _Browser, *, polite: bool) -> None:
        if browser.socket is None:
            return
        self.context.stats.kept_ended("websocket", browser.socket.side, polite=polite)
        socket, browser.socket = browser.socket, None
        browser.ended_at = browser.ended_at or time.monotonic()
        await socket.close()
