"""What one run of the client load is told: where to talk, how much, for how long."""

from typing import Annotated

import msgspec

from bmswitch.model.config import Count, HostPort, Seconds, Url

WRITES = 0.4
Kept = Annotated[int, msgspec.Meta(ge=0, le=100)]


class TrafficConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. Clients use `http_url`, `imap` and `smtp` (the proxy's frontends) and nothing else.

    `core_url` and `token_file` (admin token) only prepare the load users. `rate` is requests a second over all
    protocols, `writes` the share of HTTP requests that write. Without `duration` the run lasts until SIGTERM. `hold` is how long a client waits for a greeting or an
    answer, in seconds. `idle_sessions`, `websockets` and `long_polls` stay open all the time. Files with secrets are read,
    never printed.
    """

    http_url: Url
    imap: HostPort
    smtp: HostPort
    core_url: Url
    token_file: str
    domain: str
    password_file: str
    ledger: str
    users: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 20
    rate: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 400.0
    writes: Annotated[float, msgspec.Meta(ge=0, le=1)] = WRITES
    duration: Seconds | None = None
    seed: int = 1
    hold: Seconds = 10.0
    max_outstanding: Count = 5000
    idle_sessions: Kept = 6
    websockets: Kept = 5
    long_polls: Kept = 5


def split_host(address: str) -> tuple[str, int]:
    """`host:port` as a pair."""
    host, _, port = address.rpartition(":")
    return host, int(port)
