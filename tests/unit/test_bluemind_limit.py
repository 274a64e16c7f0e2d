"""The limit on a side of which everything is known: workers that take so long, and a queue before them. Simulated time."""

import heapq
from collections.abc import Iterator

import pytest

from bmswitch.bluemind.limit import Limit


def answers(limit: Limit, workers: int, seconds: dict[str, float], count: int) -> Iterator[int]:
    """Reads of each kind in turn, as many under way as the limit allows; the length of the queue at each answer."""
    free, under_way, now, asked = [0.0] * workers, list[tuple[float, float, str]](), 0.0, 0
    kinds = list(seconds)
    for _ in range(count):
        while len(under_way) < int(limit.now):
            kind = kinds[asked % len(kinds)]
            done = max(now, free[0]) + seconds[kind]
            heapq.heapreplace(free, done)
            heapq.heappush(under_way, (done, now, kind))
            asked += 1
        done, began, kind = heapq.heappop(under_way)
        now = done
        yield max(0, len(under_way) + 1 - workers)
        limit.answered(kind, done - began)


@pytest.mark.parametrize("workers", [1, 4, 16])
@pytest.mark.parametrize("seconds", [{"_list": 0.004}, {"_list": 0.002, "_all": 0.03, "complete": 0.005}])
def test_nobody_stands_in_a_long_queue_and_no_worker_is_idle_for_long(
    workers: int, seconds: dict[str, float]
) -> None:
    limit = Limit(64)
    queues = list(answers(limit, workers, seconds, 20_000))[5_000:]
    assert sum(queues) / len(queues) < 4
    assert limit.now >= min(workers, 2)
    assert limit.now > workers * 0.5


def test_with_room_for_all_every_read_that_is_allowed_is_asked() -> None:
    limit = Limit(32)
    assert set(answers(limit, 1000, {"_list": 0.004}, 5_000)) == {0}
    assert limit.now == 32


def test_it_finds_its_way_back_when_a_side_has_less_room_and_more_again() -> None:
    limit = Limit(64)
    for workers, least, most in ((16, 8, 24), (2, 1, 6), (16, 8, 24)):
        list(answers(limit, workers, {"_list": 0.004}, 20_000))
        assert least <= limit.now <= most


def test_what_takes_longer_for_good_is_no_congestion_for_ever() -> None:
    limit = Limit(32)
    list(answers(limit, 1000, {"_all": 0.004}, 2_000))
    list(answers(limit, 1000, {"_all": 0.04}, 20_000))
    assert limit.now == 32
