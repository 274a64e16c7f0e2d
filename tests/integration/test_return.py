"""The way back: a standby that takes over what the new leader has written, and the same switch in the other direction."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.line_kit import (
    Line,
    no_interruption,
    prepared,
    running_line,
    until_phase,
    verdict,
    wait_for,
)

SMALL = ("--users", "6", "--items", "3")
RATE = 60


@pytest.mark.timeout(400)
def test_rehearsed_there_and_back_under_load(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        copy = prepared(line, RATE)
        assert line.fails(8, "return", "--yes")["cause"].startswith("there is nothing to return from")
        result = line.must("cutover", "--rehearse", "--yes")
        assert copy.end()[0] == 0
        assert (result["there"]["serving"], result["back"]["serving"]) == ("green", "blue")
        assert not result["there"]["breach"]
        assert not result["back"]["breach"]
        status = line.must("status")
        assert (status["serving"], status["blue"], status["green"]) == ("blue", "RUNNING", "silent")
        summary, checked = verdict(line)
        assert checked["side"] == "blue"
        no_interruption(summary, checked)
        told = json.loads((line.lab / "run" / "rehearsal.json").read_text())
        assert told["back"]["hold_ms"] == result["back"]["hold_ms"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_legs_with_a_standby_killed_on_the_way(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        copy = prepared(line, RATE)
        line.must("cutover", "--yes")
        assert copy.end()[0] == 0
        first = line.start("standby", "--yes")
        wait_for(lambda: _copied(line, 2) > 0, 60, "the standby's copy has begun")
        first.kill()
        _return(line, "return")
        _return(line, "cutover")
        status = line.must("status")
        assert (status["serving"], status["blue"], status["green"]) == ("green", "silent", "RUNNING")
        summary, checked = verdict(line)
        assert checked["side"] == "green"
        no_interruption(summary, checked)


def _return(line: Line, command: str) -> None:
    standby = line.start("standby", "--yes")
    try:
        line.must("status", "--wait", "standby", "--timeout", "100")
        line.must(command, "--yes")
        code, answer = standby.end()
        assert code == 0, answer
        assert answer["result"]["switched"]
    finally:
        standby.stop()


def _copied(line: Line, leg: int) -> int:
    with contextlib.suppress(FileNotFoundError):
        told: dict[str, Any] = json.loads((line.lab / "run" / f"leg-{leg}" / "replicate.json").read_text())
        return int(told["records"])
    return 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_breach_in_the_soak_goes_back_by_itself_when_that_is_wanted(tmp_path: Path) -> None:
    """The canary's password is changed on green in the soak. A password alone is not in the log, so blue still knows the old one."""
    with running_line(tmp_path, *SMALL) as line:
        told = yaml.safe_load(line.config.read_text())
        told["soak"] |= {"on_breach": "return", "seconds": 6.0}
        line.config.write_text(yaml.safe_dump(told))
        line.must("plan")
        line.must("provision")
        copy = line.start("replicate")
        line.must("status", "--wait", "caught-up", "--timeout", "90")
        line.must("verify")
        switch = line.start("cutover", "--yes")
        until_phase(line, switch, "soak")
        with line.core("green") as core:
            canary = core.get("/api/users/lab.test/byLogin/user-000").json()["uid"]
            core.post(f"/api/users/lab.test/{canary}/password_", json={"newPassword": "another"})
        code, answer = switch.end(180)
        assert code == 12, answer
        assert answer["error"]["consequence"] == "traffic is on blue"
        assert "user-000" not in answer["error"]["evidence"]
        assert answer["result"]["serving"] == "blue"
        assert copy.end()[0] == 0
        assert line.must("status")["serving"] == "blue"


def test_a_standby_is_refused_before_a_switch(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        error = line.fails(8, "standby", "--yes")
        assert error["cause"] == "blue serves and was never switched away from: there is nothing to rebuild"
