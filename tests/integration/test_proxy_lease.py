"""A hold outlives nobody: its controller is killed or frozen, its proxy is unreachable or frozen, its deadline is absurd."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import (
    DRIVERS,
    Node,
    children,
    epoch_ms,
    greeting,
    http_colour,
    running_node,
    until,
)

from bmswitch.model.config import HaproxyNode, NginxNode
from bmswitch.model.errors import UnreachableError
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.haproxy_render import map_text
from bmswitch.proxy.haproxy_socket import MasterSocket
from bmswitch.proxy.nginx_script import state_text

CONTROLLER = """\
import sys, time, msgspec
from bmswitch.model.config import AnyNode
from bmswitch.model.errors import RefusedError
from bmswitch.proxy.open import open_node
node = open_node(msgspec.json.decode(sys.argv[1], type=AnyNode))
node.hold(int((time.time() + 1.5) * 1000), 5)
print("held", flush=True)
sys.stdin.readline()
try:
    node.hold(int((time.time() + 5) * 1000), 5)
    print("renewed", flush=True)
except RefusedError:
    print("refused", flush=True)
"""


@pytest.fixture(params=DRIVERS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    require_real(request.param)
    with running_node(request.param, tmp_path) as running:
        yield running


@contextmanager
def controller(node: Node) -> Iterator["subprocess.Popen[str]"]:
    """Another bmswitch, which holds the node for 1.5 s and wants to renew when it is told to."""
    config = msgspec.json.encode(node.config).decode()
    command = [sys.executable, "-c", CONTROLLER, config]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield other
        finally:
            other.kill()


async def everything(node: Node) -> list[str]:
    """The colour that answers on each frontend, however long it takes."""
    async with aiohttp.ClientSession() as session:
        web = [http_colour(session, one) for one in node.http]
        return await asyncio.gather(*web, greeting(node.imap), greeting(node.smtp))


@pytest.mark.slow
def test_a_killed_controller_leaves_a_lease_that_ends_by_itself(node: Node) -> None:
    with controller(node) as other:
        other.kill()
        held_until = node.proxy.read().hold_until_ms
        assert held_until > 0
        assert node.loop.run(everything(node)) == ["blue"] * 4
        assert epoch_ms(0) >= held_until
        until("nothing is held", lambda: node.proxy.read().hold_until_ms == 0)


def test_a_frozen_controller_that_wakes_up_finds_its_lease_gone_and_its_fence_old(node: Node) -> None:
    with controller(node) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        os.kill(other.pid, signal.SIGSTOP)
        assert node.loop.run(everything(node)) == ["blue"] * 4
        until("nothing is held", lambda: node.proxy.read().hold_until_ms == 0)
        node.proxy.flip("green", 6)
        before = node.proxy.read()
        other.stdin.write("renew\n")
        other.stdin.flush()
        os.kill(other.pid, signal.SIGCONT)
        assert other.stdout.readline() == "refused\n"
        assert node.proxy.read() == before
        assert node.loop.run(everything(node)) == ["green"] * 4


def test_without_its_proxy_no_order_is_called_done_and_a_start_brings_the_newer_intent(node: Node) -> None:
    node.hold(6)
    node.kill(node.driver)
    for order in (lambda: node.flip("green"), node.release, node.proxy.read):
        with pytest.raises(UnreachableError):
            order()
    node.start(node.driver)
    state = node.proxy.read()
    assert (state.colour, state.hold_until_ms, state.fence) == ("green", 0, 3)
    assert node.loop.run(everything(node)) == ["green"] * 4


def obeys(node: Node) -> bool:
    """One release; until then its file and what runs may differ, which reads `unknown`."""
    try:
        node.release()
    except UnreachableError:
        return False
    return node.answers()


@pytest.mark.slow
def test_a_frozen_proxy_is_not_waited_for(node: Node) -> None:
    """It keeps its connections and its sockets, and answers nothing: an error after the driver's own time, 2 s."""
    main = node.processes[node.driver].pid
    frozen = [main] if node.driver == "envoy" else children(main)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            node.hold(5)
        with pytest.raises(UnreachableError):
            node.proxy.read()
        assert time.monotonic() - began < 12
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    until("it obeys again", lambda: obeys(node))
    assert node.proxy.read().hold_until_ms == 0
    assert node.loop.run(everything(node)) == ["blue"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS[1:])
def test_a_deadline_in_an_hour_is_capped_in_the_proxy_itself(driver: str, tmp_path: Path) -> None:
    """Written past the driver: no request waits longer than 10 s."""
    require_real(driver)
    with running_node("haproxy" if driver == "haproxy" else "nginx", tmp_path) as node:
        if isinstance(node.config, HaproxyNode):
            replace_file(Path(node.config.map_file), map_text("blue", hold_until_ms=epoch_ms(3600), fence=1))
            MasterSocket(node.config.socket, node.config.map_file, timeout=2).set_map(
                {"hold_until": str(epoch_ms(3600))}
            )
        else:
            assert isinstance(node.config, NginxNode)
            replace_file(
                Path(node.config.state_file), state_text("blue", hold_until_ms=epoch_ms(3600), fence=1)
            )
        began = time.monotonic()
        assert node.loop.run(everything(node)) == ["blue"] * 4
        assert 9.5 < time.monotonic() - began < 20
