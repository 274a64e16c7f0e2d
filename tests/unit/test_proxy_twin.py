"""The node in memory keeps the rules of the real ones: lease, cap, fence, and answers that get lost."""

import pytest

from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.proxy.api import InFlight, NodeState, ProxyNode, Sessions, renewed
from bmswitch.proxy.twin import Disturbance, TwinNode


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(clock: Clock) -> TwinNode:
    return TwinNode("edge", clock)


def test_it_is_a_proxy_node(node: TwinNode) -> None:
    as_protocol: ProxyNode = node
    assert as_protocol.read() == NodeState("blue", 0, 0)


def test_a_lease_ends_by_itself(node: TwinNode, clock: Clock) -> None:
    node.hold(clock.now + 2000, 1)
    assert node.admits() is None
    clock.now += 1999
    assert node.read() == NodeState("blue", 1_002_000, 1)
    clock.now += 1
    assert node.admits() == "blue"
    assert node.read() == NodeState("blue", 0, 1)


def test_renewals_never_reach_beyond_ten_seconds(node: TwinNode, clock: Clock) -> None:
    began = clock.now
    for fence in range(1, 30):
        node.hold(clock.now + 2000, fence)
        clock.now += 500
    assert node.effects[18][1] == f"hold {began + 10_000}"
    assert [at for at, effect in node.effects if effect == f"hold {began + 10_000}"] == [
        began + 8000,
        began + 8500,
        began + 9000,
        began + 9500,
    ]


def test_an_old_fence_changes_nothing(node: TwinNode, clock: Clock) -> None:
    node.hold(clock.now + 2000, 5)
    with pytest.raises(RefusedError):
        node.flip("green", 4)
    with pytest.raises(RefusedError):
        node.release(4)
    with pytest.raises(RefusedError):
        node.hold(0, 4)
    assert node.read() == NodeState("blue", clock.now + 2000, 5)


def test_a_lost_request_has_no_effect_and_a_lost_answer_has(node: TwinNode) -> None:
    node.disturb("flip", Disturbance("lost_request"), Disturbance("lost_answer"))
    with pytest.raises(UnreachableError):
        node.flip("green", 1)
    assert node.read().colour == "blue"
    with pytest.raises(UnreachableError):
        node.flip("green", 2)
    assert node.read().colour == "green"


def test_a_late_request_comes_in_its_time_and_an_overtaken_one_is_refused(
    node: TwinNode, clock: Clock
) -> None:
    node.disturb("flip", Disturbance("late", 500), Disturbance("late", 100))
    for fence in (1, 2):
        with pytest.raises(UnreachableError):
            node.flip("green", fence)
    clock.now += 99
    assert node.read().colour == "blue"
    clock.now += 1
    assert node.read() == NodeState("green", 0, 2)
    node.flip("blue", 3)
    clock.now += 500
    assert node.read() == NodeState("blue", 0, 3)


def test_down_and_contradicting_nodes(node: TwinNode) -> None:
    node.contradicts_itself = True
    assert node.read().colour == "unknown"
    node.down = True
    with pytest.raises(UnreachableError):
        node.read()
    assert node.admits() == "blue"


def test_running_work_is_what_the_simulation_says(node: TwinNode) -> None:
    node.running["blue"] = InFlight(2, 1)
    assert node.in_flight("blue") == InFlight(2, 1)
    assert node.in_flight("green") == InFlight(0, 0)


def test_a_late_hold_of_the_same_run_does_not_cut_its_renewal_short() -> None:
    assert renewed(2_000, 5, held_until_ms=3_000, seen_fence=5) == 3_000
    assert renewed(4_000, 5, held_until_ms=3_000, seen_fence=5) == 4_000
    assert renewed(2_000, 6, held_until_ms=3_000, seen_fence=5) == 2_000


def test_sessions_are_ended_at_most_so_many_and_not_by_an_old_fence(node: TwinNode) -> None:
    node.running["blue"] = InFlight(requests=3, connections=5)
    assert node.kick("blue", 2, 4) == 2
    assert node.kick("blue", 10, 4, kind="web") == 3
    assert node.sessions("blue") == Sessions(mail=3, web=0)
    with pytest.raises(RefusedError):
        node.kick("blue", 1, 3)
    assert node.kick("green", 1, 4) == 0
