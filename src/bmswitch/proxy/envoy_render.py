"""Writes an Envoy bootstrap whose endpoints, HTTP hold and TCP hold are files that the gate replaces (proxy-cutover.md 7).

Timeouts are longer than the longest hold (10 s) or off, circuit breakers far above what a hold can collect.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from bmswitch.model.config import Colour
from bmswitch.proxy import envoy_files as files
from bmswitch.proxy.files import replace_file, socket_path
from bmswitch.proxy.layout import GROUPS, HOLD_CAP_MS, Backends, Listener, protocols

_TYPE: Final = "type.googleapis.com/envoy"
_EXTENSIONS: Final = f"{_TYPE}.extensions"
_MANY: Final = 1_000_000  # circuit breakers: never the reason for a refusal
_REFRESH: Final = "0.010s"  # how often the pressure is looked at: the slowest part of a hold
_IDLE: Final = "2100s"  # 35 min: IMAP clients may be silent for 29 (RFC 2177)
_GATE: Final = "bmswitch_gate"


def render_envoy(
    directory: Path,
    listeners: list[Listener],
    backends: Backends,
    *,
    admin: str,
    colour: Colour = "blue",
    upstream_idle: float = 4.0,
    spread: int = 0,
) -> Path:
    """Writes `envoy.json`, `gate.json` and, if missing, the gate's state into `directory`; returns the path of `envoy.json`.

    `admin` is the `host:port` of Envoy's admin interface (loopback). The driver's `gate` is then
    `directory/gate.sock`, its `admin` `http://<admin>`, its clusters `web` (http) and `imap`, `smtp` (tcp) as far as
    listened on. Start `gate_command(directory)` and `envoy_command(directory)` in any order. A state that is there
    already keeps its colour. `upstream_idle` (seconds) must be shorter than the time after which the backends close an idle
    connection: a write that meets a closing connection fails, as it must not be sent twice.
    `spread`: milliseconds over which held requests are let go; 0 is as fast as the gate can. Envoy accepts waiting
    connections at once, whatever is said here.

    Raises:
        ConfigError: a protocol without address, or a path that is too long for a unix socket.
    """
    directory = directory.absolute()
    clusters = [
        files.GateCluster(GROUPS[p], p, backends["blue"][p], backends["green"][p])
        for p in protocols(listeners, backends)
    ]
    socket_path(directory / files.CONTROL_SOCKET)
    directory.mkdir(parents=True, exist_ok=True)
    gate = files.GateConfig(admin, clusters, spread)
    replace_file(directory / files.GATE, msgspec.json.format(msgspec.json.encode(gate)).decode() + "\n")
    _first_state(directory, clusters, colour)
    bootstrap = directory / files.BOOTSTRAP
    replace_file(
        bootstrap,
        json.dumps(_bootstrap(directory, listeners, clusters, admin, upstream_idle), indent=1) + "\n",
    )
    return bootstrap


def envoy_command(directory: Path, *, binary: str = "envoy", concurrency: int = 2) -> list[str]:
    """Argument list that starts the rendered Envoy in the foreground (SIGTERM stops it)."""
    return [
        binary,
        *("-c", str(directory.absolute() / files.BOOTSTRAP)),
        *("--concurrency", str(concurrency)),
        *("--log-level", "warning"),
        "--disable-hot-restart",
    ]


def gate_command(directory: Path) -> list[str]:
    """Argument list that starts the gate beside it in the foreground (SIGTERM stops it)."""
    return [sys.executable, "-m", "bmswitch.proxy.gate", "--dir", str(directory.absolute())]


def _first_state(directory: Path, clusters: list[files.GateCluster], colour: Colour) -> None:
    """Everything that Envoy reads at its start, for a first start without gate; the state itself comes last."""
    state = directory / files.STATE
    if state.exists():
        return
    for cluster in clusters:
        replace_file(directory / files.eds_file(cluster.name), files.eds_text(cluster, colour, "0"))
    replace_file(directory / files.RUNTIME, files.runtime_text("0", held=False))
    replace_file(directory / files.PRESSURE, files.pressure_text(held=False))
    replace_file(state, msgspec.json.encode(files.GateState(colour)).decode() + "\n")


def _bootstrap(
    directory: Path,
    listeners: list[Listener],
    clusters: list[files.GateCluster],
    admin: str,
    upstream_idle: float,
) -> dict[str, Any]:
    return {
        "node": {"id": "bmswitch", "cluster": "bmswitch"},
        "admin": {"address": files.socket_address(admin)},
        "layered_runtime": {"layers": [_runtime_layer(directory)]},
        "overload_manager": _overload(directory),
        "static_resources": {
            "listeners": [_listener(number, one) for number, one in enumerate(listeners)],
            "clusters": [
                *(_cluster(directory, one, upstream_idle) for one in clusters),
                _gate_cluster(directory),
            ],
        },
    }


def _runtime_layer(directory: Path) -> dict[str, Any]:
    source = {"path_config_source": {"path": str(directory / files.RUNTIME)}, "resource_api_version": "V3"}
    return {"name": files.RUNTIME_LAYER, "rtds_layer": {"name": files.RUNTIME_LAYER, "rtds_config": source}}


def _overload(directory: Path) -> dict[str, Any]:
    monitor = "envoy.resource_monitors.injected_resource"
    return {
        "refresh_interval": _REFRESH,
        "resource_monitors": [
            {
                "name": monitor,
                "typed_config": {
                    "@type": f"{_EXTENSIONS}.resource_monitors.injected_resource.v3.InjectedResourceConfig",
                    "filename": str(directory / files.PRESSURE),
                },
            }
        ],
        "actions": [
            {
                "name": "envoy.overload_actions.stop_accepting_connections",
                "triggers": [{"name": monitor, "threshold": {"value": 0.95}}],
            }
        ],
    }


def _cluster(directory: Path, cluster: files.GateCluster, upstream_idle: float) -> dict[str, Any]:
    source = {
        "path_config_source": {"path": str(directory / files.eds_file(cluster.name))},
        "resource_api_version": "V3",
    }
    made = {
        "name": cluster.name,
        "type": "EDS",
        "connect_timeout": "2s",
        "eds_cluster_config": {"eds_config": source},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},  # never the draining colour
        "circuit_breakers": _breakers(),
    }
    return made | (_http_options(upstream_idle) if cluster.protocol == "http" else {})


def _http_options(upstream_idle: float) -> dict[str, Any]:
    protocol: dict[str, Any] = {"explicit_http_config": {"http_protocol_options": {}}}
    options = {
        "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": f"{upstream_idle:.3f}s"},
    }
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options | protocol
        }
    }


def _gate_cluster(directory: Path) -> dict[str, Any]:
    address = {"pipe": {"path": str(directory / files.HOLD_SOCKET)}}
    return {
        "name": _GATE,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": _breakers(),
        "load_assignment": {
            "cluster_name": _GATE,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _breakers() -> dict[str, Any]:
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), _MANY)
    return {"thresholds": [{"priority": "DEFAULT"} | limits]}


def _listener(number: int, listener: Listener) -> dict[str, Any]:
    name = f"{listener.protocol}_{number}"
    chain = (
        _http_filter(name) if listener.protocol == "http" else _tcp_filter(name, GROUPS[listener.protocol])
    )
    return {
        "name": name,
        "address": files.socket_address(listener.address),
        "filter_chains": [{"filters": [chain]}],
        "tcp_backlog_size": 4096,
    }


def _tcp_filter(name: str, cluster: str) -> dict[str, Any]:
    return {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": name,
            "cluster": cluster,
            "idle_timeout": _IDLE,
            "max_connect_attempts": 3,
        },
    }


def _http_filter(name: str) -> dict[str, Any]:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "generate_request_id": False,
            "stream_idle_timeout": _IDLE,
            "request_timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "route_config": {"name": name, "virtual_hosts": [_routes()]},
            "http_filters": [_hold_filter(), _router_filter()],
        },
    }


def _routes() -> dict[str, Any]:
    """Reads are tried again after any reset, everything else only when the backend can not have begun with it."""
    safe = "connect-failure,refused-stream,reset-before-request"
    reads = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS|PROPFIND"}}}
    return {
        "name": "all",
        "domains": ["*"],
        "routes": [
            {"match": {"prefix": "/", "headers": [reads]}, "route": _route(f"{safe},reset")},
            {"match": {"prefix": "/"}, "route": _route(safe)},
        ],
    }


def _route(retry_on: str) -> dict[str, Any]:
    return {
        "cluster": GROUPS["http"],
        "timeout": "0s",
        "retry_policy": {"retry_on": retry_on, "num_retries": 2},
    }


def _hold_filter() -> dict[str, Any]:
    """Asks the gate, and waits for its answer, only while the runtime key says so.

    A gate that dies is asked again: its understudy, or its successor, answers. With neither, all pass after `timeout`.
    Envoy 1.40 gives up and repeats each question after `max_interval` too: it must be as long as the hold.
    """
    timeout = f"{HOLD_CAP_MS / 1000 + 2:.0f}s"
    again = {
        "retry_on": "connect-failure,reset",
        "num_retries": 40,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": timeout},
    }
    return {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.filters.http.ext_authz.v3.ExtAuthz",
            "failure_mode_allow": True,
            "filter_enabled": {
                "runtime_key": files.RUNTIME_KEY,
                "default_value": {"numerator": 0, "denominator": "HUNDRED"},
            },
            "http_service": {
                "server_uri": {"uri": "http://gate", "cluster": _GATE, "timeout": timeout},
                "retry_policy": again,
            },
        },
    }


def _router_filter() -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
    }
