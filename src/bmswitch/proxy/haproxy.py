"""Drives one HAProxy 2.6 or newer by its map: the file first, then every worker, then a look at all (proxy-cutover.md 5).

HAProxy knows no fence: it is the map's third key, and a lock file beside the map makes compare and set one step.

Not used, as measured with 2.6.12 (proxy-cutover.md 4):

- `set server addr`: kept connections to the server go on to the old address (1553 and 1700 requests after the flip);
- `set maxconn frontend`: the worker hangs, the watchdog ends it and the master with it, 5 of 5 times: no service at all;
- `disable frontend`: new connections are refused, kept ones go on to the old colour (2608 requests);
- all servers `maint`: no hold, 503 at once; `ready` and `maint` as a flip: two commands for each backend, lost at a restart;
- a reload with a changed map: the old colour is used 46 ms longer. A command to the newest worker only, after a reload: what the old
  one holds goes to the old colour (216 requests), so every order goes to all of `show proc`;
- `set var proc.x`: experimental in 2.6, lost at a reload.
"""

from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.model.config import Colour, HaproxyNode
from bmswitch.model.errors import RefusedError, UnknownError, UnreachableError
from bmswitch.proxy.alone import alone
from bmswitch.proxy.api import InFlight, Kind, NodeState, Sessions, renewed
from bmswitch.proxy.files import replace_file, wall_ms
from bmswitch.proxy.haproxy_render import map_text
from bmswitch.proxy.haproxy_socket import CutMap, MasterSocket, Stream, read_map_file
from bmswitch.proxy.layout import HOLD_CAP_MS


class HaproxyProxy:
    """One HAProxy as a `ProxyNode`; must run on the same machine, with the right to write the map file.

    Args:
        node: its part of the configuration.
        timeout: seconds for each question to the master socket, and for the lock.
    """

    def __init__(self, node: HaproxyNode, *, timeout: float = 2.0) -> None:
        self._node = node
        self._file = Path(node.map_file)
        self._master = MasterSocket(node.socket, node.map_file, timeout=timeout)
        self._timeout = timeout

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._node.name

    def read(self) -> NodeState:
        """Colour, hold and fence; the colour is `unknown` when the file and any worker, old or new, differ in colour or hold.

        A fence that is only in the file is what a release leaves there while the master is silent: workers that still have an
        older one answer with the same colour and hold nothing.

        Raises:
            UnreachableError, UnknownError: no answer, or none that is understood.
        """
        with alone(self._file, self._timeout):
            found = [read_map_file(self._file), *self._master.maps().values()]
        now = wall_ms()
        untils = {one.hold_until_ms if one.hold_until_ms > now else 0 for one in found}
        colours = {one.active for one in found}
        fences = {one.fence for one in found}
        held, fence = max(untils), max(fences)
        if len(colours) > 1 or len(untils) > 1 or (held and len(fences) > 1):
            return NodeState("unknown", held, fence)
        return NodeState(_colour(found[0].active), held, fence)

    def hold(self, until_ms: int, fence: int) -> None:
        """In force in every worker when it returns; cut to 10 s from now.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        until = min(until_ms, wall_ms() + HOLD_CAP_MS)
        self._change(fence, "hold", hold_until_ms=until)

    def flip(self, colour: Colour, fence: int) -> None:
        """Every worker uses `colour` when it returns.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        self._change(fence, "flip", active=colour)

    def release(self, fence: int) -> None:
        """No worker holds any more when it returns; what was held goes on within 35 ms.

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer or no effect; an old fence.
        """
        self._change(fence, "release", hold_until_ms=0)

    def in_flight(self, colour: Colour) -> InFlight:
        """Requests and connections in the backends of `colour`, in all workers.

        Raises:
            UnreachableError, UnknownError: no answer, or a backend that HAProxy does not know.
        """
        found = self._master.sessions()
        http, tcp = self._node.backends.get(colour, []), self._node.tcp_backends.get(colour, [])
        strange = [name for name in [*http, *tcp] if name not in found]
        if strange:
            raise UnknownError(
                f"proxy node {self.name} has no backend {strange[0]}",
                evidence=f"it has {', '.join(sorted(found))}",
                next_command="correct `backends` and `tcp_backends` of this node in the configuration",
            )
        return InFlight(sum(found[name] for name in http), sum(found[name] for name in tcp))

    def sessions(self, colour: Colour) -> Sessions:
        """Connections and requests in the backends of `colour`, and which are websockets, in all workers.

        Raises:
            UnreachableError, UnknownError: no answer, or a backend that HAProxy does not know.
        """
        running = self.in_flight(colour)
        streams = self._streams(self._node.backends.get(colour, []))
        tunnels = sum(one.tunnel for one in streams)
        return Sessions(mail=running.connections, web=running.requests, websockets=tunnels)

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """Ends the oldest ones of each worker, websockets first; every one by its own name.

        Not by `shutdown sessions server`, which ends all at once, long polls with them (50 of 50 saw a 502).

        Raises:
            UnreachableError, UnknownError, RefusedError: no answer, or none that is understood; an old fence.
        """
        with alone(self._file, self._timeout):
            maps = [read_map_file(self._file), *self._master.maps().values()]
            self._refuse_old(fence, maps, f"end {kind} sessions")
        names = self._node.tcp_backends if kind == "mail" else self._node.backends
        streams = self._streams(names.get(colour, []))
        return self._master.shutdown(sorted(streams, key=lambda one: not one.tunnel)[: max(0, at_most)])

    def close(self) -> None:
        """Nothing is kept open between calls."""

    def _change(self, fence: int, verb: str, *, active: str = "", hold_until_ms: int | None = None) -> None:
        """One change under the lock; the fence travels with it, ahead of the effect.

        The file is written even when HAProxy is silent: its next start must not come back with a forgotten intent.
        """
        with alone(self._file, self._timeout):
            before = read_map_file(self._file)
            workers, silent = self._workers()
            self._refuse_old(fence, [before, *workers], verb)
            until = before.hold_until_ms if hold_until_ms is None else hold_until_ms
            if verb == "hold":
                until = renewed(until, fence, held_until_ms=before.hold_until_ms, seen_fence=before.fence)
            wanted = CutMap(active or before.active, until, fence)
            text = map_text(_known(wanted.active), hold_until_ms=until, fence=fence)
            lasting = bool(active) or fence > before.fence  # a lease is shorter than a reboot
            replace_file(self._file, text, durable=lasting)
            if silent is not None:
                raise silent
            self._master.set_map(
                {"fence": str(fence), "active": wanted.active, "hold_until": str(wanted.hold_until_ms)}
            )
            self._confirm(wanted, verb)

    def _workers(self) -> tuple[list[CutMap], UnreachableError | UnknownError | None]:
        """What every worker has, or why that can not be known."""
        try:
            return list(self._master.maps().values()), None
        except (UnreachableError, UnknownError) as error:
            return [], error

    def _refuse_old(self, fence: int, maps: list[CutMap], verb: str) -> None:
        seen = max(one.fence for one in maps)
        if fence < seen:
            raise RefusedError(
                f"proxy node {self.name} refuses to {verb}: a newer run has been here",
                evidence=f"fence {fence} is older than {seen}",
                next_command="look at `bmswitch status`: another run holds the proxy",
            )

    def _streams(self, backends: list[str]) -> list[Stream]:
        return [one for one in self._master.streams() if one.backend in backends]

    def _confirm(self, wanted: CutMap, verb: str) -> None:
        """Reads every worker back; one that a reload has just started may have read the file before the change."""
        strange = {pid: one for pid, one in self._master.maps().items() if one != wanted}
        if strange:
            raise UnreachableError(
                f"not every worker of proxy node {self.name} followed the {verb}",
                evidence=str({pid: msgspec.structs.asdict(one) for pid, one in strange.items()}),
                consequence="the node is in an unknown state; a hold that was set ends by itself",
                next_command="do not reload HAProxy during a switch; repeat the step",
            )


def _colour(word: str) -> Colour | Literal["unknown"]:
    return "blue" if word == "blue" else "green" if word == "green" else "unknown"


def _known(word: str) -> Colour:
    colour = _colour(word)
    if colour != "unknown":
        return colour
    raise UnknownError(
        "the map names no colour: there is nothing to keep",
        evidence=f"active is {word!r}",
        next_command="flip first, or write the map file again",
    )
