"""Apache Kafka fails in the hold: the network between it and bmswitch, or the broker itself. Each has one defined end.

Cores reach their broker directly. bmswitch reaches it through Toxiproxy: a second listener of the broker names Toxiproxy's address
to whoever comes through it, as a client is told by a broker where to go.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
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
from tests.integration.line_kit import Line
from tests.integration.parts import require_real
from tests.integration.toxics import Toxics, toxics

from bmswitch.lab.supervisor import kafka_apache, kafka_embedded, ports
from bmswitch.lab.supervisor.layout import COLOURS, SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, recorded, spawn, stop
from bmswitch.model.config import Colour
from bmswitch.model.switch import Verb
from bmswitch.workflows.config import load_config
from bmswitch.workflows.overview import wait_caught_up

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]
SLOW_MS = 100


class Site:
    """Labs with two brokers; `toxics` are the edges between bmswitch and each, by colour."""

    def __init__(self, labs: Labs) -> None:
        self.labs = labs
        self.toxics: Toxics | None = None

    def made(self, line: Line) -> Iterator[None]:
        """Both brokers get a second listener, behind Toxiproxy."""
        inner = ports.pick(dict.fromkeys(COLOURS, SHARED_ADDRESS))
        with toxics(line.folder / "toxiproxy", {c: f"{SHARED_ADDRESS}:{inner[c]}" for c in COLOURS}) as made:
            self.toxics = made
            for colour in COLOURS:
                _second_listener(_properties(line, colour), inner[colour], made.edges[colour])
            broker_restarts(line, *COLOURS)
            change_config(line, {f"{SHARED_ADDRESS}:{_port(line, c)}": made.edges[c] for c in COLOURS})
            yield


def _port(line: Line, colour: Colour) -> int:
    return int(line.state["ports"][f"{colour}_kafka"])


def _properties(line: Line, colour: Colour) -> Path:
    return Layout(line.lab).kafka / kafka_embedded.name(colour) / "server.properties"


def _second_listener(properties: Path, port: int, shown: str) -> None:
    more = {
        "listeners=": f",OUTSIDE://{SHARED_ADDRESS}:{port}",
        "advertised.listeners=": f",OUTSIDE://{shown}",
        "listener.security.protocol.map=": ",OUTSIDE:PLAINTEXT",
    }
    rows = properties.read_text().splitlines()
    told = [row + next((text for key, text in more.items() if row.startswith(key)), "") for row in rows]
    properties.write_text("\n".join(told) + "\n")


def _broker_begins(line: Line, colour: Colour, *, hard: bool) -> Process:
    """Stops the broker and starts it again, without waiting until it answers."""
    layout, name = Layout(line.lab), kafka_embedded.name(colour)
    process = recorded(layout, name)
    assert process is not None
    assert stop(process, grace=15.0, hard=hard)
    return spawn(layout, name, kafka_apache.server_command(_properties(line, colour)))


def broker_restarts(line: Line, *colours: Colour) -> None:
    """Each is stopped as an operator does it, and answers again when this returns."""
    begun = [(colour, _broker_begins(line, colour, hard=False)) for colour in colours]
    for colour, process in begun:
        address = f"{SHARED_ADDRESS}:{_port(line, colour)}"
        answers = functools.partial(kafka_apache.answers, address)
        await_ready(Layout(line.lab), process, answers, kafka_apache.READY)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Labs on Apache Kafka with Toxiproxy."""
    require_real("kafka")
    labs = Labs(tmp_path_factory.mktemp("kafka"), "--kafka", "apache")
    made = Site(labs)
    labs.also = contextmanager(made.made)
    yield made
    labs.close()


@pytest.mark.parametrize("edge", COLOURS)
def test_a_broker_out_of_reach_before_the_proof_turns_back(site: Site, edge: Colour) -> None:
    line = site.labs.ready()
    assert site.toxics is not None
    toxics = site.toxics
    with clients_at_work(line) as clients:
        seen = strike(line, "barrier", "before-effect", lambda _pid: toxics.cut(edge))
        toxics.heal()
        ended_with(12, "blue", "", seen)
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", explained(line, ended))


FAULTS: dict[str, Callable[[Toxics, str], None]] = {
    "slow": lambda toxics, edge: toxics.slow(edge, SLOW_MS),
    "cut": lambda toxics, edge: toxics.cut(edge),
}


@pytest.mark.parametrize(
    ("edge", "fault", "verb"),
    [
        ("green", "slow", "hold"),
        ("blue", "cut", "promote-target"),
    ],
)
def test_a_slow_broker_and_one_that_is_not_needed_any_more_do_not_stop_the_switch(
    site: Site, edge: Colour, fault: str, verb: Verb
) -> None:
    line = site.labs.ready()
    assert site.toxics is not None
    toxics = site.toxics
    with clients_at_work(line) as clients:
        code, answer = strike(line, verb, "before-effect", lambda _pid: FAULTS[fault](toxics, edge))
        toxics.heal()
        assert (code, (answer["result"] or {}).get("serving")) == (0, "green"), answer
        clients.served(time.time())
    one_side_serves(line, "green")
    nothing_lost(clients, "green", None)


def test_a_broker_that_restarts_before_the_hold_changes_nothing(site: Site) -> None:
    line = site.labs.ready()
    with clients_at_work(line) as clients:
        begun = time.time()
        broker_restarts(line, *COLOURS)
        wait_caught_up(load_config(line.config), 60)
        ready = time.time()
        assert line.must("cutover", "--yes")["serving"] == "green"
        clients.served(time.time())
    one_side_serves(line, "green")
    nothing_lost(clients, "green", (begun, ready))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_broker_that_restarts_in_the_hold_turns_back(site: Site, colour: Colour) -> None:
    line = site.labs.ready()

    def killed(_pid: int) -> None:
        _broker_begins(line, colour, hard=True)

    with clients_at_work(line) as clients:
        ended_with(12, "blue", "", strike(line, "barrier", "before-effect", killed))
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", explained(line, ended))
