"""Routes: a tree of path segments, literals before `{names}`; each segment percent-decoded, `+` a space (4.1)."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from bmswitch.lab.services.accounts import Caller
from bmswitch.lab.services.core_services import Services
from bmswitch.lab.services.errors import Denied, Invalid

T = TypeVar("T")


class Void:
    """Answer of a call that returns nothing: 200 with an empty body (null is 204)."""


VOID: Final = Void()


class Json(msgspec.Struct, frozen=True):
    """An answer that is JSON already."""

    data: bytes


class Call:
    """One request: services, path parameters, body, caller."""

    __slots__ = ("_query", "body", "caller", "key", "params", "services")

    def __init__(
        self, services: Services, *, params: dict[str, str], query: str, body: bytes, caller: Caller, key: str
    ) -> None:
        self.services = services
        self.params = params
        self._query = query
        self.body = body
        self.caller = caller
        self.key = key

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    def query(self, name: str, default: str = "") -> str:
        """One query parameter."""
        return dict(parse_qsl(self._query, keep_blank_values=True)).get(name, default)

    def json(self, kind: type[T]) -> T:
        """The body as a typed value. Invalid when it is not one."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Invalid(f"body: {error}") from error

    def text(self) -> str:
        """The body as a JSON string or as plain text."""
        if self.body[:1] == b'"':
            return self.json(str)
        return self.body.decode("utf-8", "replace")

    def need_admin(self) -> None:
        """Denied unless the caller is the token or admin0."""
        if not self.caller.admin:
            raise Denied("only an administrator may do this")

    @property
    def author(self) -> str:
        """Who is written into `createdBy`: a user's uid, or `system`/`admin0_global.virt`."""
        return self.caller.uid or "system"


Handler = Callable[[Call], object | Awaitable[object]]


class _Node:
    __slots__ = ("handlers", "literals", "name", "parameter")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.name = ""
        self.handlers: dict[str, tuple[Handler, tuple[str, ...]]] = {}


class Router:
    """All routes of the API."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Register `/api/things/{a}/{b}`."""
        node, names = self._root, []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        if method in node.handlers:
            msg = f"two handlers for {method} {path}"
            raise ValueError(msg)
        node.handlers[method] = (handler, tuple(names))

    def find(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]] | None:
        """The handler of a request and its path parameters, or None."""
        segments = raw_path.strip("/").split("/")
        values: list[str] = []
        found = self._walk(self._root, segments, 0, method, values)
        if found is None:
            return None
        handler, names = found
        return handler, dict(zip(names, values, strict=True))

    def _walk(
        self, node: _Node, segments: list[str], index: int, method: str, values: list[str]
    ) -> tuple[Handler, tuple[str, ...]] | None:
        if index == len(segments):
            return node.handlers.get(method)
        segment = segments[index]
        literal = node.literals.get(segment)
        if literal is not None:
            found = self._walk(literal, segments, index + 1, method, values)
            if found is not None:
                return found
        if node.parameter is None or not segment:
            return None
        values.append(unquote(segment.replace("+", " ")))
        found = self._walk(node.parameter, segments, index + 1, method, values)
        if found is None:
            values.pop()
        return found
