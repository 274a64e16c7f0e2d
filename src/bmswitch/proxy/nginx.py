"""Drives one nginx by its state file: one rename, then a question to each listener (proxy-cutover.md 6).

nginx acknowledges nothing and knows no fence: the fence is the file's third word, and a lock file beside it makes
compare and set one step.

Not used, as measured with 1.22.1 (proxy-cutover.md 4 and 6):

- a reload with changed upstreams as the flip: the old colour is used up to 130 ms longer (541 requests, 13 after the first to the
  new colour), one request reset;
- a gate process behind `auth_request` and the mail module's `auth_http`: when it dies in a hold, mail fails (106 of 128);
- a colour as a constant in the script for a file that can not be read: wrong after the first switch, so it is a refusal here.
"""

import time
from collections import Counter
from pathlib import Path

import msgspec

from bmswitch.model.config import Colour, NginxNode
from bmswitch.model.errors import RefusedError, UnknownError, UnreachableError
from bmswitch.proxy.alone import alone
from bmswitch.proxy.api import InFlight, Kind, NodeState, Sessions, renewed
from bmswitch.proxy.files import replace_file, wall_ms
from bmswitch.proxy.layout import HOLD_CAP_MS
from bmswitch.proxy.nginx_probe import Said, ask_http, ask_tcp
from bmswitch.proxy.nginx_process import workers
from bmswitch.proxy.nginx_script import parse_state, state_text
from bmswitch.proxy.sockets import Endpoint, connections, end_connections, resolve


class NginxProxy:
    """One nginx as a `ProxyNode`; must run on the same machine, with the right to replace the state file.

    Args:
        node: its part of the configuration.
        timeout: seconds for each call as a whole, and for the lock.
    """

    def __init__(self, node: NginxNode, *, timeout: float = 2.0) -> None:
        self._node = node
        self._file = Path(node.state_file)
        self._timeout = timeout

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._node.name

    def read(self) -> NodeState:
        """Colour, hold and fence; the colour is `unknown` when the file and the answer of any listener differ.

        Raises:
            UnreachableError, UnknownError: no answer of a listener; a file that is not understood.
        """
        with alone(self._file, self._timeout):
            colour, until, fence = self._state()
            strange = self._others(colour, until, fence)
        held = until if until > wall_ms() else 0
        return NodeState("unknown" if strange else colour, held, fence)

    def hold(self, until_ms: int, fence: int) -> None:
        """Every listener has seen it when it returns; cut to 10 s from now.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        self._change(fence, "hold", hold_until_ms=min(until_ms, wall_ms() + HOLD_CAP_MS))

    def flip(self, colour: Colour, fence: int) -> None:
        """Every listener answers with `colour` when it returns.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        self._change(fence, "flip", colour=colour)

    def release(self, fence: int) -> None:
        """No listener holds any more when it returns; what was held goes on within 35 ms.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        self._change(fence, "release", hold_until_ms=0)

    def in_flight(self, colour: Colour) -> InFlight:
        """Connections of nginx's workers, old ones too, to the addresses of `colour`.

        Open-source nginx counts nothing for each backend, and njs 0.7.9 has no memory that workers share: so the
        kernel is asked. nginx opens one connection for each request and keeps none: what is open is at work.

        Raises:
            UnreachableError, UnknownError: nginx does not run, or may not be looked at.
        """
        found = connections(workers(Path(self._node.pid_file)))
        return InFlight(
            _count(found, self._node.backends.get(colour, [])),
            _count(found, self._node.tcp_backends.get(colour, [])),
        )

    def sessions(self, colour: Colour) -> Sessions:
        """As `in_flight`: for the kernel a websocket is a connection like another.

        Raises:
            UnreachableError, UnknownError: nginx does not run, or may not be looked at.
        """
        running = self.in_flight(colour)
        return Sessions(mail=running.connections, web=running.requests)

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """By the kernel, as nginx has no command for it: it resets its connections to `colour`, and nginx closes the clients'.

        Raises:
            UnreachableError, UnknownError, UnsupportedError, RefusedError: no nginx; not allowed; an old fence.
        """
        with alone(self._file, self._timeout):
            self._refuse_old(fence, self._state()[2], f"end {kind} sessions")
        addresses = self._node.tcp_backends if kind == "mail" else self._node.backends
        ends = _ends(addresses.get(colour, []))
        return end_connections(workers(Path(self._node.pid_file)), ends, at_most)

    def said(self) -> dict[str, Said]:
        """Each listener's own answer; what it says is not compared with anything.

        Raises:
            UnreachableError: a listener does not answer.
        """
        deadline = time.monotonic() + self._timeout
        http = {url: ask_http(url, deadline) for url in self._node.http}
        return http | {address: ask_tcp(address, deadline) for address in self._node.tcp}

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _change(
        self, fence: int, verb: str, *, colour: Colour | None = None, hold_until_ms: int | None = None
    ) -> None:
        """One change under the lock; colour, hold and fence are one line, replaced in one step."""
        with alone(self._file, self._timeout):
            before, until, seen = self._state()
            self._refuse_old(fence, seen, verb)
            wanted = colour or before
            held, until = until, until if hold_until_ms is None else max(0, hold_until_ms)
            if verb == "hold":
                until = renewed(until, fence, held_until_ms=held, seen_fence=seen)
            text = state_text(wanted, hold_until_ms=until, fence=fence)
            try:
                lasting = colour is not None or fence > seen  # a lease is shorter than a reboot
                replace_file(self._file, text, durable=lasting)
            except OSError as error:
                raise UnreachableError(
                    f"the state file {self._file} can not be replaced", evidence=str(error)
                ) from error
            strange = self._others(wanted, until, fence)
        if strange:
            raise UnreachableError(
                f"not every listener of proxy node {self.name} followed the {verb}",
                evidence=str({where: msgspec.structs.asdict(one) for where, one in strange.items()})[:400],
                consequence="the node is in an unknown state; a hold that was set ends by itself",
                next_command=f"bmswitch proxy check: does nginx read {self._file}?",
            )

    def _refuse_old(self, fence: int, seen: int, verb: str) -> None:
        if fence < seen:
            raise RefusedError(
                f"proxy node {self.name} refuses to {verb}: a newer run has been here",
                evidence=f"fence {fence} is older than {seen}",
                next_command="look at `bmswitch status`: another run holds the proxy",
            )

    def _others(self, colour: Colour, until: int, fence: int) -> dict[str, Said]:
        """Listeners that do not say the same."""
        return {
            where: one
            for where, one in self.said().items()
            if (one.colour, one.hold_until_ms, one.fence) != (colour, until, fence)
        }

    def _state(self) -> tuple[Colour, int, int]:
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UnknownError(f"the state file {self._file} can not be read", evidence=str(error)) from error
        return parse_state(text, str(self._file))


def _count(found: Counter[Endpoint], addresses: list[str]) -> int:
    return sum(found[end] for end in _ends(addresses))


def _ends(addresses: list[str]) -> set[Endpoint]:
    return {end for address in addresses for end in resolve(address)}
