"""The target's core dies (SIGKILL) right before each effect of the switch. Before the promotion the switch turns back; once the
target was told to lead and can not be read it freezes; once it leads traffic stays, and the soak says what is wrong.
"""

import time
from typing import Any, get_args

import pytest
from tests.integration.kill_kit import (
    Labs,
    clients_at_work,
    end_it,
    ended_with,
    explained,
    last_attempt,
    nothing_lost,
    one_side_serves,
    strike,
)
from tests.integration.line_kit import Line

from bmswitch.model.switch import Verb

pytestmark = pytest.mark.timeout(300)
BEFORE: tuple[Verb, ...] = (
    "hold",
    "kick",
    "drain",
    "barrier",
    "demote-source",
    "settle",
    "prove",
    "stop-source",
)
UNCLEAR: tuple[Verb, ...] = ("promote-target", "probe-target")
AFTER: tuple[Verb, ...] = ("flip-target", "release", "soak")


def _target_dies(line: Line, verb: Verb) -> tuple[int, Any]:
    return strike(line, verb, "before-effect", lambda _pid: line.kill_core("green"))


def _starts_again(line: Line) -> None:
    line.must("lab", "core", "start", "green", plain=True)


def _held_since(line: Line) -> float:
    """A client that was held may give up while nobody serves, or meet a core that is gone."""
    return float(next(row["at_ms"] for row in last_attempt(line) if row.get("verb") == "hold")) / 1000


@pytest.mark.slow
@pytest.mark.parametrize("verb", BEFORE)
def test_a_target_that_dies_before_its_promotion_is_given_up(labs: Labs, verb: Verb) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        ended_with(12, "blue", "green's core", _target_dies(line, verb))
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "blue", target="silent")
    nothing_lost(clients, "blue", explained(line, ended))
    labs.close()  # a clone that was killed must be built anew


@pytest.mark.slow
@pytest.mark.parametrize("verb", UNCLEAR)
def test_a_target_that_dies_when_told_to_lead_freezes_the_switch_until_it_is_read(
    labs: Labs, verb: Verb
) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        ended_with(11, "unknown", "green was told to lead and can not be read", _target_dies(line, verb))
        assert line.core_state("blue") == "silent"
        _starts_again(line)
        side, _ = end_it(line, "--abort")
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, side)
    nothing_lost(clients, side, (_held_since(line), ended))


@pytest.mark.slow
@pytest.mark.parametrize("verb", AFTER)
def test_a_target_that_dies_when_it_leads_is_a_breach_and_traffic_stays(labs: Labs, verb: Verb) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        ended_with(11, "green", "soak found a breach", _target_dies(line, verb))
        assert line.core_state("blue") == "silent"
        _starts_again(line)
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "green")
    nothing_lost(clients, "green", (_held_since(line), ended))


def test_every_effect_of_the_way_there_is_struck() -> None:
    back = {"flip-source", "start-source", "probe-source", "demote-target", "restore-source"}
    assert {*BEFORE, *UNCLEAR, *AFTER, *back, "revoke-source"} == set(get_args(Verb))
