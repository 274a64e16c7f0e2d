"""Lag in records and seconds against known delays, the time left against known speeds, the log's life against a known deletion."""

import math
import random

import pytest

from bmswitch.model.lag import MARKS, Lag, LagMeter, Left, Life, Speed, too_late
from bmswitch.replication.lag_watch import Watched
from bmswitch.replication.mirror import Progress

TOPIC = "t"
EVERY = 0.1


@pytest.mark.parametrize("delay", [0.0, 0.13, 1.0, 7.0])
@pytest.mark.parametrize("seed", range(3))
def test_seconds_are_true_to_half_a_look_and_records_exactly(delay: float, seed: int) -> None:
    """Records are written at any moment to 5 partitions; each is acknowledged a known delay later."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    written: list[list[float]] = [
        sorted(chance.uniform(0.3, 20) for _ in range(chance.randint(0, 60))) for _ in range(5)
    ]
    meter = LagMeter()
    for step in range(300):
        now = step * EVERY
        ends = [sum(at <= now for at in times) for times in written]
        positions = [sum(at + delay <= now for at in times) for times in written]
        records, seconds = meter.look(now, {TOPIC: positions}, {TOPIC: ends})
        waiting = [at for times in written for at in times if at <= now < at + delay]
        assert records == len(waiting)
        true = now - min(waiting, default=now)
        assert abs(seconds - true) <= EVERY / 2 + 1e-9


def test_a_partition_that_stands_still_for_long_keeps_its_oldest_moment() -> None:
    meter = LagMeter()
    meter.look(0.0, {TOPIC: [0]}, {TOPIC: [0]})
    for step in range(1, 5 * MARKS):
        records, seconds = meter.look(step * EVERY, {TOPIC: [0]}, {TOPIC: [step]})
        assert (records, round(seconds, 6)) == (step, round(step * EVERY - EVERY / 2, 6))
    records, seconds = meter.look(5 * MARKS * EVERY, {TOPIC: [5 * MARKS - 1]}, {TOPIC: [5 * MARKS]})
    assert records == 1
    assert seconds == pytest.approx(EVERY / 2)


def test_what_was_there_before_the_first_look_has_no_known_age() -> None:
    meter = LagMeter()
    assert meter.look(5.0, {TOPIC: [3]}, {TOPIC: [9], "later": [4]}) == (6, math.inf)
    assert meter.look(5.1, {TOPIC: [9]}, {TOPIC: [9]}) == (0, 0.0)


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.6])
def test_the_time_left_lies_between_its_bounds_nearly_always(noise: float) -> None:
    inside = 0
    for seed in range(200):
        chance = random.Random(seed)  # noqa: S311 - repeatable
        speed, behind, true = Speed(), 1_000_000.0, 1000.0
        for step in range(30):
            speed.see(step * 2.0, round(behind))
            behind -= 2.0 * true * (1 + chance.gauss(0, noise))
        left = speed.left(round(behind))
        assert left is not None
        assert left.high is not None
        inside += left.low <= behind / true * 1.0001 and behind / true <= left.high * 1.0001
    assert inside >= 180


def test_nothing_is_predicted_from_too_little_or_when_the_end_runs_away() -> None:
    speed = Speed()
    for step in range(4):
        speed.see(step * 2.0, 1000 - step)
        assert speed.left(10) is None
    speed.see(8.0, 996)
    assert speed.left(10) is not None
    assert speed.left(0) == Left(seconds=0.0, low=0.0, high=0.0)
    speed.forget()
    assert speed.left(10) is None
    for step in range(10):
        speed.see(step * 2.0, 1000 + step)
    assert speed.left(1009) == Left(seconds=math.inf, low=math.inf, high=None)


def test_a_speed_that_may_be_none_has_no_upper_bound() -> None:
    speed, behind = Speed(), 1000
    for step, gain in enumerate([0, 50, -45, 60, -50, 40]):
        behind -= gain
        speed.see(step * 2.0, behind)
    left = speed.left(behind)
    assert left is not None
    assert left.high is None
    assert left.low < left.seconds


def test_the_log_s_life_is_what_is_left_before_its_beginning_at_the_speed_with_which_it_goes() -> None:
    life = Life()
    assert life.look(0.0, {TOPIC: [0, 0]}, {TOPIC: [50, 900]}) == math.inf
    assert life.look(10.0, {TOPIC: [20, 0]}, {TOPIC: [100, 900]}) == pytest.approx(40.0)
    assert life.look(20.0, {TOPIC: [40, 400]}, {TOPIC: [30, 900]}) == 0.0


def test_too_late_is_when_the_life_is_shorter_than_twice_the_catch_up() -> None:
    left = Left(seconds=10.0, low=8.0, high=None)
    assert too_late(19.9, left)
    assert not too_late(20.0, left)
    assert not too_late(1.0, None)
    assert not too_late(math.inf, left)
    assert Watched(progress=Progress()).lag == Lag()
