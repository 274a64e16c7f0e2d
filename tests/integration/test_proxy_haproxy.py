"""What only HAProxy can get wrong: workers that a reload leaves behind, a map without colour, a map that differs."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import Node, epoch_ms, greeting, http_colour, running_node, until

from bmswitch.model.config import HaproxyNode
from bmswitch.model.errors import UnknownError
from bmswitch.proxy.haproxy_render import map_text
from bmswitch.proxy.haproxy_socket import MasterSocket
from bmswitch.proxy.open import open_node

pytestmark = pytest.mark.real


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    require_real("haproxy")
    with running_node("haproxy", tmp_path) as running:
        yield running


def master(node: Node) -> MasterSocket:
    assert isinstance(node.config, HaproxyNode)
    return MasterSocket(node.config.socket, node.config.map_file, timeout=2)


def tell_worker(node: Node, command: str) -> str:
    """A command by hand, past the driver."""
    assert isinstance(node.config, HaproxyNode)
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(2)
        link.connect(node.config.socket)
        link.sendall(f"@!{master(node).workers()[0]} {command}\n".encode())
        link.shutdown(socket.SHUT_WR)
        return link.makefile().read()


def test_workers_of_before_a_reload_follow_too(node: Node) -> None:
    """A reload in the hold leaves an old worker with what it holds: it must go to green as well."""

    async def scenario() -> list[str]:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            await loop.run_in_executor(None, node.hold, 8.0)
            work = [
                asyncio.create_task(http_colour(session, node.http[0])),
                asyncio.create_task(greeting(node.imap)),
            ]
            await asyncio.sleep(0.3)
            os.kill(node.processes["haproxy"].pid, signal.SIGUSR2)
            await loop.run_in_executor(
                None, until, "two workers", lambda: node.answers() and len(master(node).workers()) == 2
            )
            await loop.run_in_executor(None, node.flip, "green")
            await loop.run_in_executor(None, node.release)
            return await asyncio.wait_for(asyncio.gather(*work), 2)

    assert node.loop.run(scenario()) == ["green"] * 2


def test_a_map_without_colour_refuses_and_never_guesses(node: Node) -> None:
    assert isinstance(node.config, HaproxyNode)
    tell_worker(node, f"del map {node.config.map_file} active")

    async def ask() -> str:
        async with aiohttp.ClientSession() as session:
            return await http_colour(session, node.http[0])

    assert node.loop.run(ask()) == "HTTP 503"
    with pytest.raises(ConnectionError):
        node.loop.run(greeting(node.imap))
    assert node.proxy.read().colour == "unknown"


def test_a_worker_that_differs_from_the_file_makes_the_colour_unknown(node: Node) -> None:
    assert isinstance(node.config, HaproxyNode)
    tell_worker(node, f"set map {node.config.map_file} active green")
    assert node.proxy.read().colour == "unknown"
    node.flip("green")
    assert node.proxy.read().colour == "green"


def test_a_fence_that_only_the_file_has_is_nothing_but_under_a_hold(node: Node) -> None:
    """A master that was silent when it was told to let go: its workers never heard of it, and hold nothing any more."""
    assert isinstance(node.config, HaproxyNode)
    path = Path(node.config.map_file)
    path.write_text(map_text("blue", hold_until_ms=0, fence=9))
    state = node.proxy.read()
    assert (state.colour, state.hold_until_ms, state.fence) == ("blue", 0, 9)
    until_ms = epoch_ms(5)
    tell_worker(node, f"set map {path} hold_until {until_ms}")
    path.write_text(map_text("blue", hold_until_ms=until_ms, fence=9))
    assert node.proxy.read().colour == "unknown"


def test_a_backend_that_does_not_exist_is_not_counted_as_quiet(node: Node) -> None:
    assert isinstance(node.config, HaproxyNode)
    wrong = open_node(
        HaproxyNode(
            name="edge",
            socket=node.config.socket,
            map_file=node.config.map_file,
            backends={"blue": ["webb_blue"], "green": ["web_green"]},
        )
    )
    with pytest.raises(UnknownError, match="no backend webb_blue"):
        wrong.in_flight("blue")
