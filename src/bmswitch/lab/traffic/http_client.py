"""HTTP exchanges of one load: kept and new connections, logins, and what to do when there is no answer."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from bmswitch.lab.rest.eventbus import SIDE_HEADER
from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.people import Person
from bmswitch.lab.traffic.stats import Stats

_KEY = "X-BM-ApiKey"
_JSON = "application/json"


class NoAnswerError(Exception):
    """`refused`: no connection, nothing was sent. `cut`: a kept connection ended. `reset`: a new one did. `timeout`."""

    def __init__(self, kind: Literal["refused", "cut", "reset", "timeout"], detail: str = "") -> None:
        super().__init__(f"{kind} {detail}".strip())
        self.kind = kind


class LoginRefusedError(Exception):
    """A load user's login was answered with no."""


class _Fault(msgspec.Struct):
    errorCode: str | None = None  # noqa: N815 - BlueMind's own key


class _Login(msgspec.Struct):
    status: str = ""
    authKey: str | None = None  # noqa: N815 - BlueMind's own key


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `id` goes out as `X-Load-Id`; `read` may be repeated after a cut connection."""

    method: str
    path: str
    id: str
    body: bytes | None = None
    read: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`side` is where it was executed, as the stand-in tells; empty from a proxy."""

    status: int
    body: bytes
    side: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return self.status in (200, 204)

    @property
    def reason(self) -> str:
        """Status and BlueMind's error code."""
        return f"{self.status} {self.code}".strip()

    @property
    def code(self) -> str:
        """BlueMind's error code; empty when the answer is not from BlueMind (a proxy's own 503)."""
        try:
            return msgspec.json.decode(self.body, type=_Fault).errorCode or "(no code)"
        except msgspec.MsgspecError:
            return ""


class HttpClient:
    """Two pools: one keeps its connections, the other opens one per request."""

    def __init__(self, config: TrafficConfig, stats: Stats) -> None:
        self._base = config.http_url.rstrip("/")
        self._stats = stats
        timeout = aiohttp.ClientTimeout(total=config.hold)
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_mark_reused)
        self._kept = _session(timeout, trace, force_close=False)
        self._fresh = _session(timeout, trace, force_close=True)
        self._logins: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close both pools."""
        await self._kept.close()
        await self._fresh.close()

    async def ask(self, person: Person, call: Call, *, kept: bool) -> Answer:
        """One request as a person. Errors: NoAnswerError, LoginRefusedError.

        A read is repeated once on a new connection after a kept one was cut, as every browser does. After a 401 the
        person logs in again and the request is repeated once: sessions do not survive a switch (A8).
        """
        token = person.token
        try:
            answer = await self._send(call, token, kept=kept)
        except NoAnswerError as error:
            if not call.read or error.kind != "cut":
                raise
            self._stats.requests.retried += 1
            answer = await self._send(call, token, kept=False)
        if answer.status == 401:
            await self.login(person, instead_of=token)
            answer = await self._send(call, person.token, kept=False)
        return answer

    async def login(self, person: Person, *, instead_of: str) -> None:
        """Log a person in, once for all requests that were refused with the same token."""
        async with self._logins.setdefault(person.uid, asyncio.Lock()):
            if person.token != instead_of:
                return
            path = f"/api/auth/login?login={quote(person.address, safe='')}&origin=load"
            call = Call("POST", path, f"login-{person.uid}", msgspec.json.encode(person.password))
            answer = await self._send(call, "", kept=False)
            login = msgspec.json.decode(answer.body, type=_Login) if answer.ok else _Login(answer.reason)
            if login.status != "Ok" or not login.authKey:
                raise LoginRefusedError(f"login: {login.status or 'refused'}")
            person.token = login.authKey
            if instead_of:
                self._stats.requests.relogins += 1

    async def _send(self, call: Call, token: str, *, kept: bool) -> Answer:
        session = self._kept if kept else self._fresh
        headers = {_KEY: token, "X-Load-Id": call.id} if token else {"X-Load-Id": call.id}
        if call.body is not None:
            headers["Content-Type"] = _JSON
        seen = SimpleNamespace(reused=False)
        try:
            async with session.request(
                call.method,
                URL(self._base + call.path, encoded=True),
                data=call.body,
                headers=headers,
                trace_request_ctx=seen,
                allow_redirects=False,
            ) as response:
                return Answer(response.status, await response.read(), response.headers.get(SIDE_HEADER, ""))
        except _UnansweredError as error:
            raise NoAnswerError("cut" if seen.reused else "reset", str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise NoAnswerError("refused", type(error.os_error).__name__) from error
        except TimeoutError as error:
            raise NoAnswerError("timeout") from error
        except aiohttp.ClientError as error:
            raise NoAnswerError("reset", type(error).__name__) from error


class _UnansweredError(Exception):
    """Hides a failure from aiohttp, which would repeat PUT and DELETE by itself."""


async def _no_silent_repeats(
    request: aiohttp.ClientRequest, handler: ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _UnansweredError(type(error).__name__) from error


async def _mark_reused(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True


def _session(
    timeout: aiohttp.ClientTimeout, trace: aiohttp.TraceConfig, *, force_close: bool
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=force_close),
        timeout=timeout,
        trace_configs=[trace],
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_no_silent_repeats,),
    )
