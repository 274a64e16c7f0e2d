"""What only nginx can get wrong: workers that a reload leaves behind, a file that is gone or is not the one it reads."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import Load, Node, epoch_ms, greeting, http_colour, running_node, until

from bmswitch.model.config import NginxNode
from bmswitch.model.errors import UnknownError, UnreachableError
from bmswitch.proxy.api import InFlight
from bmswitch.proxy.nginx import NginxProxy
from bmswitch.proxy.nginx_process import workers
from bmswitch.proxy.nginx_script import STATE_PATH, state_text

pytestmark = pytest.mark.real


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    require_real("nginx")
    with running_node("nginx", tmp_path) as running:
        yield running


def configured(node: Node) -> NginxNode:
    assert isinstance(node.config, NginxNode)
    return node.config


def old_workers(node: Node) -> list[int]:
    return [pid for pid, old in workers(Path(configured(node).pid_file)).items() if old]


def reload(node: Node) -> None:
    """SIGHUP; new workers are there, and the old ones, told 100 ms later, are ending or gone."""
    before = set(workers(Path(configured(node).pid_file)))
    os.kill(node.processes["nginx"].pid, signal.SIGHUP)

    def handed_over() -> bool:
        now = workers(Path(configured(node).pid_file))
        return len(set(now) - before) == 2 and all(now[pid] for pid in before & set(now))

    until("the new workers serve", handed_over)
    until("the node answers", node.answers)


async def everywhere(node: Node) -> list[str]:
    async with aiohttp.ClientSession() as session:
        return [await http_colour(session, one) for one in node.http]


def test_a_reload_in_a_hold_lets_nothing_through_and_all_follow_the_flip(node: Node) -> None:
    async def scenario() -> list[str]:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            await loop.run_in_executor(None, node.hold, 8.0)
            work = [
                asyncio.create_task(http_colour(session, node.http[0])),
                asyncio.create_task(greeting(node.imap)),
            ]
            done, _ = await asyncio.wait(work, timeout=0.2)
            await loop.run_in_executor(None, reload, node)
            work += [
                asyncio.create_task(http_colour(session, node.http[1])),
                asyncio.create_task(greeting(node.smtp)),
            ]
            more, _ = await asyncio.wait(work, timeout=0.2)
            assert not done | more
            assert old_workers(node)
            assert node.servers.log == []
            await loop.run_in_executor(None, node.flip, "green")
            await loop.run_in_executor(None, node.release)
            return await asyncio.wait_for(asyncio.gather(*work), 2)

    assert node.loop.run(scenario()) == ["green"] * 4
    until("the old workers have ended", lambda: not old_workers(node))


def test_a_reload_in_a_hold_under_load_loses_nothing(node: Node) -> None:
    load = Load(node, rate=200)
    until("blue serves", lambda: node.servers.count("blue", "http") > 50)
    node.hold(5)
    until("blue is quiet", lambda: node.proxy.in_flight("blue") == InFlight(0, 0))
    drained = node.servers.count("blue")
    reload(node)
    assert node.servers.count("blue") == drained
    node.flip("green")
    node.release()
    until("green serves", lambda: node.servers.count("green", "http") > 100)
    sent = load.finish()
    assert [one for one in load.failed if not is_reset_of_a_kept_connection(one.error)] == []
    assert node.servers.count("blue") == drained
    keys = [one.key for one in node.servers.log if one.kind == "http"]
    assert len(keys) == len(set(keys)) <= len(sent)


def is_reset_of_a_kept_connection(error: str) -> bool:
    """An idle client connection that the old worker closed while the client wrote on it (proxy-cutover.md 4)."""
    return "ServerDisconnected" in error or "ConnectionReset" in error


@pytest.mark.parametrize("content", [None, "", "blue", "blue 0", "red 0 0\n", "blue 0 0"])
def test_a_state_that_can_not_be_read_refuses_and_never_guesses(node: Node, content: str | None) -> None:
    state = Path(configured(node).state_file)
    if content is None:
        state.unlink()
    else:
        state.with_name("new").write_text(content)
        state.with_name("new").rename(state)
    assert node.loop.run(everywhere(node)) == ["HTTP 500", "HTTP 500"]
    with pytest.raises(ConnectionError):
        node.loop.run(greeting(node.imap))
    with pytest.raises(UnknownError):
        node.proxy.read()
    assert node.servers.log == []


def test_a_file_that_nginx_does_not_read_is_never_taken_for_its_state(node: Node, tmp_path: Path) -> None:
    """Blue in the file, green in nginx: unknown; and a hold that holds nothing is an error, not a hold."""
    other = tmp_path / "other"
    other.write_text(state_text("green", hold_until_ms=0, fence=0))
    astray = NginxProxy(msgspec.structs.replace(configured(node), state_file=str(other)))
    assert astray.read().colour == "unknown"
    with pytest.raises(UnreachableError, match="not every listener"):
        astray.hold(epoch_ms(2), 1)


def test_a_listener_without_the_script_makes_the_colour_unknown(node: Node) -> None:
    strange = msgspec.structs.replace(
        configured(node), http=[f"http://{node.servers.backends['blue']['http']}"]
    )
    assert NginxProxy(strange).read().colour == "unknown"


def test_clients_are_not_told_the_state(node: Node) -> None:
    async def ask() -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{node.http[0]}{STATE_PATH}") as answer,
        ):
            return answer.status

    assert node.loop.run(ask()) == 403


def test_only_the_connections_of_nginx_count_and_those_of_old_workers_too(node: Node) -> None:
    host, port = node.servers.backends["blue"]["imap"].split(":")

    async def scenario() -> list[InFlight]:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(*node.imap.split(":"))
        await reader.readline()
        with socket.create_connection((host, int(port))):
            await loop.run_in_executor(None, reload, node)
            assert old_workers(node)
            seen = [await loop.run_in_executor(None, node.proxy.in_flight, "blue")]
        writer.close()
        return seen

    assert node.loop.run(scenario()) == [InFlight(0, 1)]
    until("nothing runs", lambda: node.proxy.in_flight("blue") == InFlight(0, 0))


def test_a_stopped_nginx_can_not_be_read(node: Node) -> None:
    node.processes["nginx"].end()
    with pytest.raises(UnreachableError):
        node.proxy.read()
    with pytest.raises(UnreachableError, match="does not run"):
        node.proxy.in_flight("blue")
