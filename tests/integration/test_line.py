"""The whole line with clients at work: plan, provision, replicate, verify, cutover, each its own process."""

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from tests.integration.line_kit import (
    KEPT,
    Line,
    connections,
    kept_sessions_followed,
    ledger,
    no_interruption,
    replicating,
    running_line,
    send,
    verdict,
    wait_for,
)
from tests.integration.parts import require_real

pytestmark = pytest.mark.timeout(300)
SMALL = ("--users", "12", "--items", "5")
RATE = 120
PHASES = ["gate", "hold", "kick", "drain", "barrier", "fence", "prove", "stop-old", "promote", "flip"]
POLL = 6.0
"""A long poll shows its side with its answer, after 5 s at the latest."""


@pytest.mark.real
def test_a_site_under_load_is_upgraded_and_no_client_notices(tmp_path: Path) -> None:
    for name in ("kafka", "minio", "haproxy"):
        require_real(name)
    with running_line(tmp_path, "--kafka", "apache", "--s3", "minio", "--proxy", "haproxy", *SMALL) as line:
        _line(line)


@pytest.mark.slow
def test_the_same_on_embedded_parts(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        _line(line)


def _line(line: Line) -> None:
    _upgrade(line)
    _refused_afterwards(line)
    _nothing_leaks(line)


def _upgrade(line: Line) -> None:
    """The commands in their order; every figure is asked of whoever knows it best."""
    send(line, RATE)
    _plan(line)
    _provision(line)
    with replicating(line) as copy:
        _verify(line)
        switched = _cutover(line)
        code, answer = copy.end()
        assert code == 0, answer
        assert answer["result"]["switched"]
        assert answer["result"]["caught_up"]
        assert answer["result"]["quarantined"] == 0
    released = _release_time(line)
    wait_for(
        lambda: _since(line, released) >= {"http", "imap", "smtp"}, 20, "writes of every protocol on green"
    )
    wait_for(lambda: _went_on(line, released), 20, "writes on green over every kind of kept session")
    wait_for(lambda: time.time() > released + POLL, 10, "long polls have shown their side")
    assert connections(line, "green_imap") >= KEPT["idle"]
    assert [connections(line, f"blue_{name}") for name in ("http", "imap", "smtp")] == [0, 0, 0]
    summary, checked = verdict(line)
    assert checked["side"] == "green"
    no_interruption(summary, checked)
    kept_sessions_followed(line, summary, _time_of(line, "demote-source", "intent"), released)
    assert summary["longest_pause_ms"] >= switched["hold_ms"] * 0.5
    _never_both(switched["windows"], checked["verdict"]["windows"])


def _never_both(bounds: Any, windows: list[Any]) -> None:
    """No protocol had writes on both sides, by the clients' ledger; the switch's own upper bounds hold."""
    assert {window["protocol"] for window in windows} == {"all", "http", "imap", "smtp"}
    for window in windows:
        assert (window["source"], window["target"], window["overlap_ms"]) == ("blue", "green", 0)
        assert window["gap_ms"] == pytest.approx(
            (window["first_on_target"] - window["last_on_source"]) * 1000, abs=1
        )
    assert (bounds["both_ms"], bounds["fenced_by"]) == (0, "stop")
    assert bounds["nobody_ms"] > 0


def _plan(line: Line) -> None:
    plan = line.must("plan")
    assert {finding["level"] for finding in plan["findings"]} <= {"pass", "warn"}
    assert plan["source"]["domains"] == ["lab.test"]
    there = plan["inventory"]
    (domain,) = there["source"]["domains"]
    assert domain["users"] >= 12
    assert there["source"]["machines"][0]["disks"]
    connected = there["nodes"][0]["connected"]
    assert connected["imap"] >= KEPT["idle"]
    assert connected.keys() == {"http", "imap", "smtp"}
    assert there["bucket"]["bytes"] > 0
    assert there["items"]["high"] > 12 * 5
    assert plan["probe"]["log"]["records"] > 0
    assert plan["probe"]["bodies"]["missing"] == 0
    path = line.lab / "run" / "plan.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _provision(line: Line) -> None:
    built = line.must("provision")
    assert built["state"] == "CORE_STATE_CLONING"
    assert built["version"].startswith("5.1")
    assert line.must("provision")["probes_created"] == 0


def _verify(line: Line) -> None:
    proof = line.must("verify", "--bodies", "all")
    assert proof["verdict"] == "equal"
    assert proof["differences"] == proof["unsettled"] == 0
    assert proof["bodies_read"] == proof["bodies"] > 0
    assert proof["items"] > 12 * 5


def _cutover(line: Line) -> Any:
    rehearsed = line.must("cutover", "--dry-run")
    assert rehearsed["would_start"]
    assert line.journal() == []
    result = line.must("cutover", "--yes")
    assert result["outcome"] == "switched"
    assert result["serving"] == "green"
    assert not result["breach"]
    assert 0 < result["hold_ms"] < 8000
    assert [phase for phase in result["phases"] if phase in PHASES] == PHASES
    status = line.must("status")
    assert (status["serving"], status["blue"], status["green"]) == ("green", "silent", "RUNNING")
    _remembered(line, result["hold_ms"])
    return result


def _remembered(line: Line, hold_ms: int) -> None:
    """Every step is in the site's history beside what was predicted; the switch by its hold."""
    rows = [json.loads(row) for row in (line.lab / "run" / "history.ndjson").read_text().splitlines()]
    assert [row["step"] for row in rows] == ["provision", "replicate", "verify", "cutover"]
    assert rows[-1]["seconds"] * 1000 == pytest.approx(hold_ms)
    assert rows[-1]["predicted"]["high"] == 8.0
    assert all(row["predicted"] for row in rows[1:])


def _release_time(line: Line) -> float:
    """Epoch seconds at which the held requests went on."""
    return _time_of(line, "release", "effect")


def _time_of(line: Line, verb: str, kind: str) -> float:
    """Epoch seconds of the last line of this kind about an effect."""
    rows = [row for row in line.journal() if row["kind"] == kind and row["verb"] == verb]
    return float(rows[-1]["at_ms"]) / 1000


def _went_on(line: Line, released: float) -> bool:
    """Whether both kinds of kept sessions that write have written on green."""
    kinds = {row["kind"] for row in ledger(line) if row["side"] == "green" and row["sent"] > released}
    return kinds >= {"append-idle", "create-websocket"}


def _since(line: Line, released: float) -> set[str]:
    """Protocols of which a write was sent and acknowledged after the release."""
    return {
        row["protocol"] for row in ledger(line) if row["sent"] > released and row["outcome"] == "acknowledged"
    }


def _refused_afterwards(line: Line) -> None:
    """A switch that is done is neither repeated nor put back."""
    assert "done" in line.fails(8, "cutover", "--yes")["cause"]
    assert "lose" in line.fails(8, "cutover", "--abort")["cause"]
    assert "green" in line.fails(8, "replicate")["cause"]


def _nothing_leaks(line: Line) -> None:
    words = line.secrets()
    told = [path for folder in ("run", "logs") for path in (line.lab / folder).rglob("*") if path.is_file()]
    assert len(told) > 8
    assert not [path for path in told if any(word in path.read_text(errors="replace") for word in words)]
