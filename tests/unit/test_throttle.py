"""How much the copy may read: a rate, reasons to stand still, what the source's health says."""

import signal
from pathlib import Path

import msgspec
import pytest

from bmswitch.cli.replicate import paused_by_signals
from bmswitch.model.config import Throttle
from bmswitch.model.errors import UnknownError
from bmswitch.model.throttle import Signs, reason
from bmswitch.replication.valve import Valve
from bmswitch.workflows.pausing import FILE, obey, pause, resume
from bmswitch.workflows.source_health import ticks


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("rate", [1.0, 50.0, 3000.0])
def test_a_rate_is_kept_over_time_and_a_quiet_moment_may_be_caught_up(rate: float) -> None:
    clock, read = Clock(), 0
    valve = Valve(rate, clock=clock)
    for _ in range(1000):
        clock.now += 0.01
        may = valve.permit(1000)
        valve.took(may)
        read += may
    assert rate * 10 - 1 <= read <= rate * 10
    clock.now += 60
    assert valve.permit(100_000) == int(rate)


def test_without_a_rate_everything_may_be_read() -> None:
    valve = Valve()
    valve.took(10**9)
    assert valve.permit(1000) == 1000


def test_nothing_is_read_while_there_is_any_reason_and_the_time_is_counted() -> None:
    clock = Clock()
    valve = Valve(clock=clock)
    valve.hold("paused", "night")
    clock.now += 2
    valve.hold("throttled", "busy")
    assert (valve.permit(5), valve.held) == (0, "paused: night")
    valve.lift("paused")
    clock.now += 3
    assert (valve.permit(5), valve.held, valve.held_seconds) == (0, "throttled: busy", 5.0)
    valve.lift("throttled")
    valve.lift("throttled")
    clock.now += 100
    assert (valve.permit(5), valve.held, valve.held_seconds) == (5, "", 5.0)


LIMITS = Throttle(cpu=0.8, latency=0.5, groups={"g": 10}, copies_in_step=True)


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        (Signs(cpu={"a": 0.8}, latency={"f": 0.5}, groups={"g": 10}), ""),
        (Signs(cpu={"a": 0.1, "b": 0.93}), "b is 93% busy, limit 80%"),
        (Signs(latency={"mx:25": 1.25}), "mx:25 took 1.25 s to greet, limit 0.5 s"),
        (Signs(groups={"g": 11}), "consumer group g is 11 records behind, limit 10"),
        (Signs(copies_behind=3), "3 partitions have a copy out of step"),
        (Signs(unread=["a: silence"]), "a: silence"),
    ],
)
def test_the_first_sign_beyond_its_limit_is_told_with_both_numbers(signs: Signs, said: str) -> None:
    assert reason(signs, LIMITS) == said


def test_without_limits_nothing_holds_the_copy_back() -> None:
    signs = Signs(cpu={"a": 1.0}, latency={"f": 99.0}, groups={"g": 10**9}, copies_behind=64)
    assert reason(signs, Throttle()) == ""
    assert not Throttle().any
    assert all(
        msgspec.convert(one, Throttle).any
        for one in ({"cpu": 0.5}, {"latency": 1}, {"groups": {"g": 0}}, {"copies_in_step": True})
    )


def test_processor_time_is_read_from_the_kernel_s_line() -> None:
    assert ticks("cpu  10 20 30 400 5 6 7 8 99 99") == (486, 405)
    for broken in ("", "cpu0 1 2 3 4 5", "not in this lab: ['grep']", "cpu a b c d e"):
        with pytest.raises(UnknownError):
            ticks(broken)


def test_the_pause_file_decides_and_keeps_its_first_reason(tmp_path: Path) -> None:
    valve = Valve()
    obey(tmp_path, valve)
    assert valve.held == ""
    pause(tmp_path, "backup\nuntil six")
    pause(tmp_path, "another reason")
    obey(tmp_path, valve)
    assert valve.held == "paused: backup until six"
    resume(tmp_path)
    resume(tmp_path)
    obey(tmp_path, valve)
    assert valve.held == ""
    (tmp_path / FILE).touch()
    obey(tmp_path, valve)
    assert valve.held == f"paused: {FILE} is there"


def test_signals_make_and_remove_the_pause_file(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with paused_by_signals(tmp_path):
        signal.raise_signal(signal.SIGUSR1)
        assert (tmp_path / FILE).exists()
        signal.raise_signal(signal.SIGUSR2)
        assert not (tmp_path / FILE).exists()
    assert signal.getsignal(signal.SIGUSR1) == before
