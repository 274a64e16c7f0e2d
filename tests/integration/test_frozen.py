"""A bmswitch that stands still (SIGSTOP) in the middle of a switch: it turns back when it wakes, or finds that it was overtaken."""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.integration.line_kit import (
    Background,
    Line,
    prepared,
    running_line,
    verdict,
    wait_for,
)

SMALL = ("--users", "4", "--items", "2")
RATE = 20
LEASE = 3.0
TRIES = 6


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_frozen_switch_turns_back_and_one_that_was_overtaken_changes_nothing(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        told = _configured(line)
        copy = prepared(line, RATE)
        _frozen_until_the_lease_is_over(line)
        _overtaken(line, told)
        told.write_text("")
        assert _switched(line)["serving"] == "green"
        assert told.read_text().splitlines()[-1] == "revoke"
        _in_order([row["verb"] for row in line.journal() if row["kind"] == "intent"])
        assert copy.end()[0] == 0
        summary, checked = verdict(line)
        assert checked["side"] == "green"
        found = checked["verdict"]
        assert (found["lost"], found["duplicated"], found["refused_present"]) == (0, 0, 0), found
        assert all(window["overlap_ms"] == 0 for window in found["windows"]), found["windows"]
        failed = [one["at"] for one in summary["timeline"] if one["failed"]]
        pauses = _put_back(line)
        assert all(any(begun - 1 <= at <= end + 1 for begun, end in pauses) for at in failed), (
            failed,
            pauses,
        )


def _configured(line: Line) -> Path:
    """Commands that withdraw blue's rights: they write down that they were run."""
    told = line.lab / "told"
    told.write_text("")
    text = line.config.read_text(encoding="utf-8")
    assert f"lease: {LEASE}" in text
    revoke, restore = (f"echo {what} >> {told}; sleep 0.4" for what in ("revoke", "restore"))
    rights = {
        "kafka": {"driver": "command", "revoke": ["sh", "-c", revoke], "restore": ["sh", "-c", restore]}
    }
    line.config.write_text(text.replace("blue:\n", f"blue:\n  rights: {json.dumps(rights)}\n", 1))
    return told


def _there(line: Line, switch: Background, phase: str) -> bool:
    return switch.process.poll() is not None or line.phase() == phase


def _frozen(line: Line, phase: str) -> Background:
    """A switch that stands still in a phase. On a busy machine a guard or the lease may end it before: then once more."""
    ended: list[str] = []
    for _ in range(TRIES):
        switch = line.start("cutover", "--yes")
        wait_for(partial(_there, line, switch, phase), 120, f"the switch in {phase}")
        if switch.process.poll() is None:
            os.kill(switch.process.pid, signal.SIGSTOP)
            return switch
        code, answer = switch.end()
        assert code in (8, 12), answer
        ended.append(answer["error"]["cause"])
    raise AssertionError(ended)


def _switched(line: Line) -> Any:
    """Goes through in the end; what was put back because the machine is busy is tried again."""
    for _ in range(TRIES):
        code, answer = line.run("cutover", "--yes")
        if code == 0:
            return answer["result"]
        assert code in (8, 12), answer
    raise AssertionError(answer)


def _frozen_until_the_lease_is_over(line: Line) -> None:
    """It wakes when its hold has long ended: it must not go on, whatever it was about to do."""
    switch = _frozen(line, "fence")
    time.sleep(LEASE + 1.0)
    before = line.journal()
    os.kill(switch.process.pid, signal.SIGCONT)
    code, answer = switch.end()
    assert code == 12, answer
    assert answer["result"]["serving"] == "blue"
    done = line.journal()[len(before) :]
    verbs = [row["verb"] for row in done if row["kind"] == "intent"]
    assert not {"promote-target", "flip-target", "revoke-source"} & set(verbs), verbs
    (turned,) = [row for row in done if row["kind"] == "abort"]
    assert "lapsed" in turned["said"] or "hold had ended" in turned["said"], turned
    _blue_serves(line)


def _overtaken(line: Line, told: Path) -> None:
    """Refused while it holds the lock; once another has taken over, the woken one finds that out and stops."""
    switch = _frozen(line, "revoke")
    refused = line.fails(9, "cutover", "--abort")
    assert "it is stopped" in refused["evidence"]
    assert f"kill -9 {switch.process.pid}" in refused["next"]
    (line.lab / "run" / "cutover.lock").unlink()  # what a hurried operator does
    code, answer = line.run("cutover", "--abort")
    assert (code, answer["result"]["outcome"]) == (12, "aborted"), answer
    assert told.read_text().splitlines()[-1] == "restore"
    before = (line.lab / "run" / "journal.ndjson").read_bytes()
    os.kill(switch.process.pid, signal.SIGCONT)
    code, answer = switch.end()
    assert (code, answer["error"]["cause"]) == (9, "another bmswitch has taken over this run")
    assert (line.lab / "run" / "journal.ndjson").read_bytes() == before
    assert told.read_text().splitlines()[-1] == "restore"
    _blue_serves(line)


def _put_back(line: Line) -> list[tuple[float, float]]:
    """From the begin to the end of each attempt that was put back: after its demotion blue refuses writes until it leads again."""
    spans, begun = [], 0.0
    for row in line.journal():
        if row["kind"] == "start":
            begun = row["at_ms"] / 1000
        elif row["kind"] == "end" and row["outcome"] == "aborted":
            spans.append((begun, row["at_ms"] / 1000))
    return spans


def _blue_serves(line: Line) -> None:
    wait_for(lambda: line.core_state("blue") == "CORE_STATE_RUNNING", 10, "blue runs")
    status: Any = line.must("status")
    assert (status["serving"], status["blue"], status["green"]) == ("blue", "RUNNING", "CLONING")


def _in_order(verbs: list[str]) -> None:
    last = {verb: number for number, verb in enumerate(verbs)}
    wanted = ["prove", "stop-source", "revoke-source", "promote-target", "flip-target"]
    assert sorted(wanted, key=last.__getitem__) == wanted
