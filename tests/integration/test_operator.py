"""What an operator does at the terminal while a switch runs: Ctrl-C once, twice, three times; a lost line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.integration.kill_kit import (
    Labs,
    clients_at_work,
    explained,
    nothing_lost,
    one_side_serves,
    state_of_journal,
)
from tests.integration.line_kit import COMMAND, Line
from tests.integration.terminal import COLUMNS, CTRL_C, Terminal, terminal

NAME = "127.0.2.1"
pytestmark = pytest.mark.timeout(300)


@contextmanager
def _switching(line: Line, at: str) -> Iterator[Terminal]:
    """The operator has typed green's name; the phase's line is on the screen."""
    with terminal([*COMMAND, "cutover", "-c", str(line.config)], line.folder) as screen:
        screen.wait_for("Type its name to go on: ")
        screen.press(f"{NAME}\n")
        screen.wait_for(rf"s  {at} ")
        yield screen


@contextmanager
def _slow_start(line: Line, seconds: float) -> Iterator[None]:
    """Blue's core takes longer to start."""
    script = line.lab / "blue" / "start-core"
    text = script.read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    script.write_text(f"{first}\nsleep {seconds}\n{rest}", encoding="utf-8")
    try:
        yield
    finally:
        script.write_text(text, encoding="utf-8")


def test_ctrl_c_in_the_hold_turns_back_at_once_and_says_so(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        with _switching(line, "(hold|kick|drain)") as screen:
            screen.press(CTRL_C)
            assert screen.end() == 12
        clients.served(time.time())
    said = screen.words()
    assert "Ctrl-C: turning back where that loses nothing" in said
    assert "the switch was put back: stopped by the operator" in said
    assert "so: traffic is on blue" in said
    assert "Traceback" not in said
    assert screen.widest() <= COLUMNS
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", None)


def test_ctrl_c_twice_says_what_is_under_way_and_still_puts_back(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        with _slow_start(line, 1.0), _switching(line, "(prove|stop-old)") as screen:
            screen.press(CTRL_C)
            screen.wait_for("start blue's core")
            screen.press(CTRL_C)
            assert screen.end() == 12
        ended = time.time()
        clients.served(ended)
    said = screen.words()
    assert "still on the way to blue (phase aborting)" in said
    assert "once more leaves at once" in said
    assert "so: traffic is on blue" in said
    assert screen.widest() <= COLUMNS
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", explained(line, ended))


@pytest.mark.slow
def test_ctrl_c_three_times_leaves_and_the_next_command_ends_it(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        with _slow_start(line, 2.0), _switching(line, "(prove|stop-old)") as screen:
            for _ in range(3):
                screen.press(CTRL_C)
                time.sleep(0.1)  # three keys, not one signal
            assert screen.end(5) == 130
        assert "left in the middle" in screen.words()
        assert "bmswitch cutover --abort or --resume" in screen.words()
        code, answer = line.run("cutover", "--abort")
        assert code == 12, answer
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", explained(line, ended))


@pytest.mark.slow
def test_a_lost_line_turns_back(labs: Labs) -> None:
    line = labs.ready()
    with clients_at_work(line) as clients:
        with _switching(line, "(hold|kick|drain)") as screen:
            screen.hang_up()
            assert screen.end() == 12
        clients.served(time.time())
    state = state_of_journal(line)
    assert (state.outcome, state.turned_because) == ("aborted", "stopped by the operator")
    one_side_serves(line, "blue")
    nothing_lost(clients, "blue", None)
