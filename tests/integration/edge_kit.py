"""A second proxy node beside a lab: its folder is that of a lab with nothing but a proxy, so that clients can be sent through it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import yaml
from tests.integration.line_kit import Line

from bmswitch.lab.supervisor import down, ports, proxy
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, recorded, stop
from bmswitch.lab.supervisor.state import require_state, write_state
from bmswitch.model.config import AnyNode, Colour
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.haproxy_render import map_text
from bmswitch.proxy.haproxy_socket import MasterSocket, read_map_file

PORTS = ("proxy_http", "proxy_imap", "proxy_smtp", "proxy_admin")


class Edge(Line):
    """The second node. `name` is the configuration's; clients reach it as they reach the lab's own."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        self.name = name

    @property
    def layout(self) -> Layout:
        """Its folders."""
        return Layout(self.lab)

    def running(self) -> Process:
        """Its proxy."""
        found = recorded(self.layout, require_state(self.layout).proxy)
        assert found is not None
        return found

    def kill(self) -> None:
        """kill -9 of it and its workers."""
        assert stop(self.running(), hard=True)

    def start(self) -> None:  # type: ignore[override]
        """It is started again with what its files say."""
        state = require_state(self.layout)
        proxy.finish(self.layout, state, proxy.start(self.layout, state, state.proxy))

    def restart(self) -> None:
        """Both."""
        self.kill()
        self.start()

    def stand_still(self) -> None:
        """HAProxy's master takes connections and never answers; its workers go on."""
        os.kill(self.running().pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """The master again."""
        os.kill(self.running().pid, signal.SIGCONT)

    def lose_socket(self) -> None:
        """HAProxy's master can not be reached any more."""
        self._socket.rename(self._socket.with_suffix(".lost"))

    def find_socket(self) -> None:
        """It can."""
        self._socket.with_suffix(".lost").rename(self._socket)

    def rolled_back(self) -> None:
        """Somebody restores its files as they were before everything, and starts it again."""
        self.kill()
        replace_file(self._map, map_text("blue", hold_until_ms=0, fence=0), durable=False)
        self.start()

    def set_back(self) -> None:
        """Somebody points it at blue."""
        self._set_by_hand("blue")

    def set_forth(self) -> None:
        """Somebody points it at green."""
        self._set_by_hand("green")

    def _set_by_hand(self, colour: Colour) -> None:
        """In its file and in each worker; hold and fence stay."""
        told = read_map_file(self._map)
        text = map_text(colour, hold_until_ms=told.hold_until_ms, fence=told.fence)
        replace_file(self._map, text, durable=False)
        MasterSocket(str(self._socket), str(self._map), timeout=5.0).set_map({"active": colour})

    @property
    def _socket(self) -> Path:
        return self.layout.proxy / "master.sock"

    @property
    def _map(self) -> Path:
        return self.layout.proxy / "cut.map"


@contextmanager
def second_node(line: Line) -> Iterator[Edge]:
    """A node of the lab's kind before the same two sides, and in the lab's configuration; gone with the block."""
    state = require_state(Layout(line.lab))
    name = f"{state.proxy}-2"
    (line.folder / "second").mkdir()
    edge = Edge(line.folder / "second", name)
    edge.layout.make()
    edge.layout.secrets.rmdir()
    edge.layout.secrets.symlink_to(Layout(line.lab).secrets)
    chosen = ports.pick(dict.fromkeys(PORTS, SHARED_ADDRESS), taken=state.ports.values())
    state = msgspec.structs.replace(state, ports=state.ports | chosen)
    write_state(edge.layout, state)
    try:
        proxy.render(edge.layout, state)
        for part in proxy.names(state.proxy):
            proxy.finish(edge.layout, state, proxy.start(edge.layout, state, part))
        _configured(line, msgspec.structs.replace(proxy.node(state, edge.layout.root), name=name))
        yield edge
    finally:
        with suppress(ProcessLookupError, AssertionError):
            edge.go_on()
        down.stop_all(edge.layout)


def _configured(line: Line, node: AnyNode) -> None:
    told = yaml.safe_load(line.config.read_text(encoding="utf-8"))
    told["proxies"].append(msgspec.to_builtins(node))
    text = yaml.safe_dump(told, sort_keys=False, default_flow_style=None, width=100)
    line.config.write_text(text, encoding="utf-8")
