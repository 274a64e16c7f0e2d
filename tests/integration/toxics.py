"""Toxiproxy between bmswitch and what it talks to: each edge is an address of its own, made slow, deaf or gone over REST."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from tests.integration.line_kit import wait_for
from tests.integration.parts import require_real

from bmswitch.lab.supervisor import ports, programs
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import spawn, stop

PROGRAM = "toxiproxy-server"
FOR_EVER_MS = 0


class Toxics:
    """A running Toxiproxy; `edges` are its addresses by name."""

    def __init__(self, client: httpx.Client, upstreams: Mapping[str, str], listen: Mapping[str, str]) -> None:
        self._client = client
        self.edges: dict[str, str] = {}
        for name, upstream in upstreams.items():
            where = listen.get(name, f"{SHARED_ADDRESS}:0")
            made = client.post("/proxies", json={"name": name, "listen": where, "upstream": upstream})
            self.edges[name] = made.raise_for_status().json()["listen"]

    def slow(self, edge: str, milliseconds: int) -> None:
        """Each answer comes later."""
        self._add(edge, "latency", {"latency": milliseconds, "jitter": milliseconds // 4})

    def slow_close(self, edge: str, milliseconds: int) -> None:
        """A connection that its other end has closed stays open for a while."""
        self._add(edge, "slow_close", {"delay": milliseconds})

    def deaf(self, edge: str) -> None:
        """Connections are taken and kept, and nothing comes back: a cut cable."""
        self._add(edge, "timeout", {"timeout": FOR_EVER_MS})

    def cut(self, edge: str) -> None:
        """Open connections end, new ones are refused."""
        self._set(edge, enabled=False)

    def heal(self) -> None:
        """All edges as they were."""
        self._client.post("/reset").raise_for_status()

    def _add(self, edge: str, kind: str, attributes: dict[str, int]) -> None:
        toxic = {"name": kind, "type": kind, "stream": "downstream", "attributes": attributes}
        self._client.post(f"/proxies/{edge}/toxics", json=toxic).raise_for_status()

    def _set(self, edge: str, *, enabled: bool) -> None:
        self._client.post(f"/proxies/{edge}", json={"enabled": enabled}).raise_for_status()


@contextmanager
def toxics(
    folder: Path, upstreams: Mapping[str, str], listen: Mapping[str, str] | None = None
) -> Iterator[Toxics]:
    """Toxiproxy before these addresses (`host:port` by the edge's name), at `listen` or free ports; ended with the block."""
    require_real(PROGRAM)
    layout = Layout(folder)
    layout.make()
    port = ports.pick({"api": SHARED_ADDRESS})["api"]
    process = spawn(
        layout, "toxiproxy", [programs.require(PROGRAM), "-host", SHARED_ADDRESS, "-port", str(port)]
    )
    try:
        with httpx.Client(base_url=f"http://{SHARED_ADDRESS}:{port}", timeout=5.0, trust_env=False) as client:
            wait_for(lambda: _answers(client), 15, "Toxiproxy answers")
            yield Toxics(client, upstreams, listen or {})
    finally:
        stop(process)


def _answers(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/version").status_code == httpx.codes.OK
    return False
