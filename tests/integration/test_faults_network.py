"""The network between bmswitch and each part fails in the hold: slow, deaf, cut, slow to close. Each has one defined end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.kill_kit import (
    Labs,
    change_config,
    clients_at_work,
    end_it,
    ended_with,
    explained,
    nothing_lost,
    one_side_serves,
    strike,
)
from tests.integration.killed import Instant, Way
from tests.integration.line_kit import Line
from tests.integration.toxics import Toxics, toxics

from bmswitch.model.switch import Verb

Edge = str
SOURCE, TARGET, BUCKET, ADMIN = "blue-core", "green-core", "bucket", "proxy-admin"
SWITCHED, PUT_BACK, FROZEN = 0, 12, 11


@dataclass(frozen=True)
class Case:
    """What fails where and when, the exit code, and words of the message (cause or evidence)."""

    edge: Edge
    fault: str
    verb: Verb
    code: int
    said: str = ""
    instant: Instant = "before-effect"
    slow: bool = True
    way: Way = "forward"

    @property
    def name(self) -> str:
        """For the test's id."""
        back = "" if self.way == "forward" else f"-{self.way}"
        return f"{self.edge}-{self.fault}-{self.verb}{back}"


CASES = (
    Case(SOURCE, "slow", "hold", SWITCHED),
    Case(TARGET, "slow", "hold", SWITCHED),
    Case(SOURCE, "slow_close", "hold", SWITCHED),
    Case(TARGET, "slow_close", "hold", SWITCHED),
    Case(SOURCE, "deaf", "barrier", PUT_BACK, "blue's core"),
    Case(SOURCE, "cut", "barrier", PUT_BACK, "blue's core"),
    Case(TARGET, "deaf", "barrier", PUT_BACK, "green's core"),
    Case(TARGET, "cut", "barrier", PUT_BACK, "green's core", slow=False),
    Case(SOURCE, "cut", "demote-source", FROZEN, "start blue's core"),
    Case(TARGET, "cut", "prove", PUT_BACK, "green's core"),
    Case(TARGET, "cut", "promote-target", FROZEN, "green was told to lead and can not be read"),
    Case(TARGET, "cut", "flip-target", SWITCHED),
    Case(BUCKET, "cut", "hold", SWITCHED),
    Case(BUCKET, "deaf", "hold", SWITCHED),
    Case(ADMIN, "slow", "hold", PUT_BACK, "no answer from: envoy-1"),
    Case(ADMIN, "cut", "kick", PUT_BACK, "no answer from: envoy-1"),
    Case(ADMIN, "deaf", "kick", PUT_BACK, "no answer from: envoy-1"),
    Case(SOURCE, "cut_a_while", "start-source", PUT_BACK, way="back"),
    Case(SOURCE, "cut", "start-source", FROZEN, "start blue's core: tried 3 times", way="back"),
    Case(SOURCE, "deaf", "start-source", FROZEN, "blue", way="back"),
    Case(SOURCE, "cut", "probe-source", FROZEN, "blue", way="back"),
    Case(ADMIN, "cut", "flip-source", PUT_BACK, "envoy-1 did not answer", way="back"),
    Case(ADMIN, "cut", "release", PUT_BACK, "envoy-1 did not answer", way="back"),
    Case(ADMIN, "deaf", "release", PUT_BACK, "envoy-1 did not answer", way="back"),
    Case(TARGET, "cut", "demote-target", FROZEN, "green was told to lead and can not be read", way="turned"),
)
SLOW_MS, CLOSE_MS = 150, 1500
A_WHILE = 2.0


class Site:
    """Labs whose bmswitch reaches everything through Toxiproxy only."""

    def __init__(self, labs: Labs) -> None:
        self.labs = labs
        self.toxics: Toxics | None = None

    def made(self, line: Line) -> Iterator[None]:
        """Toxiproxy beside a new lab, and its addresses in the configuration."""
        state = line.state["ports"]
        upstreams = {
            SOURCE: f"127.0.1.1:{state['blue_http']}",
            TARGET: f"127.0.2.1:{state['green_http']}",
            BUCKET: f"127.0.0.1:{state['s3']}",
            ADMIN: f"127.0.0.1:{state['proxy_admin']}",
        }
        with toxics(line.folder / "toxiproxy", upstreams) as made:
            self.toxics = made
            addresses = {f"http://{upstreams[name]}": f"http://{edge}" for name, edge in made.edges.items()}
            change_config(line, addresses)
            yield


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Labs with Toxiproxy."""
    labs = Labs(tmp_path_factory.mktemp("toxic"))
    made = Site(labs)
    labs.also = contextmanager(made.made)
    yield made
    labs.close()


def _params() -> list[Any]:
    return [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in CASES]


@pytest.mark.real
@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", _params())
def test_a_part_that_fails_in_the_hold_has_one_defined_end(site: Site, case: Case) -> None:
    line = site.labs.ready()
    assert site.toxics is not None
    with clients_at_work(line) as clients:
        code, answer = strike(line, case.verb, case.instant, _fault(site.toxics, case), way=case.way)
        site.toxics.heal()
        assert code == case.code, answer
        side = {SWITCHED: "green", PUT_BACK: "blue"}.get(code, "")
        if code:
            ended_with(code, side or "unknown", case.said, (code, answer))
        if code == FROZEN:  # the operator has mended it
            side, _ = end_it(line, "--abort")
            assert side == "blue"
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, side)
    nothing_lost(clients, side, explained(line, ended))


def _fault(toxics: Toxics, case: Case) -> Callable[[int], None]:
    return {
        "slow": lambda _pid: toxics.slow(case.edge, SLOW_MS),
        "slow_close": lambda _pid: toxics.slow_close(case.edge, CLOSE_MS),
        "deaf": lambda _pid: toxics.deaf(case.edge),
        "cut": lambda _pid: toxics.cut(case.edge),
        "cut_a_while": lambda _pid: _cut_a_while(toxics, case.edge),
    }[case.fault]


def _cut_a_while(toxics: Toxics, edge: str) -> None:
    toxics.cut(edge)
    threading.Timer(A_WHILE, toxics.heal).start()
