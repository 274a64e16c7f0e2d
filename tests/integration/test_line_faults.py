"""Faults in the line with clients at work: processes killed, cores killed, a clone that dies. The clients' ledger judges."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.line_kit import (
    Line,
    caught_up,
    ledger,
    no_interruption,
    prepared,
    running_line,
    until_phase,
    verdict,
    wait_for,
)

SMALL = ("--users", "12", "--items", "5")
RATE = 120
LEASE = 3.0
FLUSH = 1.0


@pytest.mark.slow
def test_a_copy_that_is_killed_goes_on_and_a_switch_that_is_killed_in_the_hold_lets_clients_go(
    tmp_path: Path,
) -> None:
    with running_line(tmp_path, *SMALL) as line:
        copy = prepared(line, RATE)
        copy = _second_copy_is_refused_and_a_killed_one_goes_on(line, copy)
        assert line.must("verify")["verdict"] == "equal"
        _killed_in_the_hold(line)
        _blue_serves(line)
        assert line.must("cutover", "--yes")["serving"] == "green"
        assert copy.end()[0] == 0
        summary, checked = verdict(line)
        assert checked["side"] == "green"
        no_interruption(summary, checked)


def _second_copy_is_refused_and_a_killed_one_goes_on(line: Line, copy: Any) -> Any:
    error = line.fails(9, "replicate")
    assert str(copy.process.pid) in error["evidence"]
    assert copy.process.poll() is None
    copy.kill()
    killed = time.time()
    wait_for(lambda: _acknowledged_since(line, killed) > 50, 10, "writes while nothing is copied")
    again = line.start("replicate")
    caught_up(line, again)
    return again


def _killed_in_the_hold(line: Line) -> None:
    switch = line.start("cutover", "--yes")
    until_phase(line, switch, "barrier")
    switch.kill()
    killed = time.time()
    wait_for(lambda: _acknowledged_since(line, killed) > 20, LEASE + FLUSH, "traffic flows again by itself")
    refused = line.fails(8, "cutover", "--yes")
    assert "open" in refused["cause"]
    assert "--abort" in refused["next"]
    for _ in range(2):  # the second finds it done already
        code, answer = line.run("cutover", "--abort")
        assert code == 12, answer
        assert answer["result"]["outcome"] == "aborted"
        assert answer["result"]["serving"] == "blue"


@pytest.mark.slow
def test_a_switch_that_is_killed_after_the_demotion_ends_on_one_side(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        copy = prepared(line, RATE)
        switch = line.start("cutover", "--yes")
        until_phase(line, switch, "prove", "stop-old")
        switch.kill()
        killed = time.time()
        assert line.core_state("blue") in ("CORE_STATE_DEMOTED", "silent")
        wait_for(lambda: _refused_since(line, killed) > 0, LEASE + FLUSH + 2, "blue refuses writes")
        code, answer = line.run("cutover", "--resume")
        assert code == 12, answer
        back = time.time()
        _blue_serves(line)
        wait_for(lambda: _acknowledged_since(line, back) > 20, 10, "blue takes writes again")

        switch = line.start("cutover", "--yes")
        until_phase(line, switch, "promote", "flip", "release", "soak")
        switch.kill()
        second = time.time()
        result = line.must("cutover", "--resume")
        assert (result["outcome"], result["serving"]) == ("switched", "green")
        forward = time.time()
        assert copy.end()[0] == 0
        summary, checked = verdict(line)
        assert checked["side"] == "green"
        assert summary["requests"]["cut"] == 0
        _nothing_lost(summary, checked, [(killed, back), (second, forward)])


@pytest.mark.slow
def test_green_that_dies_in_the_switch_is_given_up_and_no_client_notices(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        copy = prepared(line, RATE)
        switch = line.start("cutover", "--yes")
        until_phase(line, switch, "kick", "drain", "barrier")
        line.kill_core("green")
        code, answer = switch.end()
        assert code == 12, answer
        assert answer["result"]["serving"] == "blue"
        assert line.must("status")["serving"] == "blue"
        assert "green" in line.fails(8, "cutover", "--yes")["cause"]
        copy.stop()
        summary, checked = verdict(line)
        assert checked["side"] == "blue"
        no_interruption(summary, checked)


def test_a_clone_that_dies_is_never_caught_up(tmp_path: Path) -> None:
    with running_line(tmp_path, "--users", "3", "--items", "2") as line:
        line.must("plan")
        line.must("provision")
        line.must("lab", "defect", "task-success-though-domain-failed", "on", plain=True)
        copy = line.start("replicate")
        seen = set()
        while copy.process.poll() is None:
            with _half_written():
                seen.add(line.replicate_status()["phase"])
            time.sleep(0.02)
        code, answer = copy.end()
        assert code == 15, answer
        assert answer["error"]["kind"] == "clone"
        assert "caught_up" not in seen
        assert line.replicate_status()["phase"] == "failed"
        assert line.fails(11, "status", "--wait", "caught-up", "--timeout", "2")["cause"]
        assert line.fails(8, "cutover", "--yes")


@contextmanager
def _half_written() -> Iterator[None]:
    """The status file may not be there yet."""
    try:
        yield
    except FileNotFoundError:
        return


def _blue_serves(line: Line) -> None:
    status = line.must("status")
    assert (status["serving"], status["blue"], status["green"]) == ("blue", "RUNNING", "CLONING")


def _acknowledged_since(line: Line, moment: float) -> int:
    rows = ledger(line)
    return sum(row["sent"] > moment and row["outcome"] == "acknowledged" for row in rows)


def _refused_since(line: Line, moment: float) -> int:
    return sum(row["answered"] > moment and row["outcome"] != "acknowledged" for row in ledger(line))


def _nothing_lost(
    summary: dict[str, Any], checked: dict[str, Any], pauses: list[tuple[float, float]]
) -> None:
    """Clients may be refused between the end of the lease and the end of the operator's next command, never told a lie."""
    found = checked["verdict"]
    assert found["acknowledged"] > 0
    assert (found["lost"], found["duplicated"], found["refused_present"]) == (0, 0, 0), found
    failed = [second["at"] for second in summary["timeline"] if second["failed"]]
    outside = [at for at in failed if not any(begin - 1 <= at <= end + 1 for begin, end in pauses)]
    assert not outside, (outside, pauses, summary["failures"])
