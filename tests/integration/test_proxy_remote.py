"""A node on another machine: its driver runs at the other end of `via`, here another process of the same machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import DRIVERS, Node, epoch_ms, greeting, running_node, until

from bmswitch.model.config import HaproxyNode
from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.proxy.api import InFlight, NodeState
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.open import open_node
from bmswitch.proxy.remote import RemoteProxy

VIA = [str(Path(sys.executable).with_name("bmswitch")), "proxy", "serve"]
LATE_CLOCK = """\
import sys, time
sys.stdin.readline()
for line in sys.stdin:
    part = '"inspection":{"skew":0.0}' if "inspect" in line else '"state":["blue",0,1]'
    part = part.replace('["blue",0,1]', '{"colour":"blue","hold_until_ms":0,"fence":1}')
    print('{"clock_ms":%d,%s}' % ((time.time() + 0.7) * 1000, part), flush=True)
"""


@pytest.fixture(params=DRIVERS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """A node whose `proxy` is driven through `via`."""
    require_real(request.param)
    with running_node(request.param, tmp_path) as running:
        running.proxy.close()
        running.config = msgspec.structs.replace(running.config, via=VIA)
        running.proxy = open_node(running.config)
        yield running


def far(node: Node) -> int:
    """Pid of the process at the other end."""
    assert isinstance(node.proxy, RemoteProxy)
    assert node.proxy._process is not None
    return node.proxy._process.pid


def test_every_call_goes_there_and_its_answer_or_error_comes_back(node: Node) -> None:
    assert isinstance(node.proxy, RemoteProxy)
    until_ms = epoch_ms(8)
    node.proxy.hold(until_ms, 4)
    assert node.proxy.read() == NodeState("blue", until_ms, 4)
    with pytest.raises(RefusedError, match="newer run"):
        node.proxy.flip("green", 3)
    node.proxy.flip("green", 4)
    node.proxy.release(4)
    assert node.proxy.read() == NodeState("green", 0, 4)

    async def mail() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*node.imap.split(":"))
        await reader.readline()
        return reader, writer

    reader, writer = node.loop.run(mail())
    assert node.proxy.in_flight("green") == InFlight(0, 1)
    assert node.proxy.sessions("green").mail == 1
    assert node.proxy.kick("green", 5, 4) == 1
    assert node.loop.run(reader.read()) == b""
    node.loop.loop.call_soon_threadsafe(writer.close)
    found = inspect_node(node.config)
    assert found.missing == []
    assert found.skew is not None
    assert abs(found.skew) < 0.5


@pytest.mark.slow
def test_a_connection_that_is_cut_or_frozen_costs_one_call_and_the_lease_ends_by_itself(node: Node) -> None:
    node.proxy.hold(epoch_ms(2.5), 1)
    os.kill(far(node), signal.SIGKILL)
    with pytest.raises(UnreachableError, match="over its `via`"):
        node.proxy.read()
    assert node.proxy.read().fence == 1
    os.kill(far(node), signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="over its `via`"):
        node.proxy.flip("green", 1)
    assert time.monotonic() - began < 10
    assert node.loop.run(greeting(node.imap)) == "blue"
    until("the lease is over", lambda: node.proxy.read().hold_until_ms == 0)


def test_a_clock_that_is_ahead_there_is_seen() -> None:
    config = HaproxyNode(name="edge", socket="/s", map_file="/m", backends={})
    config = msgspec.structs.replace(config, via=[sys.executable, "-c", LATE_CLOCK])
    skew = inspect_node(config).skew
    assert skew is not None
    assert 0.4 < skew < 1.0


@pytest.mark.parametrize(
    "via", [["false"], ["/nowhere/ssh"], ["sh", "-c", "echo 'Permission denied' >&2; exit 255"]]
)
def test_words_that_start_nothing_are_an_error_that_names_them(via: list[str]) -> None:
    config = HaproxyNode(name="edge", socket="/s", map_file="/m", backends={}, via=via)
    with pytest.raises(UnreachableError) as caught:
        open_node(config).read()
    assert via[0] in caught.value.evidence
    assert ("Permission denied" in caught.value.evidence) == (via[0] == "sh")


def test_an_end_that_nobody_asks_ends_and_nonsense_is_refused_without_a_traceback() -> None:
    assert subprocess.run(VIA, input=b"", capture_output=True, timeout=20, check=False).returncode == 0
    answer = subprocess.run(VIA, input=b"hello\n", capture_output=True, timeout=20, check=False)
    assert answer.returncode == 3
    assert b"Traceback" not in answer.stderr
