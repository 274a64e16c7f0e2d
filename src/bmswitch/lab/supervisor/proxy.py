"""The proxy in front of both sites: Envoy with its gate (embedded), HAProxy or nginx (real), pointing at blue at first."""

import getpass
import os
from pathlib import Path

from bmswitch.lab.supervisor import ports, programs
from bmswitch.lab.supervisor.layout import ADDRESSES, COLOURS, SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn
from bmswitch.lab.supervisor.state import ProxyKind, State
from bmswitch.model.config import AnyNode, EnvoyNode, Frontends, HaproxyNode, NginxNode
from bmswitch.proxy.layout import Backends, Listener, Protocol

GATE = "gate"
READY = 15.0
_PROTOCOLS: tuple[Protocol, ...] = ("http", "imap", "smtp")


def render(layout: Layout, state: State) -> None:
    """Writes the proxy's configuration; a colour that it has kept stays."""
    listeners = [Listener(protocol, frontend(state, protocol)) for protocol in _PROTOCOLS]
    if state.proxy == "envoy":
        from bmswitch.proxy.envoy_render import render_envoy  # noqa: PLC0415 -- only the chosen driver is loaded

        render_envoy(layout.proxy, listeners, backends(state), admin=_admin(state))
    elif state.proxy == "nginx":
        from bmswitch.proxy.nginx_render import render_nginx  # noqa: PLC0415 -- the same

        user = getpass.getuser() if os.geteuid() == 0 else ""
        render_nginx(layout.proxy, listeners, backends(state), probe=_admin(state), user=user)
    else:
        from bmswitch.proxy.haproxy_render import render_haproxy  # noqa: PLC0415 -- the same

        render_haproxy(layout.proxy, listeners, backends(state))


def names(kind: ProxyKind) -> list[str]:
    """The parts of this proxy."""
    return ["envoy", GATE] if kind == "envoy" else [kind]


def start(layout: Layout, state: State, name: str) -> Process:
    """Starts one of them without waiting."""
    if name == GATE:
        from bmswitch.proxy.envoy_render import gate_command  # noqa: PLC0415 -- only the chosen driver is loaded

        return spawn(layout, name, gate_command(layout.proxy))
    for protocol in _PROTOCOLS:
        ports.require_free(name, SHARED_ADDRESS, state.ports[f"proxy_{protocol}"])
    return spawn(layout, name, _command(layout.proxy, state.proxy))


def finish(layout: Layout, state: State, process: Process) -> None:
    """Waits until the gate answers, or every frontend accepts connections."""
    if process.name == GATE:
        await_ready(layout, process, (layout.proxy / "gate.sock").is_socket, READY)
        return
    wanted = [state.ports[f"proxy_{protocol}"] for protocol in _PROTOCOLS]
    await_ready(layout, process, lambda: all(ports.accepts(SHARED_ADDRESS, port) for port in wanted), READY)


def frontend(state: State, protocol: str) -> str:
    """Where clients connect, `127.0.0.1:port`."""
    return f"{SHARED_ADDRESS}:{state.ports[f'proxy_{protocol}']}"


def address(state: State, name: str) -> str:
    """What is shown for one of the proxy's parts."""
    return "proxy/gate.sock" if name == GATE else f"http://{frontend(state, 'http')}"


def backends(state: State) -> Backends:
    """Both colours' addresses for each protocol."""
    return {c: {p: f"{ADDRESSES[c]}:{state.ports[f'{c}_{p}']}" for p in _PROTOCOLS} for c in COLOURS}


def node(state: State, base: Path = Path()) -> AnyNode:
    """The node as the configuration names it; its paths are below `base`, else relative to the lab's folder."""
    frontends = Frontends(
        http=[f"http://{frontend(state, 'http')}"],
        imap=[frontend(state, "imap")],
        smtp=[frontend(state, "smtp")],
    )
    if state.proxy == "envoy":
        return EnvoyNode(
            name="envoy-1",
            gate=str(base / "proxy/gate.sock"),
            admin=f"http://{_admin(state)}",
            clusters=["web"],
            tcp_clusters=["imap", "smtp"],
            frontends=frontends,
        )
    if state.proxy == "nginx":
        return _nginx_node(state, base, frontends)
    return HaproxyNode(
        name="haproxy-1",
        socket=str(base / "proxy/master.sock"),
        map_file=str(base / "proxy/cut.map"),
        backends={"blue": ["web_blue"], "green": ["web_green"]},
        tcp_backends={"blue": ["imap_blue", "smtp_blue"], "green": ["imap_green", "smtp_green"]},
        frontends=frontends,
    )


def _nginx_node(state: State, base: Path, frontends: Frontends) -> NginxNode:
    there = backends(state)
    return NginxNode(
        name="nginx-1",
        state_file=str(base / "proxy/state"),
        pid_file=str(base / "proxy/nginx.pid"),
        backends={colour: [there[colour]["http"]] for colour in COLOURS},
        http=frontends.http,
        tcp=frontends.imap + frontends.smtp,
        tcp_backends={colour: [there[colour]["imap"], there[colour]["smtp"]] for colour in COLOURS},
        frontends=frontends,
    )


def _admin(state: State) -> str:
    return f"{SHARED_ADDRESS}:{state.ports['proxy_admin']}"


def _command(folder: Path, kind: ProxyKind) -> list[str]:
    if kind == "envoy":
        from bmswitch.proxy.envoy_render import envoy_command  # noqa: PLC0415 -- only the chosen driver is loaded

        return envoy_command(folder, binary=programs.require("envoy"))
    if kind == "nginx":
        from bmswitch.proxy.nginx_render import nginx_command  # noqa: PLC0415 -- the same

        return nginx_command(folder, binary=programs.require("nginx"))
    from bmswitch.proxy.haproxy_render import haproxy_command  # noqa: PLC0415 -- the same

    return haproxy_command(folder, binary=programs.require("haproxy"))
