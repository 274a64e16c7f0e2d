"""Greetings of frontends: what each says first. The gate asks them, and the soak when it has no canary account."""

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Executor

import httpx

from bmswitch.model.config import AnyNode
from bmswitch.workflows.sites import trusting

STATE = "/api/system/installation/state"
SERVES = "CORE_STATE_RUNNING"
_PATIENCE = 3.0
_TLS_PORTS = {993, 995, 465}


def probe_all(pool: Executor, nodes: Sequence[AnyNode], *, verify: bool | str) -> list[str]:
    """One look at each frontend, side by side; what is wrong."""
    asked = [
        *(pool.submit(probe_http, node.name, url, verify) for node in nodes for url in node.frontends.http),
        *(pool.submit(probe_tcp, node.name, at, "* OK") for node in nodes for at in node.frontends.imap),
        *(pool.submit(probe_tcp, node.name, at, "220") for node in nodes for at in node.frontends.smtp),
    ]
    return [said for said in (one.result() for one in asked) if said]


def probe_http(node: str, url: str, verify: bool | str) -> str:  # noqa: FBT001 -- as httpx names it
    """What is wrong with a web frontend, empty if nothing."""
    try:
        answer = httpx.get(
            url.rstrip("/") + STATE, timeout=_PATIENCE, verify=trusting(verify), trust_env=False
        )
    except httpx.HTTPError as error:
        return f"{node} {url}: {type(error).__name__}"
    if answer.status_code != 200 or SERVES not in answer.text:
        return f"{node} {url}: HTTP {answer.status_code} {answer.text[:60]}"
    return ""


def probe_tcp(node: str, address: str, greeting: str) -> str:
    """What is wrong with a mail frontend, empty if nothing: its first line must start with `greeting`."""
    try:
        line = first_line(address)
    except OSError as error:
        return f"{node} {address}: {type(error).__name__}"
    return "" if line.startswith(greeting) else f"{node} {address}: greeted with {line[:60]!r}"


def first_line(address: str) -> str:
    """What a mail server at `host:port` says first, over TLS on the ports that are for it; OSError when it does not."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE) as plain:
        return _first_line(plain, host, tls=int(port) in _TLS_PORTS)


def _first_line(plain: socket.socket, host: str, *, tls: bool) -> str:
    if not tls:
        return plain.recv(512).decode("ascii", "replace")
    with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
        return secured.recv(512).decode("ascii", "replace")
