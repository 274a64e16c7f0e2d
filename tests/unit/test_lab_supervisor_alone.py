"""The lab's supervisor where it needs no part: state, ports, processes, configuration, scripts, a full disk."""

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bmswitch.lab.supervisor import config_file, cores, ports, process, programs
from bmswitch.lab.supervisor.alive import boot_id, start_ticks
from bmswitch.lab.supervisor.down import down, find_all
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.state import State, locked, read_state, require_state, write_state
from bmswitch.lab.supervisor.up import Wanted, explained_disk, up
from bmswitch.model.config import EnvoyNode, HaproxyNode, LocalProvision, NginxNode
from bmswitch.model.errors import LabError
from bmswitch.workflows.config import load_config, read_secret

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    made = Layout(tmp_path / "lab")
    made.make()
    yield made
    for one in find_all(made):
        process.stop(one, hard=True)


def _state() -> State:
    names = [f"{c}_{p}" for c in ("blue", "green", "proxy") for p in ("http", "imap", "smtp")]
    numbers = {name: 21_000 + index for index, name in enumerate([*names, "proxy_admin", "s3"])}
    bootstraps = {"blue": "127.0.0.1:1", "green": "127.0.0.1:2"}
    told = {"ports": numbers, "bootstraps": bootstraps, "installation_id": "bluemind-x"}
    return msgspec.convert(told, State)


def test_a_torn_state_is_no_state(layout: Layout) -> None:
    write_state(layout, _state())
    assert read_state(layout) == _state()
    layout.state.write_bytes(layout.state.read_bytes()[:40])
    assert read_state(layout) is None
    with pytest.raises(LabError, match="no lab") as caught:
        require_state(layout)
    assert "lab down" in caught.value.next_command


def test_only_one_command_changes_a_lab_at_a_time(layout: Layout) -> None:
    with locked(layout), pytest.raises(LabError, match="another command"), locked(layout):
        pass


def test_a_part_that_is_spawned_is_known_by_pid_file_and_by_mark(layout: Layout) -> None:
    started = process.spawn(layout, "sleeper", SLEEPER)
    assert process.recorded(layout, "sleeper") == started
    assert process.wait_until(lambda: process.marked(layout) == [started], 5)
    assert os.getsid(started.pid) == started.pid
    assert process.memory(started) > 0
    assert process.stop(started)
    assert process.recorded(layout, "sleeper") is None
    assert process.marked(layout) == []


def test_a_reused_pid_is_never_stopped(layout: Layout) -> None:
    stranger = subprocess.Popen(SLEEPER)
    try:
        ticks = start_ticks(stranger.pid)
        assert ticks is not None
        stale = process.Process("part", stranger.pid, ticks - 1, boot_id())
        assert not stale.running
        assert process.stop(stale, grace=0.1)
        other_boot = process.Process("part", stranger.pid, ticks, "another boot")
        process.stop(other_boot, grace=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_part_that_ignores_sigterm_is_killed(layout: Layout) -> None:
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    deaf = process.spawn(layout, "deaf", [sys.executable, "-c", code])
    assert process.wait_until(lambda: "deaf" in layout.log("deaf").read_text(), 5)
    assert process.stop(deaf, grace=0.2)
    assert not deaf.running


def test_what_a_part_has_started_is_stopped_with_it(layout: Layout) -> None:
    code = "import subprocess,sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('ok')"
    parent = process.spawn(layout, "parent", [sys.executable, "-c", code + "; import time; time.sleep(60)"])
    assert process.wait_until(lambda: len(process.session_members(parent)) == 2, 5)
    child = next(one for one in process.session_members(parent) if one.pid != parent.pid)
    assert process.stop(parent)
    assert not child.running


def test_a_missing_program_names_the_way_to_get_it(layout: Layout) -> None:
    with pytest.raises(LabError, match="can not be run") as caught:
        process.spawn(layout, "part", ["no-such-program"])
    assert "no-such-program" in caught.value.evidence
    assert "install" in caught.value.next_command


def test_a_part_that_dies_at_its_start_shows_the_end_of_its_log(layout: Layout) -> None:
    code = "import sys; print('first'); sys.exit('the reason')"
    started = process.spawn(layout, "weak", [sys.executable, "-c", code])
    with pytest.raises(LabError, match="stopped while it started") as caught:
        process.await_ready(layout, started, lambda: False, 10)
    assert caught.value.evidence == "first\nthe reason"


def test_a_part_that_is_late_is_stopped(layout: Layout) -> None:
    started = process.spawn(layout, "slow", SLEEPER)
    with pytest.raises(LabError, match=r"not ready within 0\.1 s"):
        process.await_ready(layout, started, lambda: False, 0.1)
    assert not started.running


def test_a_taken_port_is_neither_picked_nor_used() -> None:
    with socket.socket() as other:
        other.bind(("127.0.1.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not ports.is_free("127.0.1.1", port)
        with pytest.raises(LabError, match="taken") as caught:
            ports.require_free("blue-core", "127.0.1.1", port)
        assert f"127.0.1.1:{port}" in caught.value.evidence


def test_picked_ports_are_free_and_different() -> None:
    chosen = ports.pick({"a": "127.0.0.1", "b": "127.0.1.1", "c": "127.0.2.1"}, taken=[20_000])
    assert len(set(chosen.values())) == 3
    assert all(ports.FIRST < port <= ports.LAST for port in chosen.values())


def test_an_address_that_is_not_here_is_named() -> None:
    with pytest.raises(LabError, match="address") as caught:
        ports.pick({"a": "192.0.2.1"})
    assert "192.0.2.1" in caught.value.evidence


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_explained(layout: Layout, code: int) -> None:
    with pytest.raises(LabError, match=r"disk|folder") as caught, explained_disk(layout):
        raise OSError(code, os.strerror(code), "some/file")
    assert "some/file" in caught.value.evidence
    assert "--dir" in caught.value.next_command


def test_little_room_is_refused_before_anything_starts(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmswitch.lab.supervisor.up._ROOM", 1 << 62)
    with pytest.raises(LabError, match="disk of the lab is full"):
        up(layout, Wanted())
    assert find_all(layout) == []


def test_a_python_without_the_packages_of_the_lab_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MODULES", ("no_such_package_here",))
    with pytest.raises(LabError, match="not installed") as caught:
        programs.require_python()
    assert "no_such_package_here" in caught.value.evidence


def test_a_missing_real_part_names_its_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BMSWITCH_CACHE", str(tmp_path))
    with pytest.raises(LabError) as caught:
        programs.require("minio")
    assert caught.value.next_command == "scripts/install-real-parts minio"


@pytest.mark.parametrize(
    ("kind", "expected"), [("envoy", EnvoyNode), ("haproxy", HaproxyNode), ("nginx", NginxNode)]
)
def test_the_configuration_is_what_the_product_reads(layout: Layout, kind: str, expected: type) -> None:
    state = msgspec.convert(msgspec.to_builtins(_state()) | {"proxy": kind}, State)
    cores.make_secret(layout.secret("blue.token"), "the-token")
    config_file.write_config(layout, state)
    config = load_config(layout.config)
    assert isinstance(config.proxies[0], expected)
    assert read_secret(config.blue.token) == "the-token"
    assert config.blue.core.stop == [str(layout.root / "blue" / "stop-core")]
    assert isinstance(config.provision, LocalProvision)
    assert config.provision.directory == str(layout.root)
    assert config.run_dir == str(layout.run)
    assert config.blue.kafka.create_topics is not None
    assert config.blue.kafka.create_topics[0] == sys.executable
    assert "the-token" not in layout.config.read_text()


def test_secrets_are_for_their_owner_only(layout: Layout) -> None:
    cores.make_secret(layout.secret("s3.secret"))
    assert layout.secret("s3.secret").stat().st_mode & 0o777 == 0o600
    state = _state()
    cores.write_sites(layout, state)
    assert layout.site_file("blue").stat().st_mode & 0o777 == 0o600
    assert cores.make_secret(layout.secret("s3.secret")) == layout.secret("s3.secret").read_text().strip()


def test_the_scripts_of_a_core_that_does_not_run_do_nothing(layout: Layout) -> None:
    cores.write_sites(layout, _state())
    for name in ("stop-core", "kick-sessions"):
        assert subprocess.run([layout.script("blue", name)], check=False, timeout=10).returncode == 0


def test_stop_core_never_signals_a_stranger_with_the_pid_of_the_core(layout: Layout) -> None:
    cores.write_sites(layout, _state())
    stranger = subprocess.Popen(SLEEPER)
    try:
        layout.core_pid("blue").write_text(str(stranger.pid))
        for name in ("stop-core", "kick-sessions"):
            assert subprocess.run([layout.script("blue", name)], check=False, timeout=10).returncode == 0
        assert cores.running(layout, "blue") is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_core_that_dies_at_its_start_fails_the_script_at_once(layout: Layout) -> None:
    cores.write_sites(layout, _state())
    layout.site_file("blue").write_text("{}")
    begun = time.monotonic()
    script = cores.begin(layout, "blue", timeout=30)
    with pytest.raises(LabError, match="did not start"):
        cores.finish(layout, "blue", script, timeout=30)
    assert time.monotonic() - begun < 20


def test_start_core_forgets_the_fence(layout: Layout) -> None:
    cores.write_sites(layout, _state())
    layout.site_file("blue").write_text("{}")
    (layout.site("blue") / "etc" / "bm-core.disabled").touch()
    assert cores.is_fenced(layout, "blue")
    cores.begin(layout, "blue", timeout=5).communicate(timeout=30)
    assert not cores.is_fenced(layout, "blue")


def test_down_stops_what_no_file_names_and_keeps_logs_run_and_ledger(layout: Layout) -> None:
    left = process.spawn(layout, "envoy", SLEEPER)
    process.pid_file(layout, "envoy").unlink()
    layout.state.write_text("{ torn")
    (layout.run / "journal.ndjson").write_text("kept\n")
    assert process.wait_until(lambda: process.marked(layout) == [left], 5)
    assert down(layout, purge=False).stopped == ["envoy"]
    assert not left.running
    assert (layout.logs / "run" / "journal.ndjson").read_text() == "kept\n"
    assert not layout.state.exists()
    assert down(layout, purge=True).stopped == []
    assert not layout.root.exists()


def test_up_refuses_a_folder_in_which_an_older_lab_still_runs(layout: Layout) -> None:
    left = process.spawn(layout, "s3", SLEEPER)
    assert process.wait_until(lambda: process.marked(layout) == [left], 5)
    with pytest.raises(LabError, match="older lab") as caught:
        up(layout, Wanted())
    assert caught.value.next_command == "bmswitch lab down"
    assert left.running


def test_down_without_a_lab_is_fine(tmp_path: Path) -> None:
    assert down(Layout(tmp_path / "nothing"), purge=False).stopped == []
