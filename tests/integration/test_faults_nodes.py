"""Two proxy nodes, and one of them fails in the hold: gone, deaf, out of reach, or set back by another hand. Each has one defined end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.integration.edge_kit import Edge, second_node
from tests.integration.kill_kit import (
    Labs,
    change_config,
    clients_at_work,
    ended_with,
    explained,
    nothing_lost,
    one_side_serves,
    strike,
)
from tests.integration.killed import Instant, Way
from tests.integration.line_kit import Line, wait_for
from tests.integration.parts import require_real

from bmswitch.model.switch import Verb
from bmswitch.workflows.config import load_config
from bmswitch.workflows.overview import overview

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]
RATE = 20
SWITCHED, PUT_BACK, FROZEN = 0, 12, 11
ASKED = 4.0
"""Seconds for which HAProxy asks a side that is gone, before its client sees a 503."""

NAME = "haproxy-2"
SILENT = f"no answer from: {NAME}"
ASTRAY = f"{NAME} points at blue again, set back by another hand"
NOT_READ = f"green serves, but not every proxy node was read back: {NAME}"

Act = Callable[[Edge], None]


@dataclass(frozen=True)
class Case:
    """What becomes of the second node and when, the exit code, words of the message, and what mends it."""

    name: str
    breaks: Act
    verb: Verb
    code: int
    said: str = ""
    mends: Act = lambda _edge: None
    instant: Instant = "before-effect"
    way: Way = "forward"


CASES = (
    Case("restarts", Edge.restart, "prove", SWITCHED),
    Case("restarts-late", Edge.restart, "flip-target", SWITCHED),
    Case("gone", Edge.kill, "prove", PUT_BACK, SILENT, Edge.start),
    Case("deaf", Edge.stand_still, "prove", PUT_BACK, SILENT, Edge.go_on),
    Case("cut", Edge.lose_socket, "prove", PUT_BACK, SILENT, Edge.find_socket),
    Case("rolled-back", Edge.rolled_back, "prove", PUT_BACK, f"the hold has lapsed on {NAME}"),
    Case("rolled-back-late", Edge.rolled_back, "flip-target", SWITCHED),
    Case("cut-way-back", Edge.lose_socket, "release", PUT_BACK, NAME, Edge.find_socket, way="back"),
    Case("deaf-way-back", Edge.stand_still, "release", PUT_BACK, NAME, Edge.go_on, way="back"),
    Case("cut-routing-back", Edge.lose_socket, "flip-source", PUT_BACK, NAME, Edge.find_socket, way="back"),
    Case("gone-late", Edge.kill, "flip-target", FROZEN, NOT_READ, Edge.start),
    Case("deaf-late", Edge.stand_still, "flip-target", FROZEN, NOT_READ, Edge.go_on),
    Case("cut-late", Edge.lose_socket, "flip-target", FROZEN, NOT_READ, Edge.find_socket),
    Case(
        "set-forth", Edge.set_forth, "prove", PUT_BACK, f"{NAME} points at green although nobody flipped it"
    ),
    Case("set-back-late", Edge.set_back, "release", FROZEN, ASTRAY, Edge.set_forth),
    Case("set-back-at-the-soak", Edge.set_back, "soak", FROZEN, ASTRAY, Edge.set_forth),
)


class Site:
    """Labs with two HAProxies."""

    def __init__(self, labs: Labs) -> None:
        self.labs = labs
        self.edge: Edge | None = None

    def made(self, line: Line) -> Iterator[None]:
        """The second node beside a new lab; the soak is longer than HAProxy asks a side that is gone."""
        change_config(line, {"seconds: 0.5": "seconds: 5.0"})
        with second_node(line) as self.edge:
            yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Labs with two HAProxies."""
    require_real("haproxy")
    labs = Labs(tmp_path_factory.mktemp("nodes"), "--proxy", "haproxy")
    made = Site(labs)
    labs.also = contextmanager(made.made)
    yield made
    labs.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_node_of_two_that_fails_in_the_hold_has_one_defined_end(site: Site, case: Case) -> None:
    line = site.labs.ready()
    edge = site.edge
    assert edge is not None
    with clients_at_work(line, RATE) as clients, clients_at_work(edge, RATE) as beyond:
        struck = time.time()
        code, answer = strike(line, case.verb, case.instant, lambda _pid: case.breaks(edge), way=case.way)
        case.mends(edge)
        assert code == case.code, answer
        if code:
            ended_with(code, answer["result"]["serving"], case.said, (code, answer))
        if case.said == NOT_READ:  # mended, the node is told what it missed
            assert line.must("cutover", "--resume")["serving"] == "green"
        ended = time.time()
        for each in (clients, beyond):
            each.served(ended)
    side = "blue" if code == PUT_BACK else "green"
    wait_for(lambda: overview(load_config(line.config)).serving == side, 10, "both nodes agree")
    one_side_serves(line, side)
    nothing_lost(clients, side, explained(line, ended))
    nothing_lost(beyond, side, (struck, ended + ASKED))
