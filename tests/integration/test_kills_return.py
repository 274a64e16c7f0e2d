"""kill -9 of `bmswitch return`: the way back survives what the way there survives, on one lab whose clients are on green."""

from pathlib import Path

import pytest
from tests.integration.kill_kit import BUDGETS, RATE, SMALL, change_config, kill_at
from tests.integration.killed import Instant
from tests.integration.line_kit import Line, prepared, running_line, verdict

from bmswitch.model.switch import Verb

Cell = tuple[Verb, Instant, str, int, str]
CELLS: tuple[Cell, ...] = (
    ("barrier", "waiting", "--abort", 12, "green"),
    ("settle", "after-effect", "--resume", 12, "green"),
    ("flip-target", "before-effect", "--resume", 0, "blue"),
)
"""Where it is killed, the operator's next command, its exit code, and who serves then."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_return_that_is_killed_ends_on_one_side_and_loses_nothing(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        change_config(line, BUDGETS)
        copy = prepared(line, RATE)
        line.must("cutover", "--yes")
        assert copy.end()[0] == 0
        standby = line.start("standby", "--yes")
        try:
            for cell in CELLS:
                _killed(line, cell)
            code, answer = standby.end()
            assert code == 0, answer
        finally:
            standby.stop()
        status = line.must("status")
        assert (status["serving"], status["blue"], status["green"]) == ("blue", "RUNNING", "silent")
        _, checked = verdict(line)
        found = checked["verdict"]
        assert checked["side"] == "blue"
        assert found["acknowledged"] > 0
        assert (found["lost"], found["duplicated"], found["refused_present"]) == (0, 0, 0), found


def _killed(line: Line, cell: Cell) -> None:
    verb, instant, command, code, side = cell
    line.must("status", "--wait", "standby", "--timeout", "100")
    kill_at(line, verb, instant, "forward", command="return")
    ended, answer = line.run("return", command)
    assert (ended, answer["result"]["serving"]) == (code, side), answer
    assert line.core_state(side) == "CORE_STATE_RUNNING"
