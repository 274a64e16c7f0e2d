import asyncio

from bmswitch.bluemind.pace import START, Pace
from bmswitch.replication.valve import Valve


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, clock: Clock, seconds: float, reads: int = 40) -> None:
    """Reads that each take so long, one after the other."""

    async def work() -> None:
        for _ in range(reads):
            began = await pace.enter()
            clock.now += seconds
            await pace.leave(began)

    asyncio.run(work())


def test_a_side_that_stays_as_quick_is_asked_more_at_a_time() -> None:
    clock = Clock()
    pace = Pace(32, clock=clock)
    run(pace, clock, 0.01, reads=2000)
    assert pace.limit == 32


def test_a_side_that_gets_slower_is_asked_less_and_more_again_later() -> None:
    clock = Clock()
    pace = Pace(32, clock=clock)
    run(pace, clock, 0.01, reads=200)
    run(pace, clock, 0.2, reads=400)
    assert pace.limit < START
    low = pace.limit
    run(pace, clock, 0.01, reads=200)
    assert pace.limit > low


def test_it_never_stops_altogether() -> None:
    clock = Clock()
    pace = Pace(32, clock=clock)
    run(pace, clock, 0.001, reads=50)
    run(pace, clock, 5.0, reads=300)
    assert pace.limit >= 1


def test_no_more_than_the_limit_are_under_way() -> None:
    pace, most, under_way = Pace(100), 0, 0

    async def one() -> None:
        nonlocal most, under_way
        began = await pace.enter()
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await pace.leave(began)

    async def work() -> None:
        await asyncio.gather(*(one() for _ in range(START)), *(one() for _ in range(20)))

    asyncio.run(work())
    assert START <= most <= START + 4


def test_nothing_is_asked_while_the_valve_is_held() -> None:
    valve = Valve()
    pace = Pace(4, valve)

    async def work() -> bool:
        valve.hold("throttled", "blue is busy")
        waiting = asyncio.create_task(pace.enter())
        await asyncio.sleep(0.12)
        held = not waiting.done()
        valve.lift("throttled")
        await asyncio.wait_for(waiting, 5)
        return held

    assert asyncio.run(work())
