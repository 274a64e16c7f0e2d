"""How many clients are connected to a proxy now, by protocol: counted where they arrive, whichever colour serves them."""

from urllib.parse import urlsplit

from bmswitch.model.config import Frontends
from bmswitch.model.errors import UnknownError
from bmswitch.proxy.layout import split_address
from bmswitch.proxy.sockets import arrived


def open_clients(frontends: Frontends) -> dict[str, int]:
    """Open client connections of this machine by protocol (`http`, `imap`, `smtp`).

    A protocol is left out where none of its ports listens on this machine, and all are where the kernel does not tell.
    Told by port: the address that clients use may be one that another machine forwards.
    """
    ports = {
        "http": {_port(url) for url in frontends.http},
        "imap": {split_address(address)[1] for address in frontends.imap},
        "smtp": {split_address(address)[1] for address in frontends.smtp},
    }
    try:
        found = arrived({port for of_protocol in ports.values() for port in of_protocol})
    except UnknownError:
        return {}
    return {
        protocol: sum(found[port] for port in of_protocol if port in found)
        for protocol, of_protocol in ports.items()
        if not of_protocol.isdisjoint(found)
    }


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
