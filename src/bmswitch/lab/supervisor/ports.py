"""Free ports, and who has the ones that are taken."""

import contextlib
import secrets
import socket
from collections.abc import Iterable

from bmswitch.lab.supervisor.process import wait_until
from bmswitch.model.errors import LabError

FIRST, LAST = 20_000, 31_999  # below the range from which the system takes ports for outgoing connections
_TRIES = 200
_LEAVING = 1.0


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def pick(wanted: dict[str, str], taken: Iterable[int] = ()) -> dict[str, int]:
    """A free port for each name (`{"proxy_http": "127.0.0.1"}`), no number twice.

    Raises:
        LabError: an address does not exist here, or no port is free.
    """
    used = set(taken)
    chosen: dict[str, int] = {}
    for name, address in wanted.items():
        _require_address(address)
        for _ in range(_TRIES):
            port = FIRST + secrets.randbelow(LAST - FIRST + 1)  # no seed: two labs at once should not collide
            if port not in used and is_free(address, port):
                break
        else:
            raise LabError(
                "no free port was found", evidence=f"{_TRIES} tries between {FIRST} and {LAST} on {address}"
            )
        used.add(port)
        chosen[name] = port
    return chosen


def require_free(part: str, address: str, port: int) -> None:
    """Raises LabError when somebody else listens where a part must; a process that ends just now gets a second."""
    if not wait_until(lambda: is_free(address, port), _LEAVING):
        raise LabError(
            f"the port of {part} is taken",
            evidence=f"another program listens on {address}:{port}",
            consequence="the other parts run on",
            next_command=f"stop it (ss -ltnp 'sport = :{port}'), or take new ports: bmswitch lab down, bmswitch lab up",
        )


def accepts(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1.0):
        return True
    return False


def _require_address(address: str) -> None:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise LabError(
                "an address of the lab can not be used on this machine",
                evidence=f"{address}: {error.strerror}",
                next_command="Linux has all of 127.0.0.0/8 on its loopback interface; elsewhere add the address to it",
            ) from error
