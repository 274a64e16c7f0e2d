"""A part restarts, reloads or is gone in the hold of a whole switch: proxies (HAProxy, nginx, Envoy and its gate), the bucket."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.integration.kill_kit import (
    Labs,
    change_config,
    clients_at_work,
    ended_with,
    nothing_lost,
    one_side_serves,
    strike,
)
from tests.integration.line_kit import Line, wait_for
from tests.integration.parts import require_real

from bmswitch.lab.supervisor import proxy, s3
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.process import Process, recorded, session_members, stop
from bmswitch.lab.supervisor.state import require_state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RELOADS = {"haproxy": signal.SIGUSR2, "nginx": signal.SIGHUP}
LEASES = {"lease: 3.0": "lease: 6.0"}
"""The fault itself, while bmswitch stands still, must not outlast the lease."""

Fault = Callable[[Line], None]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Line]]:
    """A lab with this proxy that is ready to switch; the one before is gone."""
    made: dict[str, Labs] = {}

    def ready(driver: str) -> Line:
        require_real(driver)
        for other in set(made) - {driver}:
            made.pop(other).close()
        if driver not in made:
            made[driver] = Labs(tmp_path_factory.mktemp(driver), "--proxy", driver)
            made[driver].also = _with_a_longer_lease
        return made[driver].ready()

    yield ready
    for labs in made.values():
        labs.close()


@contextmanager
def _with_a_longer_lease(line: Line) -> Iterator[None]:
    change_config(line, LEASES)
    yield


def _running(line: Line, name: str) -> Process:
    found = recorded(Layout(line.lab), name)
    assert found is not None, name
    return found


def _reload(name: str) -> Fault:
    """New workers are there; old ones may still hold clients."""

    def fault(line: Line) -> None:
        process = _running(line, name)
        before = {one.pid for one in session_members(process)}
        os.kill(process.pid, RELOADS[name])
        wait_for(lambda: {one.pid for one in session_members(process)} - before, 5, "new workers")

    return fault


def _restart(name: str) -> Fault:
    """kill -9 of it and its workers, and a start."""

    def fault(line: Line) -> None:
        layout = Layout(line.lab)
        assert stop(_running(line, name), hard=True)
        state = require_state(layout)
        proxy.finish(layout, state, proxy.start(layout, state, name))

    return fault


REAL = pytest.mark.real


@pytest.mark.parametrize(
    ("driver", "fault", "verb"),
    [
        pytest.param("haproxy", _reload("haproxy"), "prove", id="haproxy-reloads", marks=REAL),
        pytest.param("haproxy", _restart("haproxy"), "prove", id="haproxy-restarts", marks=REAL),
        pytest.param("haproxy", _restart("haproxy"), "flip-target", id="haproxy-restarts-late", marks=REAL),
        pytest.param("nginx", _reload("nginx"), "prove", id="nginx-reloads", marks=REAL),
        pytest.param("nginx", _restart("nginx"), "prove", id="nginx-restarts", marks=REAL),
        pytest.param("nginx", _restart("nginx"), "flip-target", id="nginx-restarts-late", marks=REAL),
        pytest.param("envoy", _restart("envoy"), "prove", id="envoy-restarts"),
        pytest.param("envoy", _restart("envoy"), "flip-target", id="envoy-restarts-late"),
        pytest.param("envoy", _restart("gate"), "prove", id="gate-restarts"),
    ],
)
def test_a_proxy_that_comes_back_in_the_hold_still_holds_and_the_switch_goes_on(
    proxied: Callable[[str], Line], driver: str, fault: Fault, verb: str
) -> None:
    line = proxied(driver)
    with clients_at_work(line) as clients:
        struck = time.time()
        code, answer = strike(line, verb, "before-effect", lambda _pid: fault(line))
        assert (code, (answer["result"] or {}).get("serving")) == (0, "green"), answer
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "green")
    nothing_lost(clients, "green", (struck, ended))


def test_a_bucket_that_is_gone_in_the_hold_is_a_breach_of_the_soak(labs: Labs) -> None:
    """Both sides have the same bucket, so turning back would mend nothing; which side serves is not changed by it."""
    line = labs.ready()

    def gone(_pid: int) -> None:
        assert stop(_running(line, s3.NAME), hard=True)

    with clients_at_work(line) as clients:
        struck = time.time()
        ended_with(11, "green", "soak found a breach", strike(line, "prove", "before-effect", gone))
        line.must("lab", "up", plain=True)
        ended = time.time()
        clients.served(ended)
    one_side_serves(line, "green")
    nothing_lost(clients, "green", (struck, ended))
