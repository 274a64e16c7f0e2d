"""bmswitch frozen (SIGSTOP) for longer than its lease: awake again it believes nothing of what it held before."""

import signal
import time

import pytest
from tests.integration.kill_kit import (
    LEASE,
    Labs,
    clients_at_work,
    explained,
    freeze_at,
    frozen_at,
    nothing_lost,
    one_side_serves,
)
from tests.integration.killed import Instant
from tests.integration.line_kit import envelope

from bmswitch.model.switch import Verb

pytestmark = pytest.mark.timeout(300)
LONGER = LEASE + 1.0
SUSPENDED = 30.0
"""As a virtual machine that is moved to another host."""

TURNS_BACK: tuple[tuple[Verb, Instant], ...] = (
    ("hold", "after-journal"),
    ("kick", "waiting"),
    ("drain", "before-effect"),
    ("barrier", "after-journal"),
    ("demote-source", "before-effect"),
    ("demote-source", "after-effect"),
    ("settle", "waiting"),
    ("prove", "before-effect"),
    ("prove", "after-journal"),
    ("stop-source", "before-effect"),
    ("stop-source", "waiting"),
)
GOES_ON: tuple[tuple[Verb, Instant], ...] = (
    ("promote-target", "before-effect"),
    ("promote-target", "after-journal"),
    ("probe-target", "waiting"),
    ("flip-target", "before-effect"),
    ("flip-target", "after-effect"),
    ("release", "before-effect"),
)
"""Blue's core was proven stopped under the hold: only green can take writes, so that going on is the lossless way."""


def test_a_frozen_switch_keeps_its_lock_and_turns_back_when_it_wakes_up(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        with frozen_at(line, "barrier", "waiting") as process:
            frozen = time.time()
            for words in (("cutover", "--yes"), ("cutover", "--abort")):
                error = line.fails(9, *words)
                assert f"process {process.pid} " in error["evidence"]
                assert error["consequence"] == "this command did nothing"
            clients.served(frozen + LEASE)
            process.send_signal(signal.SIGCONT)
            printed, _ = process.communicate(timeout=60)
            answer = envelope("cutover", process.returncode, printed)
        assert (process.returncode, answer["result"]["serving"]) == (12, "blue"), answer
        assert "the hold has lapsed" in answer["error"]["cause"], answer
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", None)


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "instant"), TURNS_BACK, ids="-".join)
def test_frozen_before_the_source_is_proven_stopped_it_turns_back(
    labs: Labs, verb: Verb, instant: Instant
) -> None:
    _frozen(labs, verb, instant, LONGER, (12, "blue"))


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "instant"), GOES_ON, ids="-".join)
def test_frozen_after_the_source_is_proven_stopped_it_goes_on(
    labs: Labs, verb: Verb, instant: Instant
) -> None:
    _frozen(labs, verb, instant, LONGER, (0, "green"))


@pytest.mark.slow
def test_frozen_for_half_a_minute_after_the_demotion_it_turns_back(labs: Labs) -> None:
    _frozen(labs, "prove", "waiting", SUSPENDED, (12, "blue"))


def _frozen(labs: Labs, verb: Verb, instant: Instant, seconds: float, end: tuple[int, str]) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        code, answer = freeze_at(line, verb, instant, seconds)
        assert (code, answer["result"]["serving"]) == end, answer
        if code:
            assert "lapsed" in answer["error"]["cause"], answer
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, end[1])
    nothing_lost(clients, end[1], explained(line, ended))
