"""HTTP to one core: key header, path encoding, bounded retries of reads, BlueMind's faults as our errors.

BlueMind answers 500 for most refusals, so `errorCode` decides and not the status (clone-and-api.md 4.1).
"""

import ssl
import time
from collections.abc import Iterator
from typing import Literal, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import tenacity

from bmswitch.bluemind.redact import redact
from bmswitch.bluemind.types import Fault
from bmswitch.model.errors import AccessError, BmswitchError, RefusedError, UnknownError, UnreachableError

Method = Literal["GET", "POST", "PUT", "DELETE"]
Answer = TypeVar("Answer")

KEY_HEADER = "X-BM-ApiKey"
_ACCESS_CODES = frozenset({"AUTHENTICATION_FAIL", "PERMISSION_DENIED", "NOT_GLOBAL_ADMIN", "FORBIDDEN"})
_ATTEMPTS = 4
_MAX_TEXT = 300


class ApiError(Exception):
    """A fault that BlueMind answered: its own code, the HTTP status and a redacted text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}")
        self.status = status
        self.code = code
        self.text = text

    @property
    def not_found(self) -> bool:
        """The item, container or task is not there."""
        return self.code == "NOT_FOUND" or (self.status == 404 and not self.code)


class AbsentError(UnknownError):
    """BlueMind says that what was asked for is not there: a task, a domain, or the whole route."""


def path(*segments: str) -> str:
    """A path of percent-encoded segments: BlueMind decodes each and takes a bare `+` for a space."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def fault_of(status: int, body: bytes, *secrets: str) -> ApiError:
    """The fault in an error answer, whatever its shape."""
    try:
        fault = msgspec.json.decode(body, type=Fault)
    except msgspec.DecodeError:
        fault = Fault(message=body[:_MAX_TEXT].decode("utf-8", "replace"))
    code = fault.error_code or fault.code or ""
    return ApiError(status, code, redact((fault.message or "")[:_MAX_TEXT], *secrets))


def told(name: str, what: str, fault: ApiError, *, write: bool) -> BmswitchError:
    """The error that an operator sees for a fault."""
    evidence = f"HTTP {fault.status} {fault.code} {fault.text}".strip()
    if fault.status in (401, 403) or fault.code in _ACCESS_CODES:
        return AccessError(
            f"{name}'s core refuses our key or its rights for {what}",
            evidence=evidence,
            next_command=f"compare {name}'s token with /etc/bm/bm-core.tok on its core",
        )
    if write:
        return RefusedError(f"{name}'s core refuses {what}", evidence=evidence)
    kind = AbsentError if fault.not_found else UnknownError
    return kind(f"{name}'s core can not answer {what}", evidence=evidence)


class Transport:
    """A keep-alive connection pool to one core; thread-safe. `timeout` bounds one call, its retries included."""

    def __init__(self, url: str, token: str, *, verify: bool | str, name: str, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._url = url.rstrip("/")
        self._token = token
        self._client = httpx.Client(
            base_url=self._url,
            headers={"Accept": "application/json"},
            verify=_tls(verify, url),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=30.0),
            trust_env=False,
        )

    def get(
        self,
        where: str,
        answer: type[Answer],
        *,
        params: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """A read; retried while the deadline allows. `anonymous` sends no key: a wrong one is refused everywhere."""
        raw = self._retrying("GET", where, None, params=params, anonymous=anonymous)
        return self._decode(where, raw, answer)

    def read(self, where: str, body: object, answer: type[Answer]) -> Answer:
        """A POST that only reads (`_search`, `_mget`); retried like a read."""
        return self._decode(where, self._retrying("POST", where, body), answer)

    def send(
        self,
        method: Method,
        where: str,
        body: object = None,
        *,
        params: dict[str, str] | None = None,
        timeout: float | None = None,
        anonymous: bool = False,
    ) -> bytes:
        """A write, sent once: what became of it after a broken connection must be read back by the caller.

        Raises:
            ApiError: BlueMind answered a fault.
            UnreachableError: no answer; the write may or may not have been done.
        """
        limit = timeout or self.timeout
        try:
            return self._once(method, where, body, params=params, limit=limit, anonymous=anonymous)
        except httpx.TransportError as error:
            raise self._unreachable(f"{method} {where}", error) from error

    def write(
        self,
        method: Method,
        where: str,
        body: object = None,
        *,
        timeout: float | None = None,
        repeatable: bool = False,
    ) -> bytes:
        """`send`, with faults already told as our errors.

        `repeatable` marks a write that does no more when it arrives twice: a broken connection is tried again.
        """
        try:
            if repeatable:
                return self._again(method, where, body)
            return self.send(method, where, body, timeout=timeout)
        except ApiError as fault:
            raise told(self.name, f"{method} {where}", fault, write=True) from fault

    def redact(self, line: str) -> str:
        """The line without secrets, this installation's token included."""
        return redact(line, self._token)

    def close(self) -> None:
        """Frees the sockets."""
        self._client.close()

    def _retrying(
        self,
        method: Method,
        where: str,
        body: object,
        *,
        params: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> bytes:
        try:
            return self._again(method, where, body, params=params, anonymous=anonymous)
        except ApiError as fault:
            raise told(self.name, f"{method} {where}", fault, write=False) from fault

    def _again(
        self,
        method: Method,
        where: str,
        body: object,
        *,
        params: dict[str, str] | None = None,
        anonymous: bool = False,
    ) -> bytes:
        """The call, repeated after a broken connection while `timeout` allows."""
        end = time.monotonic() + self.timeout
        try:
            for attempt in _attempts(self.timeout):
                with attempt:
                    limit = max(0.05, end - time.monotonic())
                    return self._once(method, where, body, params=params, limit=limit, anonymous=anonymous)
        except httpx.TransportError as error:
            raise self._unreachable(f"{method} {where}", error) from error
        raise AssertionError("a retry loop ends by return or raise")

    def _once(
        self,
        method: Method,
        where: str,
        body: object,
        *,
        params: dict[str, str] | None,
        limit: float,
        anonymous: bool,
    ) -> bytes:
        headers = {} if anonymous or not self._token else {KEY_HEADER: self._token}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        answer = self._client.request(
            method, where, content=content, params=params, headers=headers, timeout=limit
        )
        if answer.status_code >= 300:
            raise fault_of(answer.status_code, answer.content, self._token)
        return answer.content

    def _decode(self, where: str, body: bytes, answer: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(body or b"null", type=answer)
        except msgspec.DecodeError as error:
            raise UnknownError(
                f"{self.name}'s answer to {where} is not understood",
                evidence=str(error),
                next_command="check that the address is a BlueMind core (port 8090) and not a proxy's page",
            ) from error

    def _unreachable(self, what: str, error: Exception) -> UnreachableError:
        kind = "no answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
        return UnreachableError(
            f"{self.name}'s core at {self._url} does not answer: {kind}",
            evidence=f"{what}: {type(error).__name__} {self.redact(str(error))}".strip(),
            next_command=f"curl {self._url}/api/system/installation/state",
        )


def _attempts(seconds: float) -> Iterator[tenacity.AttemptManager]:
    return iter(
        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(httpx.TransportError),
            stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_after_delay(seconds),
            wait=tenacity.wait_exponential(multiplier=0.02, max=0.2),
            reraise=True,
        )
    )


def _tls(verify: bool | str, url: str) -> ssl.SSLContext | bool:  # noqa: FBT001 -- as httpx names it
    """Plain http needs no authorities, and loading them costs 20 ms."""
    if not url.startswith("https"):
        return False
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return ssl.create_default_context() if verify else False
