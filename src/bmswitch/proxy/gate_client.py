"""One question to the gate over its unix socket. Standard library only: httpx 0.28 leaks the socket of a refused unix connection."""

import http.client
import socket
from pathlib import Path


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("gate", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Leaves nothing open when it fails."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(self.timeout)
            link.connect(str(self._path))
        except OSError:
            link.close()
            raise
        self.sock = link


def ask_gate(path: Path, target: str, body: bytes | None, *, timeout: float) -> tuple[int, bytes]:
    """Status and body of the answer; POST when there is a body, GET otherwise.

    Raises:
        OSError, http.client.HTTPException: no answer within `timeout` seconds for each step.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET" if body is None else "POST", target, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
