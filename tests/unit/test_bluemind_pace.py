import asyncio

from bmswitch.bluemind.limit import START
from bmswitch.bluemind.pace import Pace
from bmswitch.replication.valve import Valve


def test_no_more_than_the_limit_are_under_way() -> None:
    pace, most, under_way = Pace(100), 0, 0

    async def one() -> None:
        nonlocal most, under_way
        began = await pace.enter()
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        await pace.leave(began, "")

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
