"""Waits until a core's REST API answers: `python -m bmswitch.lab.supervisor.wait_rest ADDRESS PORT PID SECONDS`.

Imports nothing slow: it is on the way of every start of a core. Exit codes: 0 it answers, 1 it died, 2 too late.
"""

import socket
import sys
import time

from bmswitch.lab.supervisor.alive import start_ticks

_REQUEST = b"GET /api/system/installation/state HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
_POLL = 0.03


def main() -> int:
    """Polls with a deadline; any HTTP answer counts."""
    address, port, pid, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if start_ticks(pid) is None:
            sys.stderr.write("it stopped while it started\n")
            return 1
        if _answers(address, port):
            return 0
        time.sleep(_POLL)
    sys.stderr.write(f"no answer within {seconds:g} s\n")
    return 2


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2.0) as connection:
            connection.sendall(_REQUEST)
            return connection.recv(7).startswith(b"HTTP/1")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
