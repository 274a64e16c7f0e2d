"""What Envoy's admin interface says about colour, hold and running work. Pure: texts in, data out.

Asked for: `/clusters?format=json`, `/runtime`, `/stats?format=json&filter=...`; nothing here changes anything.
"""

from typing import Any, Final, Literal

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.errors import UnknownError
from bmswitch.proxy.api import InFlight
from bmswitch.proxy.envoy_files import RUNTIME_KEY
from bmswitch.proxy.layout import COLOURS

CLUSTERS_PATH: Final = "/clusters?format=json"
RUNTIME_PATH: Final = "/runtime"
STATS_PATH: Final = "/stats?format=json&filter=stop_accepting_connections.active"

_TCP_HOLD: Final = "overload.envoy.overload_actions.stop_accepting_connections.active"


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint as Envoy uses it now; `requests` that still wait for their backend connection are counted too."""

    colour: Colour
    serving: bool
    address: str
    connections: int
    requests: int


def endpoints(text: bytes) -> dict[str, list[Endpoint]]:
    """Cluster name to its endpoints that carry a colour; clusters of other origin are left out.

    Raises:
        UnknownError: not the answer of an Envoy.
    """
    try:
        clusters = msgspec.json.decode(text)["cluster_statuses"]
        found = {one["name"]: [_endpoint(host) for host in one.get("host_statuses", [])] for one in clusters}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise UnknownError(
            "Envoy's /clusters is not understood", evidence=f"{type(error).__name__}"
        ) from error
    return {name: [host for host in hosts if host] for name, hosts in found.items()}


def _endpoint(host: dict[str, Any]) -> Endpoint | None:
    colour = host.get("locality", {}).get("zone")
    if colour not in COLOURS:
        return None
    address = host["address"]["socket_address"]
    numbers = {stat["name"]: int(stat.get("value", 0)) for stat in host.get("stats", [])}
    return Endpoint(
        colour=colour,
        serving=host.get("health_status", {}).get("eds_health_status") == "HEALTHY",
        address=f"{address['address']}:{address['port_value']}",
        connections=numbers.get("cx_active", 0),
        requests=numbers.get("rq_active", 0) + numbers.get("rq_pending_active", 0),
    )


def serving_colour(found: dict[str, list[Endpoint]], names: list[str]) -> Colour | Literal["unknown"]:
    """The one colour that serves in every named cluster; `unknown` when a cluster is missing, empty or disagrees."""
    seen = {tuple(one.colour for one in found.get(name, []) if one.serving) for name in names}
    if len(seen) != 1:
        return "unknown"
    serving = seen.pop()
    return serving[0] if len(serving) == 1 else "unknown"


def http_held(text: bytes) -> bool:
    """True when every request asks the gate, from `/runtime`.

    Raises:
        UnknownError: not the answer of an Envoy.
    """
    try:
        entry = msgspec.json.decode(text)["entries"].get(RUNTIME_KEY, {})
        return str(entry.get("final_value", "0")) == "100"
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise UnknownError(
            "Envoy's /runtime is not understood", evidence=f"{type(error).__name__}"
        ) from error


def gauges(text: bytes) -> dict[str, int]:
    """Name to value of the numbers in `/stats?format=json`.

    Raises:
        UnknownError: not the answer of an Envoy.
    """
    try:
        stats = msgspec.json.decode(text)["stats"]
        return {one["name"]: int(one["value"]) for one in stats if "name" in one}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise UnknownError("Envoy's /stats is not understood", evidence=f"{type(error).__name__}") from error


def tcp_held(numbers: dict[str, int]) -> bool:
    """True when no listener accepts a connection."""
    return numbers.get(_TCP_HOLD) == 1


def in_flight(found: dict[str, list[Endpoint]], http: list[str], tcp: list[str], colour: Colour) -> InFlight:
    """Work of `colour`: requests of the `http` clusters, connections of the `tcp` ones."""
    requests = sum(one.requests for name in http for one in found.get(name, []) if one.colour == colour)
    connections = sum(one.connections for name in tcp for one in found.get(name, []) if one.colour == colour)
    return InFlight(requests=requests, connections=connections)
