"""Many reads at once from one installation, for the proof: aiohttp, bounded concurrency, retries of broken connections.

httpx is not used here: it collapses with many connections (measured: 310 requests/s at 64, 11,000 with aiohttp).
"""

import asyncio
import ssl
import time
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from bmswitch.bluemind.pace import Pace, Turn
from bmswitch.bluemind.transport import KEY_HEADER, ApiError, fault_of, told
from bmswitch.model.digest import Json
from bmswitch.model.errors import UnknownError, UnreachableError

CONCURRENCY = 32
_ATTEMPTS = 4
_decode = msgspec.json.Decoder().decode


class Bulk:
    """Reads of one core; use as an async context manager, on one event loop.

    `timeout` (seconds) bounds one read with its retries; `pace` gives way to the side's own clients. Reads raise `ApiError` for a fault that BlueMind answered
    (`not_found` and unknown routes are the caller's to judge), AccessError, UnreachableError otherwise.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        verify: bool | str = True,
        name: str = "blue",
        concurrency: int = CONCURRENCY,
        timeout: float = 30.0,
        pace: Pace | None = None,
    ) -> None:
        self.name = name
        self._pace = pace
        self.calls = 0
        self._url = url.rstrip("/")
        self._token = token
        self._verify = verify
        self._gate = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Makes the session; the connections are made as they are needed."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency, ssl=self._tls(), keepalive_timeout=60),
            headers={KEY_HEADER: self._token, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self._timeout),
        )

    async def close(self) -> None:
        """Frees the sockets."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str) -> Json:
        """The decoded answer; None for 204."""
        return self.decoded(path, await self.raw(path))

    async def post(self, path: str, body: object) -> Json:
        """The same for a POST that only reads (`_mget`, `_search`)."""
        return self.decoded(path, await self.raw(path, msgspec.json.encode(body)))

    async def raw(self, path: str, body: bytes | None = None) -> bytes:
        """The answer as it comes, empty for 204: of a GET, or of a POST of this JSON."""
        method, wait = "GET" if body is None else "POST", 0.02
        async with self._gate, Turn(self._pace, path.rpartition("/")[2]):
            end = time.monotonic() + self._timeout
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return await self._once(method, path, body)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    if attempt == _ATTEMPTS or time.monotonic() + wait >= end:
                        raise self._unreachable(f"{method} {path}", error) from error
                await asyncio.sleep(wait)
                wait *= 3
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, method: str, path: str, body: bytes | None) -> bytes:
        if self._session is None:
            raise RuntimeError("Bulk is used outside of its context")
        headers = {"Content-Type": "application/json"} if body is not None else None
        self.calls += 1
        # `path` is already percent-encoded: yarl must not decode %2F or touch `+`.
        url = URL(self._url + path, encoded=True)
        async with self._session.request(method, url, data=body, headers=headers) as answer:
            raw = await answer.read()
            if answer.status >= 300:
                fault = fault_of(answer.status, raw, self._token)
                if answer.status in (401, 403):
                    raise told(self.name, f"{method} {path}", fault, write=False)
                raise fault
        return raw

    def decoded(self, path: str, raw: bytes) -> Json:
        """What an answer says; UnknownError when it is no JSON."""
        if not raw:
            return None
        try:
            found: Json = _decode(raw)
        except msgspec.DecodeError as error:
            raise UnknownError(
                f"{self.name}'s answer to {path} is not understood", evidence=str(error)
            ) from error
        return found

    def _tls(self) -> ssl.SSLContext | bool:
        if not self._url.startswith("https"):
            return False
        if isinstance(self._verify, str):
            return ssl.create_default_context(cafile=self._verify)
        return bool(self._verify)

    def _unreachable(self, what: str, error: Exception) -> UnreachableError:
        return UnreachableError(
            f"{self.name}'s core at {self._url} does not answer",
            evidence=f"{what}: {type(error).__name__}",
            next_command=f"curl {self._url}/api/system/installation/state",
        )


__all__ = ["ApiError", "Bulk"]
