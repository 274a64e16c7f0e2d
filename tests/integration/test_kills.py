"""kill -9 of `bmswitch cutover` at each effect, at four instants of it, and both ways out; clients' ledger and journal judge."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.integration.kill_kit import (
    Labs,
    change_config,
    clients_at_work,
    end_it,
    explained,
    kill_at,
    nothing_lost,
    one_side_serves,
    state_of_journal,
)
from tests.integration.killed import INSTANTS, Instant, Way
from tests.integration.line_kit import Line

from bmswitch.model.switch import Verb

COMMANDS = ("--resume", "--abort")
BACK: dict[Verb, Way] = {
    "flip-source": "back",
    "start-source": "back",
    "probe-source": "back",
    "release": "back",
    "demote-target": "turned",
    "restore-source": "turned",
}
"""Effects of the way back, and how the switch came to turn back."""

FORWARD: tuple[Verb, ...] = tuple(verb for verb in get_args(Verb) if verb == "release" or verb not in BACK)
CELLS: list[tuple[Way, Verb, Instant, str]] = [
    *(("forward", verb, *cell) for verb in FORWARD for cell in itertools.product(INSTANTS, COMMANDS)),
    *((way, verb, *cell) for verb, way in BACK.items() for cell in itertools.product(INSTANTS, COMMANDS)),
]
EVERY = 11
"""Which of the cells run by default: no divisor of a verb's eight, so that both commands and all instants have their turn."""


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Labs whose configuration names commands that withdraw blue's right to write to its log: a file stands for that."""
    made = Labs(tmp_path_factory.mktemp("labs"))
    made.also = _with_rights
    yield made
    made.close()


@contextmanager
def _with_rights(line: Line) -> Iterator[None]:
    mark = _withdrawn(line)
    commands = f"revoke: [touch, {mark}], restore: [rm, -f, {mark}]"
    rights = f"rights: {{kafka: {{driver: command, {commands}}}}}"
    change_config(line, {"  core:\n    stop: [blue/": f"  {rights}\n  core:\n    stop: [blue/"})
    yield


def _withdrawn(line: Line) -> Path:
    return line.lab / "blue" / "withdrawn"


def _cells() -> list[Any]:
    params = []
    for number, (way, verb, instant, command) in enumerate(CELLS):
        slow = [pytest.mark.slow] if number % EVERY else []
        name = f"{way}-{verb}-{instant}{command}"
        params.append(pytest.param(way, verb, instant, command, id=name, marks=slow))
    return params


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("way", "verb", "instant", "command"), _cells())
def test_a_switch_killed_here_ends_on_one_side_and_loses_nothing(
    labs: Labs, way: Way, verb: Verb, instant: Instant, command: str
) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        kill_at(line, verb, instant, way)
        side, _ = end_it(line, command)
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, side)
    assert _withdrawn(line).exists() == (side == "green")
    assert state_of_journal(line).outcome == {"blue": "aborted", "green": "switched"}[side]
    nothing_lost(clients, side, explained(line, ended))
