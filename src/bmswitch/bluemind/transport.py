"""HTTP to one core: key header, path encoding, bounded retries of reads, BlueMind's faults as our errors.

BlueMind answers 500 for most refusals, so `errorCode` decides and not the status (clone-and-api.md 4.1).
"""

import ssl
import time
from typing import Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from bmswitch.bluemind.redact import redact
from bmswitch.bluemind.types import Fault
from bmswitch.bluemind.wire import Wire, WireError, WireTimeoutError
from bmswitch.model.errors import AccessError, BmswitchError, RefusedError, UnknownError, UnreachableError

Method = Literal["GET", "POST", "PUT", "DELETE"]
Answer = TypeVar("Answer")

KEY_HEADER = "X-BM-ApiKey"
_ACCESS_CODES = frozenset({"AUTHENTICATION_FAIL", "PERMISSION_DENIED", "NOT_GLOBAL_ADMIN", "FORBIDDEN"})
_ATTEMPTS = 4
_FIRST_WAIT = 0.02
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
        self._wire = Wire(self._url, _tls(verify, url))

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
        except WireError as error:
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
        self._wire.close()

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
        end, wait = time.monotonic() + self.timeout, _FIRST_WAIT
        for attempt in range(1, _ATTEMPTS + 1):
            limit = max(0.05, end - time.monotonic())
            try:
                return self._once(method, where, body, params=params, limit=limit, anonymous=anonymous)
            except WireError as error:
                if attempt == _ATTEMPTS or time.monotonic() + wait >= end:
                    raise self._unreachable(f"{method} {where}", error) from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

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
        headers = {"Accept": "application/json"}
        if self._token and not anonymous:
            headers[KEY_HEADER] = self._token
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        if params:
            where = f"{where}?{urlencode(params)}"
        status, answer = self._wire.request(method, where, content, headers, limit)
        if status >= 300:
            raise fault_of(status, answer, self._token)
        return answer

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
        kind = "no answer in time" if isinstance(error, WireTimeoutError) else "no connection"
        return UnreachableError(
            f"{self.name}'s core at {self._url} does not answer: {kind}",
            evidence=f"{what}: {type(error).__name__} {self.redact(str(error))}".strip(),
            next_command=f"curl {self._url}/api/system/installation/state",
        )


def _tls(verify: bool | str, url: str) -> ssl.SSLContext | None:  # noqa: FBT001 -- as the configuration has it
    """Plain http needs no authorities, and loading them costs 20 ms."""
    if not url.startswith("https"):
        return None
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
