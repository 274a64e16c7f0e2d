"""What hold, flip and release cost, as a table: `pytest -m slow -s tests/integration/test_proxy_cost.py` (docs/proxy.md)."""

import functools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import Driver, Load, Node, Sent, running_node, until

from bmswitch.model.config import Colour
from bmswitch.proxy.envoy_files import RUNTIME, runtime_text
from bmswitch.proxy.files import replace_file

pytestmark = pytest.mark.slow
DRIVERS = ["envoy", *(pytest.param(name, marks=pytest.mark.real) for name in ("haproxy", "nginx"))]


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def spread(values: list[float]) -> str:
    """`p50 / p99 / max`, in milliseconds."""
    ordered = sorted(values)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    return f"{statistics.median(ordered) * 1000:.1f} / {p99 * 1000:.1f} / {ordered[-1] * 1000:.1f} ms"


def timed(values: list[float], act: Callable[[], object]) -> None:
    began = time.monotonic()
    act()
    values.append(time.monotonic() - began)


@pytest.mark.parametrize("driver", DRIVERS)
def test_cost_of_the_orders_under_load(driver: Driver, tmp_path: Path) -> None:
    require_real(driver)
    names = ("hold", "renew", "read", "in_flight", "flip", "release")
    took: dict[str, list[float]] = {name: [] for name in names}
    with running_node(driver, tmp_path) as node:
        load = Load(node, rate=200)
        for turn in range(30):
            colour: Colour = "blue" if turn % 2 else "green"
            timed(took["hold"], lambda: node.hold(4))
            timed(took["renew"], lambda: node.hold(5))
            timed(took["read"], node.proxy.read)
            timed(took["in_flight"], lambda: node.proxy.in_flight("blue"))
            timed(took["flip"], functools.partial(node.flip, colour))
            timed(took["release"], node.release)
            serves(node, colour, requests=20)
        load.finish()
        assert load.failed == []
    tell(f"\n{driver}, 30 rounds at 200 requests/s (p50 / p99 / max)")
    for name, values in took.items():
        tell(f"  {name:<10} {spread(values)}")
        assert statistics.median(values) < 0.25


def serves(node: Node, colour: Colour, *, requests: int) -> None:
    wanted = node.servers.count(colour, "http") + requests
    until(f"{colour} serves", lambda: node.servers.count(colour, "http") >= wanted)


@pytest.mark.parametrize("driver", DRIVERS)
def test_tail_after_a_hold_of_three_seconds(driver: Driver, tmp_path: Path) -> None:
    require_real(driver)
    with running_node(driver, tmp_path) as node:
        load = Load(node, rate=300)
        serves(node, "blue", requests=100)
        node.hold(9)
        began = time.monotonic()
        until("3 s", lambda: time.monotonic() - began > 3, timeout=4)
        node.flip("green")
        released = time.monotonic()
        node.release()
        serves(node, "green", requests=1200)
        load.finish()
        assert load.failed == []
        held = [one for one in load.sent if began + 0.05 < one.began < released]
        assert {one.colour for one in held} == {"green"}
        tail = [one.ended - released for one in held]
    tell(f"\n{driver}: {len(held)} held; answered after the release: {spread(tail)}")


def quick(sent: list[Sent], since: float) -> list[float]:
    """Latencies of plain GETs that began after `since`."""
    return [
        one.ended - one.began
        for one in sent
        if one.began > since and one.kind == "http" and int(one.key) % 20 == 3
    ]


def test_cost_of_asking_the_gate_always(tmp_path: Path) -> None:
    """Why the runtime key is worth its while: latency with nothing held, never asked and always asked."""
    require_real("envoy")
    with running_node("envoy", tmp_path) as node:
        for percent, held in (("never", False), ("always", True)):
            replace_file(node.directory / RUNTIME, runtime_text(str(time.time_ns()), held=held))
            load = Load(node, rate=300)
            since = time.monotonic() + 0.3
            serves(node, "blue", requests=1600)
            sent = load.finish()
            assert load.failed == []
            tell(f"\nenvoy, the gate {percent} asked: {spread(quick(sent, since))}")
