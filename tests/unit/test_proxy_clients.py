"""Clients at a proxy's frontends, counted by the kernel: real sockets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bmswitch.model.config import Frontends
from bmswitch.proxy.clients import open_clients


@contextmanager
def listening() -> Iterator[int]:
    """The port of a listener that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_clients_are_counted_by_protocol_where_they_arrive() -> None:
    with ExitStack() as stack:
        web, imap, submission = (stack.enter_context(listening()) for _ in range(3))
        frontends = Frontends(
            http=[f"http://mail.test:{web}/login"],
            imap=[f"mail.test:{imap}"],
            smtp=[f"mail.test:{submission}"],
        )
        assert open_clients(frontends) == {"http": 0, "imap": 0, "smtp": 0}
        for port, count in ((web, 1), (imap, 3)):
            for _ in range(count):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert open_clients(frontends) == {"http": 1, "imap": 3, "smtp": 0}


def test_a_protocol_that_arrives_at_another_machine_is_not_told() -> None:
    with listening() as imap:
        pass
    with listening() as web:
        frontends = Frontends(http=[f"http://mail.test:{web}"], imap=[f"mail.test:{imap}"])
        assert open_clients(frontends) == {"http": 0}
