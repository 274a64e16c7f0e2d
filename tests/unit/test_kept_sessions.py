"""Sessions that stay open are ended in an order and at a pace: on proxy twins, with commands that do as told or do not."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from bmswitch.model.config import Colour
from bmswitch.model.config import Sessions as Pace
from bmswitch.model.errors import UnsupportedError
from bmswitch.model.switch import Result
from bmswitch.proxy.api import InFlight, Kind, Sessions
from bmswitch.proxy.twin import TwinNode
from bmswitch.workflows.kept_sessions import Ending, Open, count, left

COMMAND = ["end", "{kind}", "{at_most}"]


class Node(TwinNode):
    """A twin that knows its websockets; it may be unable to end anything, or to answer."""

    def __init__(self, name: str, mail: int, web: int, websockets: int | None = None) -> None:
        super().__init__(name, lambda: 0)
        self.running["blue"] = InFlight(requests=web, connections=mail)
        self.websockets = websockets
        self.can_kick = True
        self.kicks: list[tuple[Kind, int]] = []

    def sessions(self, colour: Colour) -> Sessions:
        found = super().sessions(colour)
        return Sessions(found.mail, found.web, self.websockets)

    def kick(self, colour: Colour, at_most: int, fence: int, *, kind: Kind = "mail") -> int:
        if not self.can_kick:
            raise UnsupportedError("this proxy can not end a session")
        self.kicks.append((kind, at_most))
        if kind == "web" and self.websockets:
            self.websockets -= at_most
        return super().kick(colour, at_most, fence, kind=kind)

    def open(self, kind: Kind) -> int:
        running = self.running["blue"]
        return running.connections if kind == "mail" else running.requests


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as found:
        yield found


class Site:
    """Nodes, and the operator's command, which ends sessions on all of them."""

    def __init__(self, pool: Executor, *nodes: Node, batch: int = 10) -> None:
        self.pool, self.nodes = pool, nodes
        self.pace = Pace(batch=batch, every=0.001)
        self.runs: list[list[str]] = []
        self.obeys: Callable[[str], bool] = lambda _: True

    def run(self, argv: list[str]) -> Result:
        self.runs.append(argv)
        kind, at_most = argv[1], int(argv[2])
        if self.obeys(kind) and kind in ("imap", "longpoll"):
            for node in self.nodes:
                TwinNode.kick(node, "blue", at_most, 1, kind="mail" if kind == "imap" else "web")
        return Result(answer="yes")

    def ending(self, argv: list[str] | None) -> Ending:
        return Ending(self.pool, self.nodes, "blue", fence=1, pace=self.pace, argv=argv, run=self.run)

    def all(self, argv: list[str] | None = None) -> Result:
        return self.ending(argv).all(time.monotonic() + 5)


def test_the_command_is_run_for_each_kind_in_order_and_in_batches(pool: Executor) -> None:
    site = Site(pool, Node("p0", mail=25, web=5), Node("p1", mail=3, web=0))
    result = site.all(COMMAND)
    assert (result.answer, result.facts) == ("yes", {"mail": 28, "web": 5})
    kinds = [argv[1] for argv in site.runs]
    assert kinds == ["imap", "imap", "imap", "websocket", "longpoll"]
    assert all(argv[2] == "10" for argv in site.runs)
    assert not any(node.kicks for node in site.nodes)


def test_a_command_without_kinds_is_run_once(pool: Executor) -> None:
    ran: list[list[str]] = []

    def run(argv: list[str]) -> Result:
        ran.append(argv)
        return Result(answer="yes")

    ending = Ending(pool, [Node("p", 4, 4)], "blue", fence=1, pace=Pace(), argv=["restart"], run=run)
    assert ending.all(time.monotonic() + 5).answer == "yes"
    assert ran == [["restart"]]


def test_what_can_not_be_ended_is_named_by_node_and_kind(pool: Executor) -> None:
    site = Site(pool, Node("p0", mail=4, web=2), Node("p1", mail=1, web=0))
    site.obeys = lambda kind: kind == "longpoll"
    result = site.all(COMMAND)
    assert result.answer == "no"
    assert "still on blue: p0: 4 mail sessions and 0 web sessions; p1: 1 mail sessions" in result.said


def test_without_a_command_the_proxies_cut_mail_and_websockets_and_never_a_long_poll(pool: Executor) -> None:
    node = Node("p", mail=15, web=7, websockets=4)
    result = Site(pool, node).all()
    assert node.open("mail") == 0
    assert node.open("web") == 3
    assert result.answer == "no"
    assert "3 web sessions" in result.said


def test_a_proxy_that_can_not_end_sessions_says_so(pool: Executor) -> None:
    node = Node("p", mail=1, web=0)
    node.can_kick = False
    result = Site(pool, node).all()
    assert result.answer == "no"
    assert "p: this proxy can not end a session" in result.said


def test_the_pace_is_bounded_by_the_deadline(pool: Executor) -> None:
    site = Site(pool, Node("p", mail=10_000, web=0), batch=1)
    begun = time.monotonic()
    result = site.ending(COMMAND).all(begun + 0.1)
    assert result.answer == "no"
    assert 0 < site.nodes[0].open("mail") < 10_000


def test_after_the_flip_a_proxy_may_end_long_polls_too(pool: Executor) -> None:
    node = Node("p", mail=2, web=3)
    site = Site(pool, node)
    ending = site.ending(COMMAND)
    site.obeys = lambda _: False
    ending.some(by_command=True)
    assert [argv[1] for argv in site.runs] == ["imap", "smtp", "websocket", "longpoll"]
    ending.some(by_command=False)
    assert left(ending.count()) == ""


def test_a_node_that_can_not_be_read_is_not_empty(pool: Executor) -> None:
    node = Node("p", 0, 0)
    node.down = True
    found = count(pool, [node], "blue")
    assert found == [Open("p")]
    assert left(found) == "p: can not be read"
