"""What every proxy node must do, proved on the real proxies: Envoy with its gate, HAProxy with its map, nginx with its file."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import (
    DRIVERS,
    Driver,
    Load,
    Node,
    epoch_ms,
    greeting,
    http_colour,
    order_violations,
    running_node,
    until,
)

from bmswitch.model.config import Colour
from bmswitch.model.errors import RefusedError
from bmswitch.proxy.api import InFlight, Sessions


@pytest.fixture(params=DRIVERS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    require_real(request.param)
    with running_node(request.param, tmp_path) as running:
        yield running


def quiet(node: Node, colour: Colour) -> float:
    """Waits until nothing runs on `colour`, three looks in a row."""
    looks: list[bool] = []

    def three() -> bool:
        looks.append(node.proxy.in_flight(colour) == InFlight(0, 0))
        return looks[-3:] == [True] * 3

    return until(f"{colour} is quiet", three)


def serves(node: Node, colour: Colour, *, requests: int) -> None:
    """Waits until `colour` has got that many more."""
    wanted = node.servers.count(colour, "http") + requests
    until(f"{colour} serves", lambda: node.servers.count(colour, "http") >= wanted)


async def everywhere(node: Node, session: aiohttp.ClientSession) -> list[str]:
    """The colour that answers on each frontend."""
    return [
        *[await http_colour(session, one) for one in node.http],
        *[await greeting(one) for one in (node.imap, node.smtp)],
    ]


def test_starts_blue_and_flips_every_frontend(node: Node) -> None:
    async def ask() -> list[str]:
        async with aiohttp.ClientSession() as session:
            return await everywhere(node, session)

    assert node.loop.run(ask()) == ["blue"] * 4
    node.flip("green")
    assert node.proxy.read().colour == "green"
    assert node.loop.run(ask()) == ["green"] * 4


def test_hold_keeps_new_work_and_flip_takes_it_to_green(node: Node) -> None:
    async def scenario() -> list[str]:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as kept, aiohttp.ClientSession() as new:
            assert await everywhere(node, kept) == ["blue"] * 4
            before = len(node.servers.log)
            await loop.run_in_executor(None, node.hold, 8.0)
            work = [
                *(asyncio.create_task(http_colour(kept, one)) for one in node.http),
                *(asyncio.create_task(http_colour(new, one)) for one in node.http),
                *(asyncio.create_task(greeting(one)) for one in (node.imap, node.smtp)),
            ]
            done, _ = await asyncio.wait(work, timeout=0.6)
            assert not done
            assert len(node.servers.log) == before
            await loop.run_in_executor(None, node.flip, "green")
            done, _ = await asyncio.wait(work, timeout=0.3)
            assert not done
            assert (await loop.run_in_executor(None, node.proxy.read)).hold_until_ms > 0
            await loop.run_in_executor(None, node.release)
            return await asyncio.wait_for(asyncio.gather(*work), 2)

    assert node.loop.run(scenario()) == ["green"] * 6
    state = node.proxy.read()
    assert (state.colour, state.hold_until_ms, state.fence) == ("green", 0, 3)


def test_lease_ends_by_itself_for_http_and_tcp(node: Node) -> None:
    """Nobody renews, nobody releases: the controller could as well be dead."""

    async def scenario() -> tuple[list[str], float]:
        async with aiohttp.ClientSession() as session:
            await http_colour(session, node.http[0])
            began = time.monotonic()
            await asyncio.get_running_loop().run_in_executor(None, node.hold, 0.8)
            work = [http_colour(session, node.http[0]), greeting(node.imap), greeting(node.smtp)]
            return await asyncio.wait_for(asyncio.gather(*work), 5), time.monotonic() - began

    colours, seconds = node.loop.run(scenario())
    assert colours == ["blue"] * 3
    assert 0.75 < seconds < 2.5
    until("the node says so", lambda: node.proxy.read().hold_until_ms == 0)


def test_renewal_extends_and_a_past_time_releases(node: Node) -> None:
    node.hold(2)
    deadline = epoch_ms(6)
    node.proxy.hold(deadline, next(node.fences))
    assert node.proxy.read().hold_until_ms == deadline
    node.hold(-1)
    assert node.proxy.read().hold_until_ms == 0


def test_within_one_run_a_late_order_can_not_shorten_a_renewal(node: Node) -> None:
    deadline = epoch_ms(6)
    for until_ms in (epoch_ms(2), deadline, epoch_ms(3), epoch_ms(-1)):
        node.proxy.hold(until_ms, 1)
    assert node.proxy.read().hold_until_ms == deadline
    node.proxy.release(1)
    assert node.proxy.read().hold_until_ms == 0


def test_no_hold_is_longer_than_ten_seconds(node: Node) -> None:
    node.hold(3600)
    assert 9000 < node.proxy.read().hold_until_ms - epoch_ms(0) <= 10_000
    node.release()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_release_at_a_pace_lets_go_over_its_time(driver: Driver, tmp_path: Path) -> None:
    """Forty requests are held and let go over some 900 ms: they reach green one after the other, not in one burst."""
    require_real(driver)
    with running_node(driver, tmp_path, spread=900) as node:

        async def scenario() -> list[str]:
            loop = asyncio.get_running_loop()
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                kept = (http_colour(session, node.http[0], "&sleep=0.4") for _ in range(40))
                await asyncio.gather(*kept)  # forty connections: Envoy lets new ones wait outside
                work = [http_colour(session, node.http[0], f"k{number}") for number in range(40)]
                await loop.run_in_executor(None, node.hold, 8.0)
                held = asyncio.gather(*work)
                await asyncio.sleep(0.3)
                assert not [one for one in node.servers.log if one.key]
                await loop.run_in_executor(None, node.flip, "green")
                await loop.run_in_executor(None, node.release)
                return await asyncio.wait_for(held, 8)

        assert node.loop.run(scenario()) == ["green"] * 40
        began = sorted(one.began for one in node.servers.log if one.key)
        assert len(began) == 40
        assert began[-1] - began[0] > 0.4
        assert began[20] - began[0] > 0.1


def test_an_older_fence_is_refused_and_changes_nothing(node: Node) -> None:
    node.proxy.hold(epoch_ms(5), 7)
    before = node.proxy.read()
    with pytest.raises(RefusedError):
        node.proxy.flip("green", 6)
    with pytest.raises(RefusedError):
        node.proxy.release(6)
    with pytest.raises(RefusedError):
        node.proxy.hold(epoch_ms(9), 1)
    assert node.proxy.read() == before
    node.proxy.release(7)
    assert node.proxy.read().hold_until_ms == 0


def test_in_flight_tells_the_colours_apart(node: Node) -> None:
    async def slow(session: aiohttp.ClientSession) -> None:
        async with session.get(f"http://{node.http[0]}/?sleep=1.8") as answer:
            await answer.read()

    async def scenario() -> list[InFlight]:
        loop = asyncio.get_running_loop()

        async def look() -> list[InFlight]:
            return [await loop.run_in_executor(None, node.proxy.in_flight, one) for one in ("blue", "green")]

        async with aiohttp.ClientSession() as session:
            running = asyncio.gather(slow(session), slow(session))
            reader, writer = await asyncio.open_connection(*node.imap.split(":"))
            await reader.readline()
            before = await look()
            await loop.run_in_executor(None, node.flip, "green")
            after = await look()
            await running
            writer.close()
            return [*before, *after]

    busy, idle = InFlight(2, 1), InFlight(0, 0)
    assert node.loop.run(scenario()) == [busy, idle, busy, idle]
    quiet(node, "blue")


def test_six_flips_under_load_lose_nothing_and_keep_the_order(node: Node) -> None:
    load = Load(node, rate=300)
    serves(node, "blue", requests=50)
    flips: list[tuple[float, Colour]] = []
    leaks = 0
    colour: Colour = "blue"
    for _ in range(6):
        old: Colour = colour
        colour = "green" if colour == "blue" else "blue"
        node.hold(4)
        quiet(node, old)
        drained = node.servers.count(old)
        flips.append((time.monotonic(), colour))
        node.flip(colour)
        leaks += node.servers.count(old) - drained
        node.release()
        serves(node, colour, requests=120)
    sent = load.finish()
    assert load.failed == []
    assert leaks == 0
    assert order_violations(node.servers.log, flips) == 0
    keys = [one.key for one in node.servers.log if one.kind == "http"]
    assert sorted(keys) == sorted(one.key for one in sent if one.kind == "http")
    assert len(sent) > 600


def test_a_read_that_meets_a_closing_connection_is_sent_again_a_write_never(node: Node) -> None:
    """The backend gets the request and resets the connection without a word: it may have done it, or not."""

    async def scenario() -> tuple[str, int]:
        async with aiohttp.ClientSession() as session:
            read = await http_colour(session, node.http[0], "read&drop")
            try:
                async with session.post(f"http://{node.http[0]}/?key=write&drop", data=b"x") as answer:
                    return read, answer.status
            except aiohttp.ServerDisconnectedError:  # HAProxy's way on a kept connection
                return read, 502

    read, write = node.loop.run(scenario())
    assert read == "blue"
    assert node.servers.attempts("read") == 2
    assert write in {502, 503}
    assert node.servers.attempts("write") == 1


def test_an_open_websocket_lives_through_the_switch_and_is_counted(node: Node) -> None:
    """It stays on the colour on which it began, until that colour ends it: proxies move no open session."""

    async def scenario() -> list[object]:
        loop = asyncio.get_running_loop()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://{node.http[0]}/socket") as link,
        ):
            for act in (lambda: node.hold(5), lambda: node.flip("green"), node.release):
                await loop.run_in_executor(None, act)
            await link.send_str("still there")
            words = await link.receive_str()
            return [words, (await loop.run_in_executor(None, node.proxy.in_flight, "blue")).requests]

    assert node.loop.run(scenario()) == ["blue still there", 1]
    quiet(node, "blue")


def test_a_killed_proxy_comes_back_with_its_colour_and_its_hold(node: Node) -> None:
    proxy = node.driver
    node.flip("green")
    node.hold(6)
    deadline = node.proxy.read().hold_until_ms
    node.kill(proxy)
    node.start(proxy)
    state = node.proxy.read()
    assert (state.colour, state.hold_until_ms) == ("green", deadline)

    async def scenario() -> list[str]:
        async with aiohttp.ClientSession() as session:
            work = [
                asyncio.create_task(greeting(node.imap)),
                asyncio.create_task(http_colour(session, node.http[0])),
            ]
            done, _ = await asyncio.wait(work, timeout=0.4)
            assert not done
            await asyncio.get_running_loop().run_in_executor(None, node.release)
            return await asyncio.wait_for(asyncio.gather(*work), 2)

    assert node.loop.run(scenario()) == ["green"] * 2


def test_kept_sessions_are_ended_some_at_a_time_and_their_clients_come_back_to_green(node: Node) -> None:
    """Five IMAP connections and two websockets stay on blue after the flip; a third websocket begins on green."""

    async def ended(sessions: set[asyncio.Task[bytes]], number: int) -> set[asyncio.Task[bytes]]:
        while number > 0:
            done, sessions = await asyncio.wait(sessions, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            assert 0 < len(done) <= number
            number -= len(done)
        return sessions

    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        async def call(work: Callable[[], object]) -> object:
            return await loop.run_in_executor(None, work)

        async with aiohttp.ClientSession() as session:
            mail = [await asyncio.open_connection(*node.imap.split(":")) for _ in range(5)]
            for reader, _ in mail:
                await reader.readline()
            open_still = {asyncio.create_task(reader.read()) for reader, _ in mail}
            web = [await session.ws_connect(f"http://{node.http[0]}/socket") for _ in range(2)]
            await call(lambda: node.flip("green"))
            fence = node.proxy.read().fence
            other = await session.ws_connect(f"http://{node.http[0]}/socket")
            known = 2 if node.driver == "haproxy" else None
            assert await call(lambda: node.proxy.sessions("blue")) == Sessions(5, 2, known)
            with pytest.raises(RefusedError):
                await call(lambda: node.proxy.kick("blue", 5, fence - 1))
            assert await call(lambda: node.proxy.kick("blue", 2, fence)) == 2
            open_still = await ended(open_still, 2)
            assert await call(lambda: node.proxy.sessions("blue")) == Sessions(3, 2, known)
            assert await call(lambda: node.proxy.kick("blue", 10, fence)) == 3
            assert await ended(open_still, 3) == set()
            assert await call(lambda: node.proxy.kick("blue", 10, fence, kind="web")) == 2
            for link in web:
                message = await asyncio.wait_for(link.receive(), 5)
                assert message.type in {
                    aiohttp.WSMsgType.CLOSE,
                    aiohttp.WSMsgType.CLOSED,
                    aiohttp.WSMsgType.ERROR,
                }
            assert await greeting(node.imap) == "green"
            await other.send_str("still there")
            assert await other.receive_str() == "green still there"
            for _, writer in mail:
                writer.close()
            await asyncio.gather(*(link.close() for link in [*web, other]))

    node.loop.run(scenario())
    quiet(node, "blue")
