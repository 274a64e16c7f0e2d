"""Several nodes at once, as the switch drives them: all follow, and one that fails in the hold is named."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import Node, epoch_ms, greeting, http_colour, running_node

from bmswitch.model.switch import Node as Seen
from bmswitch.proxy.open import open_node
from bmswitch.workflows import effects_proxy as effects

pytestmark = pytest.mark.real


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    """Two HAProxies and one nginx, each with a name of its own."""
    require_real("haproxy")
    require_real("nginx")
    with ExitStack() as stack:
        running = []
        for name, driver in (("edge-1", "haproxy"), ("edge-2", "haproxy"), ("edge-3", "nginx")):
            one = stack.enter_context(
                running_node("haproxy" if driver == "haproxy" else "nginx", tmp_path / name)
            )
            one.config = msgspec.structs.replace(one.config, name=name)
            one.proxy = open_node(one.config)
            running.append(one)
        yield running


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=6) as made:
        yield made


def look(nodes: list[Node], pool: ThreadPoolExecutor) -> dict[str, Seen]:
    """Name to node, as the switch sees them."""
    return {one.name: one for one in effects.Watch(pool, [n.proxy for n in nodes], patience=3.0).look()}


async def colours(node: Node) -> set[str]:
    async with aiohttp.ClientSession() as session:
        return {*[await http_colour(session, one) for one in node.http], await greeting(node.imap)}


def test_all_nodes_hold_flip_and_release_together(nodes: list[Node], pool: ThreadPoolExecutor) -> None:
    proxies = [one.proxy for one in nodes]
    until_ms = epoch_ms(8)
    assert effects.hold(pool, proxies, until_ms, 1).answer == "yes"
    assert {(one.colour, one.hold_until_ms) for one in look(nodes, pool).values()} == {("blue", until_ms)}
    assert effects.flip(pool, proxies, "green", 1).answer == "yes"
    assert effects.release(pool, proxies, 1).answer == "yes"
    assert [one.loop.run(colours(one)) for one in nodes] == [{"green"}] * 3


@pytest.mark.parametrize("lost", [1, 2])
def test_a_node_that_dies_in_the_hold_is_named_and_comes_back_with_the_newest_intent(
    nodes: list[Node], pool: ThreadPoolExecutor, lost: int
) -> None:
    proxies = [one.proxy for one in nodes]
    dead, name = nodes[lost], f"edge-{lost + 1}"
    assert effects.hold(pool, proxies, epoch_ms(8), 1).answer == "yes"
    dead.kill(dead.driver)
    assert [one.name for one in look(nodes, pool).values() if not one.seen] == [name]
    result = effects.flip(pool, proxies, "green", 1)
    assert result.answer == "unknown"
    assert name in result.said
    dead.start(dead.driver)
    assert {one.colour for one in look(nodes, pool).values()} == {"green"}
    assert effects.release(pool, proxies, 1).answer == "yes"
    assert [one.loop.run(colours(one)) for one in nodes] == [{"green"}] * 3


def test_one_node_that_has_seen_a_newer_run_refuses_for_all(
    nodes: list[Node], pool: ThreadPoolExecutor
) -> None:
    nodes[1].proxy.release(7)
    result = effects.hold(pool, [one.proxy for one in nodes], epoch_ms(8), 3)
    assert result.answer == "no"
    assert "older than 7" in result.said
