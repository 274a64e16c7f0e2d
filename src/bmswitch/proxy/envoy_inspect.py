"""A look at one running Envoy, by its admin interface: what runs, not what its files say."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from bmswitch.model.config import EnvoyNode
from bmswitch.model.errors import UnknownError, UnreachableError
from bmswitch.proxy import envoy_admin as admin
from bmswitch.proxy.envoy_files import RUNTIME_KEY
from bmswitch.proxy.inspection import Inspection, open_files_limit
from bmswitch.proxy.layout import COLOURS, HOLD_CAP_MS
from bmswitch.proxy.sockets import listener, resolve, shortest_queue

_STOP: Final = "envoy.overload_actions.stop_accepting_connections"


def inspect_envoy(node: EnvoyNode, *, timeout: float) -> Inspection:
    """Facts about one Envoy; `timeout` bounds each question, in seconds.

    Raises:
        UnreachableError, UnknownError: no answer, or none that is understood.
    """
    with httpx.Client(base_url=node.admin, timeout=timeout, trust_env=False) as client:
        dump = _ask(client, "/config_dump")
        clusters = admin.endpoints(_raw(client, admin.CLUSTERS_PATH))
    pid = listener(node.admin)
    return Inspection(
        missing=missing_pieces(dump, node),
        unread=[] if pid else ["Envoy's process"],
        waits=waits(dump),
        files=open_files_limit(pid) if pid else None,
        backlog=shortest_queue([pid], but=frozenset(resolve(urlsplit(node.admin).netloc))) if pid else None,
        kept_outside=True,
        clients=breakers(dump, node.clusters + node.tcp_clusters),
        cap=HOLD_CAP_MS / 1000,  # the gate's own, and it is of this version or refuses
        skew=0.0,  # the gate keeps the deadline, and is reached by a unix socket: the same machine
        mail={
            colour: [
                end.address
                for name in node.tcp_clusters
                for end in clusters.get(name, [])
                if end.colour == colour
            ]
            for colour in COLOURS
        },
    )


def missing_pieces(dump: Any, node: EnvoyNode) -> list[str]:
    """What the running configuration lacks for hold and flip."""
    managers = [one for one in walk(dump) if "http_filters" in one]
    missing = [
        f"HTTP listener {one.get('stat_prefix', '')} does not ask the gate"
        for one in managers
        if not any(_is_gate(part) for part in one["http_filters"])
    ]
    if not managers:
        missing.append("no HTTP listener")
    if not any(one.get("name") == _STOP for one in walk(dump)):
        missing.append("no overload action that stops accepting connections")
    known = {one["name"] for one in walk(dump) if one.get("type") == "EDS" and "name" in one}
    return missing + [
        f"no cluster {name} by files" for name in node.clusters + node.tcp_clusters if name not in known
    ]


def _is_gate(part: dict[str, Any]) -> bool:
    config = part.get("typed_config", {})
    return (
        config.get("filter_enabled", {}).get("runtime_key") == RUNTIME_KEY
        and config.get("failure_mode_allow") is True
    )


def waits(dump: Any) -> dict[str, float]:
    """Seconds for which Envoy lets a held request wait: for the gate's answer, and as a whole; those that are off are left out."""
    found: dict[str, float] = {}
    for one in walk(dump):
        if "server_uri" in one:
            found["ext_authz timeout"] = _seconds(one["server_uri"].get("timeout", "0.2s"))
        if "http_filters" in one:
            name = one.get("stat_prefix", "")
            found[f"{name} stream_idle_timeout"] = _seconds(one.get("stream_idle_timeout", "300s"))
            found[f"{name} request_timeout"] = _seconds(one.get("request_timeout", "0s"))
            for limit in ("max_stream_duration", "max_connection_duration"):
                text = one.get("common_http_protocol_options", {}).get(limit, "0s")
                found[f"{name} {limit}"] = _seconds(text)
    return {name: seconds for name, seconds in found.items() if seconds}


def breakers(dump: Any, names: list[str]) -> int | None:
    """The lowest circuit breaker of the named clusters; 1024 is Envoy's default."""
    limits = ("max_connections", "max_pending_requests", "max_requests")
    found = [
        int(threshold.get(limit, 1024))
        for one in walk(dump)
        if one.get("name") in names and one.get("type") == "EDS"
        for threshold in one.get("circuit_breakers", {}).get("thresholds", [{}])
        for limit in limits
    ]
    return min(found, default=None)


def walk(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from walk(value)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)s", text)
    return float(found[1]) if found else 0.0


def _ask(client: httpx.Client, path: str) -> Any:
    try:
        return msgspec.json.decode(_raw(client, path))
    except msgspec.DecodeError as error:
        raise UnknownError(f"Envoy's {path} is not understood", evidence=str(error)) from error


def _raw(client: httpx.Client, path: str) -> bytes:
    try:
        return client.get(path).content
    except httpx.HTTPError as error:
        raise UnreachableError(
            "Envoy's admin interface does not answer",
            evidence=f"{client.base_url}: {type(error).__name__}",
            next_command="start Envoy again: docs/proxy.md, Envoy",
        ) from error
