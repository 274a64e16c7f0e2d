"""What the switch asks of one proxy node; each driver is one file that answers it.

Rules for every driver (proxy-cutover.md 9): a hold is an absolute expiry that the proxy itself keeps; persistent state
is written before the running state; every effect is read back by the caller through `read`.
"""

from typing import Literal, Protocol

import msgspec

from bmswitch.model.config import Colour


class InFlight(msgspec.Struct, frozen=True):
    """Work that still runs on one colour: HTTP requests and open TCP (mail) connections."""

    requests: int
    connections: int


Kind = Literal["mail", "web"]


class Sessions(msgspec.Struct, frozen=True):
    """What stays open on one colour: IMAP and SMTP connections; HTTP exchanges, of which `websockets` are upgraded.

    `websockets` is None where the proxy does not tell them from a request that waits for its answer. Once new work goes
    elsewhere and short requests have ended, all of `web` is websockets and long polls.
    """

    mail: int
    web: int
    websockets: int | None = None


class NodeState(msgspec.Struct, frozen=True):
    """One node as it really is now, read from the running proxy.

    `colour` is `unknown` when frontends disagree or can not be read. `hold_until_ms` is epoch milliseconds, 0 when
    nothing is held. `fence` is the highest fence number that the node has seen.
    """

    colour: Colour | Literal["unknown"]
    hold_until_ms: int
    fence: int


def renewed(until_ms: int, fence: int, *, held_until_ms: int, seen_fence: int) -> int:
    """The expiry after a hold order: within one run a hold only grows, so that a late order can not cut its renewal short."""
    return max(until_ms, held_until_ms) if fence == seen_fence else until_ms


class ProxyNode(Protocol):
    """One node. Every method is bounded (default 2 s) and raises `UnreachableError`, or `RefusedError` for an old fence.

    `fence` only grows: a node refuses an effect whose fence is lower than the highest it has seen.
    """

    @property
    def name(self) -> str:
        """As in the configuration."""

    def read(self) -> NodeState:
        """Colour, hold and fence as the running proxy has them."""

    def hold(self, until_ms: int, fence: int) -> None:
        """Hold new requests and connections until the epoch millisecond `until_ms`; again with a later one renews."""

    def flip(self, colour: Colour, fence: int) -> None:
        """Point every frontend of the node at `colour`; allowed while held."""

    def release(self, fence: int) -> None:
        """Let held requests go on now."""

    def in_flight(self, colour: Colour) -> InFlight:
        """What still runs on `colour`."""

    def sessions(self, colour: Colour) -> Sessions:
        """What is still open on `colour`, by kind."""

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """Ends up to `at_most` open sessions of one kind on `colour`; returns how many it ended.

        Their clients see a closed connection: no BYE, no close frame. `web` ends websockets before anything else where
        the proxy knows them; a request that still waits for its answer becomes a 502. So the order is: the mail server
        and the application end their own sessions, then this, and only after the flip (proxy-cutover.md 8).

        Raises:
            UnsupportedError: this node can not end a session; it never will.
        """

    def close(self) -> None:
        """Free sockets."""
