"""The files by which Envoy is steered: endpoints (EDS), HTTP hold (RTDS) and TCP hold (pressure). Pure texts, no I/O.

Measured habits of Envoy that they rest on (proxy-cutover.md 7): one assignment per EDS file, replaced by rename, with a
new `version_info` each time.
"""

import json
from typing import Any, Final

import msgspec

from bmswitch.model.config import Colour
from bmswitch.proxy.layout import COLOURS, Protocol, split_address

STATE: Final = "state.json"
GATE: Final = "gate.json"
BOOTSTRAP: Final = "envoy.json"
CONTROL_SOCKET: Final = "gate.sock"
HOLD_SOCKET: Final = "hold.sock"
RUNTIME: Final = "hold.rtds.json"
PRESSURE: Final = "pressure.txt"
RUNTIME_LAYER: Final = "bmswitch"
RUNTIME_KEY: Final = "bmswitch.hold"

_API: Final = "type.googleapis.com/envoy"


class GateState(msgspec.Struct, frozen=True):
    """What the gate must not forget: colour, lease (epoch milliseconds, 0 = none) and the highest fence seen.

    `held_since_ms` is when this hold began: renewals never reach beyond it plus the cap.
    """

    colour: Colour
    hold_until_ms: int = 0
    held_since_ms: int = 0
    fence: int = 0


class GateAnswer(msgspec.Struct, frozen=True):
    """What every good answer carries. `hold_until_ms` is 0 when nothing is held."""

    colour: Colour
    hold_until_ms: int
    fence: int
    waiting: int


class GateCluster(msgspec.Struct, frozen=True):
    """One Envoy cluster and its endpoint of each colour (`host:port`)."""

    name: str
    protocol: Protocol
    blue: str
    green: str

    def address(self, colour: Colour) -> str:
        """The endpoint of `colour`."""
        return self.blue if colour == "blue" else self.green


class GateConfig(msgspec.Struct, frozen=True):
    """`gate.json`: what the gate must know about the Envoy that it stands beside; `spread_ms`: how long a release takes."""

    admin: str
    clusters: list[GateCluster]
    spread_ms: int = 0


def eds_file(cluster: str) -> str:
    """Name of the endpoint file of one cluster."""
    return f"{cluster}.eds.json"


def eds_text(cluster: GateCluster, colour: Colour, version: str) -> str:
    """Both colours' endpoints; the one of `colour` is healthy, the other drains.

    The other is kept so that Envoy still counts what runs there, and its zone names its colour in `/clusters`.
    """
    assignment = {
        "@type": f"{_API}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster.name,
        "endpoints": [_locality(cluster, one, serving=one == colour) for one in COLOURS],
    }
    return _discovery(version, assignment)


def _locality(cluster: GateCluster, colour: Colour, *, serving: bool) -> dict[str, Any]:
    return {
        "locality": {"zone": colour},
        "lb_endpoints": [
            {
                "health_status": "HEALTHY" if serving else "DRAINING",
                "endpoint": {"address": socket_address(cluster.address(colour))},
            }
        ],
    }


def runtime_text(version: str, *, held: bool) -> str:
    """The runtime layer: every HTTP request asks the gate (100 of 100) while something is held, none otherwise."""
    layer = {
        "@type": f"{_API}.service.runtime.v3.Runtime",
        "name": RUNTIME_LAYER,
        "layer": {RUNTIME_KEY: 100 if held else 0},
    }
    return _discovery(version, layer)


def pressure_text(*, held: bool) -> str:
    """1.0 stops every listener of the process from accepting, 0.0 lets it."""
    return "1.0\n" if held else "0.0\n"


def _discovery(version: str, resource: dict[str, Any]) -> str:
    return json.dumps({"version_info": version, "resources": [resource]}, indent=1) + "\n"


def socket_address(address: str) -> dict[str, Any]:
    """Envoy's form of `host:port`."""
    host, port = split_address(address)
    return {"socket_address": {"address": host, "port_value": port}}
