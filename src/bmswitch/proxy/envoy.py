"""Drives one Envoy through its gate, and believes the gate only as far as Envoy's own admin interface agrees.

The gate acts (unix socket, `proxy/gate.py`); the admin interface is only read.

Not used, as measured with 1.40 (proxy-cutover.md 4):

- routes (RDS) as the flip: the route is chosen before the hold, so what is held goes to the old colour (1768 requests);
- `ext_authz` for TCP: it begins with the client's first byte, and IMAP and SMTP servers speak first (22 greetings of the old colour);
- a fault delay as the hold: it does not end early, lets through what it has held long enough, and nobody resets it;
- the overload action alone for TCP: nothing in Envoy ends it, so the gate and its understudy do.
"""

import http.client
import time
from pathlib import Path
from typing import Final

import httpx
import msgspec

from bmswitch.model.config import Colour, EnvoyNode
from bmswitch.model.errors import RefusedError, UnreachableError, UnsupportedError
from bmswitch.proxy import envoy_admin as admin
from bmswitch.proxy.api import InFlight, Kind, NodeState, Sessions
from bmswitch.proxy.envoy_files import GateAnswer
from bmswitch.proxy.gate_client import ask_gate
from bmswitch.proxy.sockets import end_connections, listener, resolve

_AGREE_WITHIN: Final = 0.15  # seconds: the gate and Envoy may differ for the time that a file takes
_LOOK: Final = 0.02


class EnvoyProxy:
    """One Envoy with its gate, as a `ProxyNode`.

    Args:
        node: its part of the configuration.
        timeout: seconds for each call; the gate itself gives up earlier (1.5 s).
    """

    def __init__(self, node: EnvoyNode, *, timeout: float = 2.0) -> None:
        self._node = node
        self._timeout = timeout
        self._admin = httpx.Client(base_url=node.admin, timeout=timeout, trust_env=False)

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self._node.name

    def read(self) -> NodeState:
        """Colour, hold and fence; the colour is `unknown` while gate and Envoy, or two clusters, disagree.

        Raises:
            UnreachableError: gate or Envoy does not answer.
        """
        deadline = time.monotonic() + _AGREE_WITHIN
        while True:
            word = self._word()
            serving = admin.serving_colour(self._endpoints(), self._node.clusters + self._node.tcp_clusters)
            held = word.hold_until_ms != 0
            if serving == word.colour and self._holds() == (held, held):
                return NodeState(word.colour, word.hold_until_ms, word.fence)
            if time.monotonic() >= deadline:
                return NodeState("unknown", word.hold_until_ms, word.fence)
            time.sleep(_LOOK)

    def hold(self, until_ms: int, fence: int) -> None:
        """In force when it returns.

        Raises:
            UnreachableError, RefusedError: no answer or no effect in time; an old fence.
        """
        self._order("hold", until_ms=until_ms, fence=fence)

    def flip(self, colour: Colour, fence: int) -> None:
        """Envoy uses `colour` for every cluster when it returns.

        Raises:
            UnreachableError, RefusedError: no answer or no effect in time; an old fence.
        """
        self._order("flip", colour=colour, fence=fence)

    def release(self, fence: int) -> None:
        """Nothing is held any more when it returns; what was held goes on in the next milliseconds.

        Raises:
            UnreachableError, RefusedError: no answer or no effect in time; an old fence.
        """
        self._order("release", fence=fence)

    def in_flight(self, colour: Colour) -> InFlight:
        """Requests and connections on the endpoints of `colour`, whether it serves or drains.

        Raises:
            UnreachableError: Envoy does not answer.
        """
        return admin.in_flight(self._endpoints(), self._node.clusters, self._node.tcp_clusters, colour)

    def sessions(self, colour: Colour) -> Sessions:
        """Connections and requests on the endpoints of `colour`; Envoy counts websockets for each listener only.

        Raises:
            UnreachableError: Envoy does not answer.
        """
        running = self.in_flight(colour)
        return Sessions(mail=running.connections, web=running.requests)

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        """Envoy has no command for it: the kernel resets its connections to `colour`, and Envoy closes the clients'.

        A connection to `colour` that Envoy keeps for later requests counts as a `web` one (`upstream_idle`: 4 s).

        Raises:
            UnreachableError, UnsupportedError, RefusedError: no answer; Envoy is elsewhere, or not allowed; an old fence.
        """
        seen = self._word().fence
        if fence < seen:
            raise self._outdated(f"fence {fence} is older than {seen}")
        pid = listener(self._node.admin)
        if pid is None:
            raise UnsupportedError(
                f"sessions of proxy node {self.name} can be ended on its own machine only",
                evidence=f"no process that we may look at listens at {self._node.admin}",
                consequence="kept sessions stay until a server or a client ends them",
                next_command="run bmswitch as root on the machine of this Envoy",
            )
        names = self._node.tcp_clusters if kind == "mail" else self._node.clusters
        found = self._endpoints()
        ends = {
            end
            for name in names
            for one in found.get(name, [])
            if one.colour == colour
            for end in resolve(one.address)
        }
        return end_connections([pid], ends, at_most)

    def close(self) -> None:
        """Closes the client of the admin interface."""
        self._admin.close()

    def _word(self) -> GateAnswer:
        return self._ask_gate("/state", None)

    def _endpoints(self) -> dict[str, list[admin.Endpoint]]:
        return admin.endpoints(self._ask_envoy(admin.CLUSTERS_PATH))

    def _holds(self) -> tuple[bool, bool]:
        """Whether HTTP and TCP are held, from Envoy itself."""
        http_held = admin.http_held(self._ask_envoy(admin.RUNTIME_PATH))
        return http_held, admin.tcp_held(admin.gauges(self._ask_envoy(admin.STATS_PATH)))

    def _order(self, verb: str, **order: object) -> None:
        self._ask_gate(f"/{verb}", msgspec.json.encode(order))

    def _ask_gate(self, target: str, body: bytes | None) -> GateAnswer:
        try:
            status, text = ask_gate(Path(self._node.gate), target, body, timeout=self._timeout)
        except (OSError, http.client.HTTPException) as error:
            raise self._silent("the gate", self._node.gate, error) from error
        if status == 200:
            return msgspec.json.decode(text, type=GateAnswer)
        evidence = f"{target}: HTTP {status}: {text.decode(errors='replace')[:200]}"
        if status == 409:
            raise self._outdated(evidence)
        raise UnreachableError(
            f"the gate of proxy node {self.name} could not do it",
            evidence=evidence,
            consequence="the node is in an unknown state; a hold that was set ends by itself",
            next_command=f"read the log of the gate at {self._node.gate}",
        )

    def _outdated(self, evidence: str) -> RefusedError:
        return RefusedError(
            f"proxy node {self.name} refuses: a newer run has been here",
            evidence=evidence,
            next_command="look at `bmswitch status`: another run holds the proxy",
        )

    def _ask_envoy(self, path: str) -> bytes:
        try:
            return self._admin.get(path).content
        except httpx.HTTPError as error:
            raise self._silent("Envoy's admin interface", self._node.admin, error) from error

    def _silent(self, who: str, where: str, error: Exception) -> UnreachableError:
        return UnreachableError(
            f"{who} of proxy node {self.name} does not answer",
            evidence=f"{where}: {type(error).__name__}",
            consequence="the node goes on as it is; a hold that was set ends by itself",
            next_command="start it again: docs/proxy.md, Envoy",
        )
