"""Held requests wait in order, are let go once, and a new hold stops a release that is still under way."""

import asyncio
from typing import cast

from bmswitch.proxy.waiting_room import Question, WaitingRoom

HEAD = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


class Wire:
    """Stands for Envoy's end of a connection."""

    def __init__(self) -> None:
        self.answers = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.answers += data.count(b"200 OK")

    def abort(self) -> None:
        self.aborted = True


def connect(room: WaitingRoom) -> tuple[Question, Wire]:
    question, wire = Question(room), Wire()
    question._transport = cast("asyncio.Transport", wire)
    return question, wire


async def empty(room: WaitingRoom) -> None:
    for _ in range(1000):
        if not room.waiting:
            return
        await asyncio.sleep(0.002)
    raise AssertionError("still waiting")


def test_an_open_room_answers_at_once() -> None:
    question, wire = connect(WaitingRoom())
    question.data_received(HEAD)
    question.data_received(HEAD)
    assert wire.answers == 2


def test_a_question_in_pieces_is_one_question() -> None:
    question, wire = connect(WaitingRoom())
    for byte in HEAD:
        question.data_received(bytes([byte]))
    assert wire.answers == 1


def test_a_closed_room_keeps_them_until_it_opens() -> None:
    async def scenario() -> None:
        room = WaitingRoom()
        room.close()
        wires = []
        for _ in range(200):
            question, wire = connect(room)
            question.data_received(HEAD)
            wires.append(wire)
        assert room.waiting == 200
        room.open()
        await empty(room)
        assert [wire.answers for wire in wires] == [1] * 200

    asyncio.run(scenario())


def test_a_new_hold_keeps_those_that_were_not_let_go_yet() -> None:
    async def scenario() -> None:
        room = WaitingRoom()
        room.close()
        wires = []
        for _ in range(300):
            question, wire = connect(room)
            question.data_received(HEAD)
            wires.append(wire)
        room.open()
        await asyncio.sleep(0)
        room.close()
        gone = sum(wire.answers for wire in wires)
        await asyncio.sleep(0.02)
        assert 0 < gone < 300
        assert sum(wire.answers for wire in wires) == gone
        room.open()
        await empty(room)
        assert [wire.answers for wire in wires] == [1] * 300

    asyncio.run(scenario())


def test_a_client_that_left_is_not_waiting() -> None:
    room = WaitingRoom()
    room.close()
    question, wire = connect(room)
    question.data_received(HEAD)
    question.connection_lost(None)
    assert room.waiting == 0
    assert wire.answers == 0


def test_an_endless_head_ends_the_connection() -> None:
    question, wire = connect(WaitingRoom())
    question.data_received(b"x" * (1 << 20))
    question.data_received(b"x")
    assert wire.aborted


def test_a_release_at_a_pace_goes_in_order_and_takes_its_time() -> None:
    async def scenario() -> None:
        room = WaitingRoom(spread=0.3)
        room.close()
        wires = []
        for _ in range(100):
            question, wire = connect(room)
            question.data_received(HEAD)
            wires.append(wire)
        room.open()
        await asyncio.sleep(0.05)
        gone = [wire.answers for wire in wires]
        assert 0 < sum(gone) < 100
        assert gone == sorted(gone, reverse=True)
        await empty(room)
        assert [wire.answers for wire in wires] == [1] * 100

    asyncio.run(scenario())
