"""The whole lab: up, up again, a part killed, a port taken, down in every state; with embedded and with real parts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.parts import require_real

from bmswitch.lab.supervisor import cores, faults, load
from bmswitch.lab.supervisor.down import down, find_all
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.process import stop, wait_until
from bmswitch.lab.supervisor.state import require_state
from bmswitch.lab.supervisor.status import LabStatus, status
from bmswitch.lab.supervisor.up import UpResult, Wanted, up
from bmswitch.model.errors import LabError
from bmswitch.workflows.config import load_config

SMALL = Wanted(users=3, items=2)
REAL_LOG = Path(
    os.environ.get("BMSWITCH_REAL_LOG", Path(__file__).parents[3] / "shared" / "data" / "bluemind-dump")
)


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    made = Layout(tmp_path / "lab")
    yield made
    with contextlib.suppress(LabError):
        down(made, purge=True)
    for one in find_all(made):
        stop(one, hard=True)


def _states(seen: LabStatus) -> dict[str, str]:
    return {part.name: part.state for part in seen.parts}


def _records(layout: Layout, name: str) -> int:
    """Records of one Kafka as its status says now."""
    return sum(part.records or 0 for part in status(layout).parts if part.name == name)


def _kill(layout: Layout, name: str) -> None:
    process = next(one for one in find_all(layout) if one.name == name)
    os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not process.running, 5)


def test_up_status_up_again_kill_up_down(layout: Layout) -> None:
    first = up(layout, SMALL)
    assert first.created
    seen = status(layout)
    assert seen.healthy, seen
    assert set(_states(seen)) == {"blue-kafka", "green-kafka", "s3", "envoy", "gate", "blue-core"}
    assert wait_until(lambda: _records(layout, "blue-kafka") > 0, 10)
    assert _records(layout, "green-kafka") == 0
    pids = {part.name: part.pid for part in seen.parts}

    assert up(layout, Wanted()).started == []
    assert {part.name: part.pid for part in status(layout).parts} == pids

    for name in ("s3", "envoy", "blue-core"):
        _kill(layout, name)
    broken = status(layout)
    assert not broken.healthy
    assert [name for name, state in _states(broken).items() if state == "down"] == [
        "s3",
        "envoy",
        "blue-core",
    ]
    assert up(layout, Wanted()).started == ["s3", "envoy", "blue-core"]
    assert status(layout).healthy

    stopped = down(layout, purge=False).stopped
    assert stopped[:2] == ["blue-core", "envoy"]
    assert set(stopped[-2:]) == {"blue-kafka", "green-kafka"}
    assert find_all(layout) == []
    assert {path.name for path in layout.root.iterdir()} == {"logs", "lock"}


def test_fifty_users_are_up_by_the_command(layout: Layout) -> None:
    command = [sys.executable, "-m", "bmswitch", "lab"]
    done = subprocess.run(
        [*command, "up", "--dir", str(layout.root), "--users", "50"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "blue-core" in done.stdout
    assert "next: bmswitch plan -c" in done.stdout
    seen = subprocess.run(
        [*command, "status", "--dir", str(layout.root), "--output", "json"],
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert b'"healthy":true' in seen.stdout
    assert (
        subprocess.run(
            [*command, "down", "--purge", "--dir", str(layout.root)], check=False, timeout=60
        ).returncode
        == 0
    )
    assert not layout.root.exists()


def test_down_without_state_and_pid_files_leaves_nothing_running(layout: Layout) -> None:
    up(layout, SMALL)
    before = find_all(layout)
    layout.state.unlink()
    for path in layout.pids.iterdir():
        path.unlink()
    layout.core_pid("blue").unlink()
    assert len(down(layout, purge=True).stopped) == 6
    assert not any(one.running for one in before)


def test_down_after_parts_were_killed(layout: Layout) -> None:
    up(layout, SMALL)
    for name in ("blue-core", "gate", "blue-kafka"):
        _kill(layout, name)
    assert {"blue-core", "blue-kafka"}.isdisjoint(down(layout, purge=True).stopped)
    assert find_all(layout) == []


def test_a_taken_port_is_named_and_the_lab_starts_when_it_is_free_again(layout: Layout) -> None:
    up(layout, SMALL)
    port = require_state(layout).ports["blue_http"]
    _kill(layout, "blue-core")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.1.1", port))
        other.listen()
        with pytest.raises(LabError, match="the port of blue-core is taken") as caught:
            up(layout, Wanted())
        assert f"127.0.1.1:{port}" in caught.value.evidence
    assert up(layout, Wanted()).started == ["blue-core"]


def test_an_embedded_kafka_that_died_is_not_replaced_by_an_empty_one(layout: Layout) -> None:
    up(layout, SMALL)
    _kill(layout, "blue-kafka")
    with pytest.raises(LabError, match="change log in it is gone") as caught:
        up(layout, Wanted())
    assert "lab down" in caught.value.next_command


def test_other_options_than_the_labs_are_refused(layout: Layout) -> None:
    up(layout, SMALL)
    with pytest.raises(LabError, match="made with --kafka embedded, not apache"):
        up(layout, Wanted(kafka="apache"))


def test_no_secret_is_in_any_argument_list_or_log(layout: Layout) -> None:
    up(layout, SMALL)
    words = [path.read_text().strip().encode() for path in layout.secrets.iterdir()]
    assert len(words) == 6
    places = [Path(f"/proc/{one.pid}/cmdline").read_bytes() for one in find_all(layout)]
    places += [path.read_bytes() for path in layout.logs.iterdir()]
    assert not [word for word in words if any(word in place for place in places)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in layout.secrets.iterdir())


def test_green_is_built_like_a_fresh_machine_and_taken_away(layout: Layout) -> None:
    up(layout, SMALL)
    assert faults.standby_up(layout, "green").changed
    assert not faults.standby_up(layout, "green").changed
    assert _states(status(layout))["green-core"] == "up"
    assert faults.standby_down(layout, "green").changed
    assert "green-core" not in _states(status(layout))
    assert list((layout.site("green") / "data").iterdir()) == []


def test_the_operators_scripts_stop_and_start_blue_and_up_respects_the_fence(layout: Layout) -> None:
    up(layout, SMALL)
    core = load_config(layout.config).blue.core
    assert core.stop
    assert core.start
    assert subprocess.run(core.stop, check=False, timeout=30).returncode == 0
    assert cores.running(layout, "blue") is None
    (layout.site("blue") / "etc" / "bm-core.disabled").touch()
    assert up(layout, Wanted()) == UpResult(
        str(layout.root),
        str(layout.config),
        created=False,
        started=[],
        running=up_names(layout),
        fenced=["blue-core"],
    )
    assert _states(status(layout))["blue-core"] == "fenced"
    assert subprocess.run(core.start, check=False, timeout=30).returncode == 0
    assert status(layout).healthy


def up_names(layout: Layout) -> list[str]:
    return sorted(part.name for part in status(layout).parts if part.state == "up")


def test_defects_are_switched_in_the_etc_folder(layout: Layout) -> None:
    up(layout, SMALL)
    assert faults.defect(layout, "task-success-though-domain-failed", "green", on=True).changed
    assert (layout.site("green") / "etc" / "defects").read_text() == "task-success-though-domain-failed\n"
    assert faults.defect(layout, "task-success-though-domain-failed", "green", on=False).changed
    with pytest.raises(LabError, match="no defect"):
        faults.defect(layout, "nonsense", "green", on=True)


def test_clients_work_in_the_background_and_their_ledger_is_clean(layout: Layout) -> None:
    up(layout, SMALL)
    with pytest.raises(LabError, match="no ledger"):
        load.check(layout)
    begun = load.begin(layout, 80.0, None)
    assert _states(status(layout))["traffic"] == "up"
    with pytest.raises(LabError, match="runs already"):
        load.begin(layout, 80.0, None)
    with pytest.raises(LabError, match="still runs"):
        load.check(layout)
    summary = load.end(layout)
    assert summary.writes["acknowledged"] > 0
    assert summary.requests.failed == 0
    assert not Path(f"/proc/{begun.pid}/environ").exists()
    assert load.end(layout) == summary
    checked = load.check(layout)
    assert checked.side == "blue"
    assert checked.verdict.clean
    assert checked.verdict.acknowledged == summary.writes["acknowledged"]
    assert (layout.traffic / "check.json").exists()


@pytest.mark.real
@pytest.mark.slow
def test_the_lab_on_real_parts_keeps_its_log_when_kafka_is_killed(layout: Layout) -> None:
    for name in ("kafka", "minio", "haproxy"):
        require_real(name)
    up(layout, Wanted(kafka="apache", s3="minio", proxy="haproxy", users=3, items=2))
    before = status(layout)
    assert before.healthy
    assert "haproxy" in _states(before)
    assert wait_until(lambda: _records(layout, "blue-kafka") > 0, 20)
    for name in ("blue-core", "blue-kafka", "s3"):
        _kill(layout, name)
    assert up(layout, Wanted()).started == ["blue-kafka", "s3", "blue-core"]
    assert status(layout).healthy
    assert _records(layout, "blue-kafka") > 0
    down(layout, purge=True)
    assert find_all(layout) == []


@pytest.mark.skipif(not REAL_LOG.is_dir(), reason="no real log: BMSWITCH_REAL_LOG")
def test_a_real_log_becomes_blues_past(layout: Layout) -> None:
    up(layout, SMALL)
    before = require_state(layout).installation_id
    assert faults.load_log(layout, REAL_LOG).changed
    state = require_state(layout)
    assert state.installation_id != before
    assert load_config(layout.config).blue.installation_id == state.installation_id
    seen = status(layout)
    assert seen.healthy
    of_log = [
        name
        for name in seen.topics["blue"]
        if state.installation_id.removeprefix("bluemind-").replace("-", "") in name
    ]
    assert sum(seen.topics["blue"][name]["records"] for name in of_log) >= 2_800
