"""The client of one installation against a served one: answers, faults, retries, secrets."""

import socket
import threading

import pytest
from tests.integration.verify_core import TOKEN, FakeCore, small_installation, two_cores

from bmswitch.bluemind.client import Core
from bmswitch.model.barrier import probe_uids
from bmswitch.model.errors import AccessError, RefusedError, UnknownError, UnreachableError
from bmswitch.workflows.barrier import (
    barrier_passed,
    ensure_barrier,
    run_barrier,
    wait_barrier,
    write_barrier,
)

D = "lab.test"


@pytest.fixture
def fake() -> object:
    with FakeCore(small_installation(1)) as core:
        yield core


def test_state_version_and_domains_are_read(fake: FakeCore) -> None:
    core = Core(fake.url, TOKEN)
    assert core.state() == "CORE_STATE_RUNNING"
    assert core.version().software_version == "5.0.1"
    assert core.domains() == [D]
    core.close()


def test_a_wrong_key_is_an_access_error_that_does_not_show_any_key(fake: FakeCore) -> None:
    core = Core(fake.url, "another-key")
    with pytest.raises(AccessError) as caught:
        core.check_token()
    assert "another-key" not in caught.value.cause + caught.value.evidence
    core.close()


def test_nothing_listening_is_unreachable_within_the_deadline() -> None:
    core = Core("http://127.0.0.1:9", TOKEN, timeout=0.5)
    with pytest.raises(UnreachableError) as caught:
        core.state()
    assert TOKEN not in caught.value.evidence
    core.close()


def test_a_core_that_says_nothing_is_unreachable_within_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        core = Core(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, timeout=0.3)
        with pytest.raises(UnreachableError):
            core.state()
        core.close()


def test_a_read_is_tried_again_after_a_broken_connection() -> None:
    answer = (
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"CORE_STATE_RUNNING"'
    )
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for reply in (b"", answer):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        core = Core(f"http://127.0.0.1:{server.getsockname()[1]}", TOKEN, timeout=5)
        assert core.state() == "CORE_STATE_RUNNING"
        core.close()
        thread.join()


def test_a_write_goes_out_on_a_new_connection_when_the_core_has_closed_the_kept_one() -> None:
    """A write is sent once, so it must not be sent into a connection that is known to be dead."""
    seen: list[bytes] = []
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    seen.append(connection.recv(4096).split(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                closed.set()

        thread = threading.Thread(target=serve)
        thread.start()
        core = Core(f"http://127.0.0.1:{server.getsockname()[1]}", TOKEN, timeout=5)
        core.demote()
        assert closed.wait(5)
        core.promote()
        core.close()
        thread.join()
    assert [line.split(b"/")[-2] for line in seen] == [b"_demote HTTP", b"_promote HTTP"]


def test_a_demotion_is_sent_once_only(fake: FakeCore) -> None:
    core = Core(fake.url, TOKEN)
    fake.held.faults["/api/system/installation/state/_demote"] = (
        500,
        {"errorCode": "UNKNOWN", "message": "x"},
    )
    with pytest.raises(RefusedError):
        core.demote()
    assert sum("_demote" in call for call in fake.calls) == 1
    core.close()


def test_a_login_that_is_refused_with_200_is_refused(fake: FakeCore) -> None:
    fake.held.side["/api/auth/login"] = {"status": "Bad", "authKey": None}
    core = Core(fake.url, TOKEN)
    with pytest.raises(AccessError):
        core.login("u0@lab.test", "wrong")
    fake.held.side["/api/auth/login"] = {"status": "Ok", "authKey": "k"}
    assert core.login("u0@lab.test", "right") == "k"
    core.close()


def test_a_task_that_is_not_known_any_more_is_lost_work(fake: FakeCore) -> None:
    fake.held.faults["/api/tasks/t1"] = (404, {"errorCode": "NOT_FOUND", "message": "no"})
    fake.held.side["/api/tasks/t2"] = {
        "state": "Success",
        "lastLogEntry": None,
        "steps": 1.0,
        "progress": 1.0,
    }
    core = Core(fake.url, TOKEN)
    with pytest.raises(UnknownError, match="t1"):
        core.task("t1")
    assert core.task("t2").ended
    core.close()


def test_task_logs_carry_no_secret(fake: FakeCore) -> None:
    fake.held.side["/api/tasks/t/_currentLogs"] = [f"token is {TOKEN}", "System config restored to {a=b}"]
    core = Core(fake.url, TOKEN)
    lines = core.task_logs("t")
    assert len(lines) == 2
    assert not any(TOKEN in line or "a=b" in line for line in lines)
    core.close()


def test_probes_are_created_once_and_a_write_is_read_back(fake: FakeCore) -> None:
    core = Core(fake.url, TOKEN)
    assert core.ensure_probes(D, probe_uids()) == 64
    assert core.ensure_probes(D, probe_uids()) == 0
    core.probe_write(D)
    fake.held.state = "CORE_STATE_DEMOTED"
    with pytest.raises(RefusedError):
        core.probe_write(D)
    core.close()


def test_a_barrier_passes_when_green_shows_every_nonce() -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green):
        first, second = Core(blue.url, TOKEN), Core(green.url, TOKEN, name="green")
        assert ensure_barrier(first, [D]) == 64
        assert run_barrier(first, second, [D], timeout=5) < 5
        mirror, blue.hook = blue.hook, lambda *_: None
        write_barrier(first, [D], "nonce-1")
        assert barrier_passed(second, [D], "nonce-1") == 64
        with pytest.raises(UnknownError, match="not passed"):
            wait_barrier(second, [D], "nonce-1", timeout=0.1)
        blue.hook = mirror
        write_barrier(first, [D], "nonce-2")
        assert barrier_passed(second, [D], "nonce-2") == 0
        first.close()
        second.close()
