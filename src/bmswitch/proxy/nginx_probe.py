"""Asks each of nginx's listeners which colour it would use now: through the listener itself, past the hold.

The question comes from an address of its own on loopback (`PROBE_SOURCE`); the answer is what the worker that took the
connection reads in the state file at that moment.
"""

import socket
import ssl
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bmswitch.model.errors import UnreachableError
from bmswitch.proxy.layout import split_address
from bmswitch.proxy.nginx_script import PROBE_SOURCE, STATE_PATH

_LARGEST_ANSWER: Final = 4096


class Said(msgspec.Struct, frozen=True):
    """What one listener answered: colour (`none`: the file can not be read), deadline, fence, its cap and its clock.

    Times are milliseconds (epoch). A listener without the script says something else: `colour` is then empty and
    `strange` is how its answer began.
    """

    colour: str
    hold_until_ms: int = 0
    fence: int = 0
    cap_ms: int = 0
    clock_ms: int = 0
    strange: str = ""


def ask_http(url: str, deadline: float) -> Said:
    """One HTTP listener's answer, until the monotonic `deadline`.

    Raises:
        UnreachableError: no connection, or no answer in time.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    question = f"GET {STATE_PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    text = _ask(parts.hostname or "", port, deadline, question, tls=parts.scheme == "https")
    head, _, body = text.partition("\r\n\r\n")
    return parse_said(body) if " 200 " in head.partition("\r\n")[0] else Said("", strange=head[:60])


def ask_tcp(address: str, deadline: float) -> Said:
    """One IMAP or SMTP listener's answer, until the monotonic `deadline`.

    Raises:
        UnreachableError: no connection, or no answer in time.
    """
    host, port = split_address(address.removeprefix("tls://"))
    return parse_said(_ask(host, port, deadline, "", tls=address.startswith("tls://")))


def parse_said(text: str) -> Said:
    """`colour deadline fence cap clock`, or what else it is."""
    words = text.split()
    if len(words) == 5 and words[0] in {"blue", "green", "none"} and all(w.isdecimal() for w in words[1:]):
        until, fence, cap, clock = (int(word) for word in words[1:])
        return Said(words[0], until, fence, cap, clock)
    return Said("", strange=text[:60])


def _ask(host: str, port: int, deadline: float, question: str, *, tls: bool) -> str:
    try:
        with socket.create_connection(
            (host, port), timeout=_left(deadline), source_address=(PROBE_SOURCE, 0)
        ) as plain:
            link = _secured(plain, host) if tls else plain
            link.sendall(question.encode())
            return _read(link, deadline, whole=bool(question))
    except OSError as error:
        raise UnreachableError(
            f"nginx's listener {host}:{port} does not answer",
            evidence=f"{type(error).__name__}: {error}",
            consequence="nginx goes on as it is; a hold that was set ends by itself",
            next_command="start nginx again, or correct `http` and `tcp` of this node: docs/proxy.md, nginx",
        ) from error


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    """Without a look at the certificate: it never leaves this machine, and its name is not this address."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)


def _read(link: socket.socket, deadline: float, *, whole: bool) -> str:
    """All that comes, or the first line of one who speaks first."""
    found = b""
    while len(found) < _LARGEST_ANSWER and (whole or b"\n" not in found):
        link.settimeout(_left(deadline))
        part = link.recv(_LARGEST_ANSWER)
        if not part:
            break
        found += part
    return found.decode(errors="replace")


def _left(deadline: float) -> float:
    return max(0.001, deadline - time.monotonic())
