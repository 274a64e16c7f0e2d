"""What only Envoy with its gate can get wrong: a gate that dies, an Envoy that goes its own way, kept connections."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import Load, Node, children, greeting, http_colour, running_node, until

from bmswitch.model.config import EnvoyNode
from bmswitch.model.errors import UnreachableError
from bmswitch.proxy.envoy_files import PRESSURE, eds_file, pressure_text
from bmswitch.proxy.envoy_render import gate_command
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.gate_files import GateFiles

STOPPED = "overload.envoy.overload_actions.stop_accepting_connections.active"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    require_real("envoy")
    with running_node("envoy", tmp_path) as running:
        yield running


def gauge(node: Node, name: str) -> int:
    """One number of Envoy's own statistics."""
    assert isinstance(node.config, EnvoyNode)
    text = httpx.get(f"{node.config.admin}/stats?format=json&filter=^{name}$", trust_env=False).content
    return sum(int(one["value"]) for one in json.loads(text)["stats"] if one.get("name") == name)


def test_nothing_asks_the_gate_while_nothing_is_held(node: Node) -> None:
    load = Load(node, rate=200)
    until("the load runs", lambda: node.servers.count("blue", "http") > 100)
    node.flip("green")
    until("green serves", lambda: node.servers.count("green", "http") > 100)
    load.finish()
    assert load.failed == []
    assert gauge(node, "cluster.bmswitch_gate.upstream_rq_total") == 0


def test_a_held_request_is_asked_about_once(node: Node) -> None:
    """However long it is held: asked again and again, some thousand of them would keep gate and Envoy busy."""

    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            await http_colour(session, node.http[0])
            await loop.run_in_executor(None, node.hold, 8.0)
            held = asyncio.create_task(http_colour(session, node.http[0]))
            done, _ = await asyncio.wait([held], timeout=1.2)
            assert not done
            await loop.run_in_executor(None, node.release)
            return await asyncio.wait_for(held, 5)

    assert node.loop.run(scenario()) == "blue"
    assert gauge(node, "cluster.bmswitch_gate.upstream_rq_total") == 1


def test_a_killed_gate_can_not_make_a_hold_last(node: Node) -> None:
    """kill -9 in the hold: what is held stays held, and all of it goes on at the end of the lease, HTTP and TCP."""

    async def scenario() -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            await http_colour(session, node.http[0])
            await loop.run_in_executor(None, node.hold, 1.5)
            began = time.monotonic()
            work = [
                asyncio.create_task(http_colour(session, node.http[0])),
                asyncio.create_task(greeting(node.imap)),
                asyncio.create_task(greeting(node.smtp)),
            ]
            await asyncio.sleep(0.2)
            node.kill("gate")
            done, _ = await asyncio.wait(work, timeout=0.7)
            assert not done
            return await asyncio.wait_for(asyncio.gather(*work), 5), time.monotonic() - began

    colours, seconds = node.loop.run(scenario())
    assert colours == ["blue"] * 3
    assert 1.2 < seconds < 4
    with pytest.raises(UnreachableError):
        node.proxy.read()
    node.start("gate")
    state = node.proxy.read()
    assert (state.colour, state.hold_until_ms, state.fence) == ("blue", 0, 1)


def test_a_gate_that_starts_again_honours_the_hold(node: Node) -> None:
    async def scenario() -> list[str]:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            await http_colour(session, node.http[0])
            await loop.run_in_executor(None, node.hold, 8.0)
            deadline = (await loop.run_in_executor(None, node.proxy.read)).hold_until_ms
            work = [
                asyncio.create_task(http_colour(session, node.http[0])),
                asyncio.create_task(greeting(node.imap)),
            ]
            await asyncio.sleep(0.2)
            node.kill("gate")
            await loop.run_in_executor(None, node.start, "gate")
            assert (await loop.run_in_executor(None, node.proxy.read)).hold_until_ms == deadline
            work.append(asyncio.create_task(http_colour(session, node.http[1])))
            done, _ = await asyncio.wait(work, timeout=0.7)
            assert not done
            await loop.run_in_executor(None, node.flip, "green")
            await loop.run_in_executor(None, node.release)
            return await asyncio.wait_for(asyncio.gather(*work), 3)

    assert node.loop.run(scenario()) == ["green"] * 3


def test_a_gate_whose_service_was_stopped_in_a_hold_lets_go_in_time(node: Node) -> None:
    """SIGTERM to the gate and to its understudy, as a service manager sends it: the lease still ends."""
    node.hold(1.2)
    gate = node.processes["gate"]
    understudies = children(gate.pid)
    assert len(understudies) == 1
    os.kill(understudies[0], signal.SIGTERM)
    gate.end(signal.SIGTERM)
    until("TCP is let go", lambda: gauge(node, STOPPED) == 0, timeout=3)
    assert node.loop.run(greeting(node.imap)) == "blue"


def test_a_start_after_both_were_killed_ends_the_hold(node: Node) -> None:
    """Nobody is left to let go: the next start of the gate does it, whoever starts it."""
    node.hold(0.5)
    for pid in children(node.processes["gate"].pid):
        os.kill(pid, signal.SIGKILL)
    node.kill("gate")
    time.sleep(0.7)
    assert gauge(node, STOPPED) == 1
    node.start("gate")
    assert gauge(node, STOPPED) == 0
    assert node.proxy.read().hold_until_ms == 0


def test_load_loses_nothing_when_the_gate_is_killed_in_a_hold(node: Node) -> None:
    load = Load(node, rate=200)
    until("the load runs", lambda: node.servers.count("blue", "http") > 50)
    node.hold(1.0)
    node.kill("gate")
    seen = node.servers.count("blue", "http")
    until("blue serves again", lambda: node.servers.count("blue", "http") > seen + 250)
    load.finish()
    assert load.failed == []


def test_endpoints_changed_behind_the_gate_make_the_colour_unknown(node: Node) -> None:
    gate = GateFiles(node.directory)
    path = node.directory / eds_file("imap")
    text = path.read_text().replace("DRAINING", "X").replace("HEALTHY", "DRAINING").replace("X", "HEALTHY")
    replace_file(path, text.replace('"version_info": "', '"version_info": "other-'))
    until("the node does not know", lambda: node.proxy.read().colour == "unknown")
    assert gate.state().colour == "blue"
    node.flip("blue")
    assert node.proxy.read().colour == "blue"


def test_a_hold_that_envoy_does_not_have_makes_the_colour_unknown(node: Node) -> None:
    node.hold(5)
    replace_file(node.directory / PRESSURE, pressure_text(held=False))
    until("the node does not know", lambda: node.proxy.read().colour == "unknown")
    node.release()
    assert node.proxy.read().colour == "blue"


def test_one_folder_has_one_gate(node: Node) -> None:
    second = subprocess.run(gate_command(node.directory), capture_output=True, timeout=20, check=False)
    assert second.returncode == 9
    assert b"another gate" in second.stderr
    assert node.answers()


def test_a_gate_that_is_told_to_stop_ends_with_success(node: Node) -> None:
    node.processes["gate"].end(signal.SIGTERM)
    assert node.processes["gate"].popen is not None
    assert node.processes["gate"].popen.returncode == 0


@pytest.mark.slow
def test_a_backend_that_closes_idle_connections_costs_no_read(tmp_path: Path) -> None:
    """It ends each kept connection after 50 ms of silence, Envoy after 4 s: every request may meet a closing one."""
    require_real("envoy")
    with running_node("envoy", tmp_path, keepalive=0.05) as node:
        load = Load(node, rate=150, sessions=1)
        serves(node, requests=600)
        load.finish()
        assert [one for one in load.failed if int(one.key) % 5 != 0] == []


@pytest.mark.slow
def test_an_envoy_that_closes_idle_connections_first_costs_nothing(tmp_path: Path) -> None:
    require_real("envoy")
    with running_node("envoy", tmp_path, keepalive=2.0, idle=0.02) as node:
        load = Load(node, rate=150, sessions=1)
        serves(node, requests=600)
        load.finish()
        assert load.failed == []


def serves(node: Node, *, requests: int) -> None:
    until(f"{requests} requests", lambda: node.servers.count("blue", "http") > requests, timeout=60)
