"""Drives a node on another machine: its driver runs there, and is told line by line over the operator's own connection.

HAProxy's and nginx's drivers need files, sockets and the kernel of the proxy's machine. So nothing of them is done from afar: the node's
`via` (`ssh -T edge-1 bmswitch proxy serve`) starts bmswitch there, and each line of JSON to it is one call, each line back its answer.
No port, no key and no daemon of our own.
"""

import contextlib
import os
import selectors
import subprocess
import tempfile
import threading
import time
from typing import IO, Final, Literal, TypeVar

import msgspec

from bmswitch.model.config import AnyNode, Colour
from bmswitch.model.errors import RefusedError, UnknownError, UnreachableError, UnsupportedError
from bmswitch.proxy.api import InFlight, Kind, NodeState, Sessions
from bmswitch.proxy.inspection import Inspection

Part = TypeVar("Part")
Verb = Literal["read", "hold", "flip", "release", "in_flight", "sessions", "kick", "inspect"]
ERRORS: Final = {
    one.__name__: one for one in (RefusedError, UnknownError, UnsupportedError, UnreachableError)
}
"""What may come back; anything else is `UnreachableError`: the node did not do it, or nobody knows."""

_FIRST: Final = 10.0  # seconds for the first answer of a connection: it is made, and a program started
_MARGIN: Final = 1.0  # seconds for the way, beside the driver's own deadline
_LARGEST: Final = 1 << 20


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call; what its verb does not need is left out."""

    verb: Verb
    colour: Colour = "blue"
    until_ms: int = 0
    fence: int = 0
    at_most: int = 0
    kind: Kind = "mail"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the driver, by the name of its class."""

    name: str
    cause: str
    evidence: str = ""
    consequence: str = ""
    next_command: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer: one part is set, or none for an order that is done. `clock_ms` is the other machine's (epoch)."""

    clock_ms: int
    state: NodeState | None = None
    in_flight: InFlight | None = None
    sessions: Sessions | None = None
    ended: int = 0
    inspection: Inspection | None = None
    failure: Failure | None = None


class RemoteProxy:
    """A `ProxyNode` whose driver runs on the node's machine.

    A call that gets no answer in time ends the connection, so that its late answer is never taken for another's; the next one
    makes a new one. What the other side still does is bounded by fence and lease.

    Args:
        node: its part of the configuration, with `via`; paths in it are the other machine's.
        timeout: seconds for the driver there; the way may take 1 s more, the first answer of a connection 10 s.
    """

    def __init__(self, node: AnyNode, *, timeout: float = 2.0) -> None:
        self._node = node
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._node.name

    def read(self) -> NodeState:
        """As the driver there; so are the others, and their errors."""
        return self._need(self._call(Ask(verb="read")).state)

    def hold(self, until_ms: int, fence: int) -> None:
        """In force when it returns."""
        self._call(Ask(verb="hold", until_ms=until_ms, fence=fence))

    def flip(self, colour: Colour, fence: int) -> None:
        """In force when it returns."""
        self._call(Ask(verb="flip", colour=colour, fence=fence))

    def release(self, fence: int) -> None:
        """In force when it returns."""
        self._call(Ask(verb="release", fence=fence))

    def in_flight(self, colour: Colour) -> InFlight:
        """Work on `colour`."""
        return self._need(self._call(Ask(verb="in_flight", colour=colour)).in_flight)

    def sessions(self, colour: Colour) -> Sessions:
        """What stays open on `colour`."""
        return self._need(self._call(Ask(verb="sessions", colour=colour)).sessions)

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """How many it ended."""
        return self._call(Ask(verb="kick", colour=colour, at_most=at_most, fence=fence, kind=kind)).ended

    def inspect(self) -> Inspection:
        """The look at the running proxy from its own machine; `skew` is that machine's clock against ours, half the way off at most."""
        self._call(Ask(verb="read"))  # the connection is there: the next answer's way is short
        before = time.time()
        told = self._call(Ask(verb="read"))
        skew = told.clock_ms / 1000 - (before + time.time()) / 2
        found = self._need(self._call(Ask(verb="inspect")).inspection)
        return msgspec.structs.replace(found, skew=None if found.skew is None else found.skew + skew)

    def close(self) -> None:
        """Ends the connection; the other side ends with it."""
        with self._lock:
            self._hang_up()

    def _need(self, part: Part | None) -> Part:
        if part is None:
            raise self._silent("an answer without its part: is it the same version of bmswitch?")
        return part

    def _call(self, ask: Ask) -> Told:
        with self._lock:
            try:
                told = self._exchange(ask)
            except (OSError, EOFError, msgspec.DecodeError) as error:
                raise self._silent(f"{error}; {self._hang_up()}".rstrip("; ")) from error
        if told.failure is not None:
            raise _error(told.failure)
        return told

    def _exchange(self, ask: Ask) -> Told:
        patience = _FIRST if self._process is None else self._timeout + _MARGIN
        deadline = time.monotonic() + patience
        link = self._link()
        assert link.stdin is not None  # noqa: S101 -- narrows the type: it was made with pipes
        assert link.stdout is not None  # noqa: S101 -- the same
        os.write(link.stdin.fileno(), msgspec.json.encode(ask) + b"\n")
        return msgspec.json.decode(_line(link.stdout.fileno(), deadline), type=Told)

    def _link(self) -> "subprocess.Popen[bytes]":
        """The connection; its first line says which node, without `via`. Ctrl-C for bmswitch is not for it."""
        if self._process is None:
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- `_hang_up` closes it
            self._process = subprocess.Popen(
                self._node.via,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                start_new_session=True,
            )
            assert self._process.stdin is not None  # noqa: S101 -- the same
            node = msgspec.structs.replace(self._node, via=[])
            os.write(self._process.stdin.fileno(), msgspec.json.encode(node) + b"\n")
        return self._process

    def _hang_up(self) -> str:
        """Returns how the other side's complaints end, if there are any."""
        process, self._process = self._process, None
        complaints, self._complaints = self._complaints, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            with process:  # closes the pipes, waits
                pass
        if complaints is None:
            return ""
        with complaints:
            complaints.seek(0)
            return complaints.read(_LARGEST).decode(errors="replace").strip()[-200:]

    def _silent(self, evidence: str) -> UnreachableError:
        return UnreachableError(
            f"proxy node {self.name} does not answer over its `via`",
            evidence=f"{' '.join(self._node.via)}: {evidence}",
            consequence="the proxy goes on as it is; a hold that was set ends by itself",
            next_command="start the words of `via` by hand: it must wait for a line and say nothing",
        )


def _error(failure: Failure) -> RefusedError | UnknownError | UnsupportedError | UnreachableError:
    kind = ERRORS.get(failure.name, UnreachableError)
    return kind(
        failure.cause,
        evidence=failure.evidence,
        consequence=failure.consequence,
        next_command=failure.next_command,
    )


def _line(descriptor: int, deadline: float) -> bytes:
    """One line, until the monotonic `deadline`.

    Raises:
        TimeoutError, EOFError: none in time; the other side has gone.
    """
    found = b""
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, selectors.EVENT_READ)
        while not found.endswith(b"\n"):
            if not ready.select(max(0.0, deadline - time.monotonic())) or len(found) > _LARGEST:
                raise TimeoutError("no answer in time")
            part = os.read(descriptor, 65536)
            if not part:
                raise EOFError("the other side has gone")
            found += part
    return found
