"""Long polls of the stand-in: a request that waits until something changes, as EAS' Ping does (traffic-and-objects.md A2, A6).

As in BlueMind: Basic credentials, a heartbeat that the client names, 503 after 500 ms outside RUNNING, every pending poll
ended when core's state changes. Not as in BlueMind: no WBXML and no sync keys; the body of the request is the heartbeat in
seconds, and only the INBOX is watched. The answer is 200 with `1` (heartbeat over), `2` (something changed), or nothing at
all when the server ends the poll itself.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable

from aiohttp import web

from bmswitch.lab.mail.registry import Registry
from bmswitch.lab.rest.eventbus import SIDE_HEADER
from bmswitch.lab.services.mail import MailService
from bmswitch.lab.services.state import State, SystemState

PATH = "/Microsoft-Server-ActiveSync"
OVER, CHANGED, ENDED = "1", "2", ""

_REFUSED_AFTER = 0.5
_LONGEST = 1130.0  # `eas_max_heartbeat`


class Polls:
    """All pending polls of one core."""

    def __init__(self, side: str, mail: MailService, state: State) -> None:
        self._side = side
        self._mail = mail
        self._state = state
        self._stopping = False
        self.sessions: Registry[asyncio.Future[str]] = Registry()

    def start(self) -> None:
        """From now on a change of core's state ends what is pending."""
        loop = asyncio.get_running_loop()

        def changed(_: SystemState) -> None:
            loop.call_soon_threadsafe(self.kick)

        self._state.listen(changed)

    def stop(self) -> None:
        """Every poll ends now, new ones too: the core is about to go."""
        self._stopping = True
        self.kick()

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """One poll."""
        heartbeat = await request.text()
        user = await self._user(request.headers.get("Authorization", ""))
        if user is None:
            return self._answer("", 401)
        if self._stopping:
            return self._answer(ENDED)
        if not self._state.running:
            await asyncio.sleep(_REFUSED_AFTER)
            return self._answer("", 503)
        return self._answer(await self._wait(user, _seconds(heartbeat)))

    def kick(self, at_most: int | None = None) -> None:
        """Answers up to `at_most` pending polls with an empty 200: their clients ask again at once."""
        for answer in [one for one in self.sessions if not one.done()][:at_most]:
            _settle(answer, ENDED)

    async def _wait(self, user: str, heartbeat: float) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        inbox = [folder.uid for folder in self._mail.folders(user) if folder.full_name == "INBOX"]
        ends: list[Callable[[], None]] = [
            self._mail.subscribe(uid, lambda _: _settle(answer, CHANGED)) for uid in inbox
        ]
        self.sessions.add(answer)
        try:
            async with asyncio.timeout(heartbeat):
                return await answer
        except TimeoutError:
            return OVER
        finally:
            self.sessions.discard(answer)
            for end in ends:
                end()

    async def _user(self, authorization: str) -> str | None:
        kind, _, coded = authorization.partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            login, _, password = base64.b64decode(coded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = await self._mail.authenticate(login, password)
        return user.uid if user else None

    def _answer(self, text: str, status: int = 200) -> web.Response:
        return web.Response(status=status, text=text, headers={SIDE_HEADER: self._side})


def _settle(answer: "asyncio.Future[str]", text: str) -> None:
    if not answer.done():
        answer.set_result(text)


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 1.0), _LONGEST)
    except ValueError:
        return 1.0
