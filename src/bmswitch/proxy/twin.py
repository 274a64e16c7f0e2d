"""A proxy node in memory, in simulated time: the same protocol, and answers that are lost or late on demand.

For the simulation of the switch. It keeps what a real node keeps (lease, cap, fence) and can be disturbed in the ways in
which a network can: the request is lost, the answer is lost, or the request arrives late, after its caller gave up.
"""

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.proxy.api import InFlight, Kind, NodeState, Sessions, renewed
from bmswitch.proxy.layout import HOLD_CAP_MS

Answer = TypeVar("Answer")
Verb = Literal["read", "hold", "flip", "release", "in_flight", "sessions", "kick"]
_IDLE = InFlight(requests=0, connections=0)


class Disturbance(msgspec.Struct, frozen=True):
    """What happens to one call. `late` is delivered `delay_ms` after the call; its caller has long given up."""

    kind: Literal["lost_request", "lost_answer", "late"]
    delay_ms: int = 0


class TwinNode:
    """A `ProxyNode` in memory.

    Args:
        name: as in a configuration.
        clock: epoch milliseconds of the simulation.
        colour: what it serves at first.
    """

    def __init__(self, name: str, clock: Callable[[], int], *, colour: Colour = "blue") -> None:
        self._name = name
        self._clock = clock
        self._colour: Colour = colour
        self._hold_until = 0
        self._held_since = 0
        self._fence = 0
        self._coming: list[tuple[int, Callable[[], None]]] = []
        self._disturbances: dict[Verb, deque[Disturbance]] = {}
        self.down = False
        self.contradicts_itself = False
        self.running: dict[Colour, InFlight] = {}
        self.effects: list[tuple[int, str]] = []
        """Effects in the order in which they happened: (epoch ms, `hold 5000`, `flip green`, `release`)."""

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def disturb(self, verb: Verb, *disturbances: Disturbance) -> None:
        """The next calls of `verb` meet these, one each."""
        self._disturbances.setdefault(verb, deque()).extend(disturbances)

    def admits(self) -> Colour | None:
        """Where new work goes at this instant; None while it is held. Not part of the protocol: the simulated clients ask."""
        self._deliver()
        return None if self._clock() < self._hold_until else self._colour

    def read(self) -> NodeState:
        """As a real node."""
        return self._call("read", self._state)

    def hold(self, until_ms: int, fence: int) -> None:
        """As a real node: cut to the cap since this hold began."""
        self._call("hold", lambda: self._hold(until_ms, fence))

    def flip(self, colour: Colour, fence: int) -> None:
        """As a real node."""
        self._call("flip", lambda: self._flip(colour, fence))

    def release(self, fence: int) -> None:
        """As a real node."""
        self._call("release", lambda: self._release(fence))

    def in_flight(self, colour: Colour) -> InFlight:
        """What `running` says."""
        return self._call("in_flight", lambda: self.running.get(colour, _IDLE))

    def sessions(self, colour: Colour) -> Sessions:
        """What `running` says; a twin does not know websockets."""
        return self._call("sessions", lambda: self._sessions(colour))

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """Takes them out of `running`."""
        return self._call("kick", lambda: self._kick(colour, at_most, fence, kind))

    def close(self) -> None:
        """Nothing to free."""

    def _sessions(self, colour: Colour) -> Sessions:
        running = self.running.get(colour, _IDLE)
        return Sessions(mail=running.connections, web=running.requests)

    def _kick(self, colour: Colour, at_most: int, fence: int, kind: Kind) -> int:
        self._check(fence)
        open_now = self.running.get(colour, _IDLE)
        field = "connections" if kind == "mail" else "requests"
        there: int = getattr(open_now, field)
        ended = min(at_most, there)
        self.running[colour] = msgspec.structs.replace(open_now, **{field: there - ended})
        self.effects.append((self._clock(), f"kick {ended} {kind} {colour}"))
        return ended

    def _state(self) -> NodeState:
        until = self._hold_until if self._clock() < self._hold_until else 0
        return NodeState("unknown" if self.contradicts_itself else self._colour, until, self._fence)

    def _hold(self, until_ms: int, fence: int) -> None:
        seen = self._fence
        self._check(fence)
        now = self._clock()
        if now >= self._hold_until:
            self._held_since = now
        wanted = renewed(until_ms, fence, held_until_ms=self._hold_until, seen_fence=seen)
        self._hold_until = min(wanted, self._held_since + HOLD_CAP_MS)
        self.effects.append((now, f"hold {self._hold_until}"))

    def _flip(self, colour: Colour, fence: int) -> None:
        self._check(fence)
        self._colour = colour
        self.effects.append((self._clock(), f"flip {colour}"))

    def _release(self, fence: int) -> None:
        self._check(fence)
        self._hold_until = 0
        self.effects.append((self._clock(), "release"))

    def _check(self, fence: int) -> None:
        if fence < self._fence:
            raise RefusedError(f"fence {fence} is older than {self._fence}, which this node has seen")
        self._fence = fence

    def _call(self, verb: Verb, effect: Callable[[], Answer]) -> Answer:
        self._deliver()
        if self.down:
            raise UnreachableError(f"proxy node {self._name} does not answer")
        waiting = self._disturbances.get(verb)
        if not waiting:
            return effect()
        disturbance = waiting.popleft()
        if disturbance.kind == "lost_answer":
            effect()
        elif disturbance.kind == "late":
            self._coming.append((self._clock() + disturbance.delay_ms, lambda: _late(effect)))
        raise UnreachableError(f"proxy node {self._name} did not answer in time", evidence=disturbance.kind)

    def _deliver(self) -> None:
        """Late requests whose time has come, in the order of their coming."""
        now = self._clock()
        due = sorted((one for one in self._coming if one[0] <= now), key=lambda one: one[0])
        self._coming = [one for one in self._coming if one[0] > now]
        for _, effect in due:
            effect()


def _late(effect: Callable[[], object]) -> None:
    """Nobody waits for the answer of a late request, nor for its refusal."""
    with contextlib.suppress(RefusedError):
        effect()
