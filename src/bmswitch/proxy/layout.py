"""What a proxy node is made of: frontends that clients talk to, and one backend address per colour and protocol.

Shared by the renderers of both drivers; no I/O here.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.errors import ConfigError

Protocol = Literal["http", "imap", "smtp"]
Backends = dict[Colour, dict[Protocol, str]]
"""`{"blue": {"http": "127.0.1.1:8080", "imap": "127.0.1.1:1143"}, "green": {...}}`; both colours name the same protocols."""

COLOURS: Final[tuple[Colour, Colour]] = ("blue", "green")
GROUPS: Final[dict[Protocol, str]] = {"http": "web", "imap": "imap", "smtp": "smtp"}
"""Protocol to the name that the proxies use: Envoy cluster `web`, HAProxy backends `web_blue`, `web_green`."""

HOLD_CAP_MS: Final = 10_000
"""No hold lasts longer, whatever anybody asks for (proxy-cutover.md 5)."""


LOOK_AGAIN_MS: Final = (15, 35)
"""What is held looks again after a random pause of so many milliseconds: the release takes that long, and `spread` more."""


class Listener(msgspec.Struct, frozen=True):
    """One frontend: what is spoken there and where clients connect, `127.0.0.1:8080`. Several of one protocol are fine."""

    protocol: Protocol
    address: str


def replace_words(text: str, words: Mapping[str, object]) -> str:
    """Each `@name@` in `text` replaced; braces in it are the other language's own."""
    for name, value in words.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def split_address(address: str) -> tuple[str, int]:
    """`host:port` as its two halves; IPv6 hosts stand in brackets.

    Raises:
        ConfigError: no port, or no number in it.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{address!r} is no host:port", next_command="give each address as host:port")
    return host.strip("[]"), int(port)


def protocols(listeners: list[Listener], backends: Backends) -> list[Protocol]:
    """The protocols that are really listened on, in a fixed order, after checking that each can be switched.

    Raises:
        ConfigError: no listener, a protocol without an address in one colour, or the same address in both.
    """
    wanted = [p for p in GROUPS if any(listener.protocol == p for listener in listeners)]
    if not wanted:
        raise ConfigError("a proxy node needs one listener at least")
    for protocol in wanted:
        pair = [backends.get(colour, {}).get(protocol, "") for colour in COLOURS]
        if "" in pair:
            raise ConfigError(
                f"{protocol} is listened on, but {COLOURS[pair.index('')]} has no address for it",
                next_command=f"name an address for {protocol} in both colours",
            )
        if pair[0] == pair[1]:
            raise ConfigError(f"{protocol} has the same address {pair[0]} in both colours")
        for address in pair:
            split_address(address)
    for listener in listeners:
        split_address(listener.address)
    return wanted
