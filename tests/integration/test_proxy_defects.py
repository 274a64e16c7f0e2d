"""Each finding of `proxy check` where the defect is really there, in a running proxy."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.parts import require_real
from tests.integration.proxy_parts import DRIVERS, Driver, Node, epoch_ms, running_node, until

from bmswitch.model.config import Budgets, Frontends, HaproxyNode, NginxNode
from bmswitch.model.errors import BmswitchError
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.envoy_files import PRESSURE, pressure_text
from bmswitch.proxy.files import replace_file
from bmswitch.proxy.haproxy_render import map_text
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.nginx_script import state_text
from bmswitch.workflows.proxy_answers import answers
from bmswitch.workflows.proxy_check import report
from bmswitch.workflows.proxy_guards import Look

NONE = Frontends()
RELOAD = {"haproxy": signal.SIGUSR2, "nginx": signal.SIGHUP}


def look(node: Node, frontends: Frontends = NONE) -> dict[str, Finding]:
    """Guard to its finding, as `proxy check` has them, of one node."""
    error, state, inspection = "", None, None
    try:
        state, inspection = node.proxy.read(), inspect_node(node.config)
    except BmswitchError as problem:
        error = problem.cause
    said = answers(
        frontends,
        {"blue": "blue-version", "green": "green-version"},
        inspection.mail if inspection else {},
        verify=True,
    )
    seen = Look(node=node.config, state=state, inspection=inspection, error=error, answers=said)
    found = report(seen, Budgets(), 500).findings
    assert all(one.consequence and one.command for one in found if one.level is not Level.passed)
    return {one.guard: one for one in found}


def levels(found: dict[str, Finding]) -> dict[str, str]:
    """Those that did not pass."""
    return {guard: one.level.value for guard, one in found.items() if one.level is not Level.passed}


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Regular expressions, each of which must be found."""
    text = path.read_text()
    for pattern, new in changes:
        text, number = re.subn(pattern, new, text, flags=re.MULTILINE)
        assert number, pattern
    path.write_text(text)


def spoil_haproxy(folder: Path) -> None:
    edit(
        folder / "haproxy.cfg",
        (r"^    maxconn \d+", "    maxconn 900"),
        (r"backlog 4096", "backlog 16"),
        (r"inspect-delay \d+s", "inspect-delay 1s"),
        (r"^frontend smtp", "frontend smtp\n    maxconn 300"),
        (r"^    http-request lua.hold .*$", ""),
    )
    edit(folder / "hold.lua", (r"CAP_MS = 10000", "CAP_MS = 3000"))


def spoil_nginx(folder: Path) -> None:
    edit(
        folder / "nginx.conf",
        (r"worker_rlimit_nofile \d+", "worker_rlimit_nofile 700"),
        (r"worker_connections \d+", "worker_connections 600"),
        (r"backlog=4096", "backlog=16"),
        (r"^pid ", "worker_shutdown_timeout 2s;\npid "),
        (
            r"^        location / \{",
            "        location = /open { auth_request /other; }\n        location / {",
        ),
    )
    edit(
        folder / "bmswitch.js",
        (r"CAP_MS = 10000", "CAP_MS = 3000"),
        (r"\$\{Date.now\(\)\}", "${Date.now() + 700}"),
    )


def spoil_envoy(folder: Path) -> None:
    path = folder / "envoy.json"
    bootstrap = json.loads(path.read_text())
    listeners = bootstrap["static_resources"]["listeners"]
    for one in listeners:
        one["tcp_backlog_size"] = 16
    first, second = (one["filter_chains"][0]["filters"][0]["typed_config"] for one in listeners[:2])
    second["http_filters"].pop(0)
    first["http_filters"][0]["typed_config"]["http_service"]["server_uri"]["timeout"] = "1s"
    for cluster in bootstrap["static_resources"]["clusters"]:
        cluster["circuit_breakers"]["thresholds"][0]["max_requests"] = 1024
    path.write_text(json.dumps(bootstrap))


SPOIL: dict[str, Callable[[Path], None]] = {
    "haproxy": spoil_haproxy,
    "nginx": spoil_nginx,
    "envoy": spoil_envoy,
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_wrong_in_the_configuration_of_a_running_proxy_is_found(
    driver: Driver, tmp_path: Path
) -> None:
    """Too few connections and files, short queues and timeouts, a cap below the hold, pieces left out, a clock that is off."""
    require_real(driver)
    with running_node(driver, tmp_path, spoil=SPOIL[driver]) as node:
        found = look(node)
        expected = {
            "in_place": "stop",
            "room": "stop",
            "patience": "stop",
            "backlog": "warn",
            "answering": "warn",
        }
        if driver == "haproxy":
            expected |= {"lease": "stop"}
        if driver == "nginx":
            expected |= {"lease": "stop", "clock": "stop"}
        assert levels(found) == expected
        queue = 32 if driver == "envoy" else 16  # Envoy has a socket of its own in each of two workers
        assert f"room for {queue} waiting" in found["backlog"].cause
        missing = {
            "haproxy": "frontend web has no `http-request lua.hold`",
            "nginx": "`auth_request /other;` is not held",
            "envoy": "HTTP listener http_1 does not ask the gate",
        }
        assert missing[driver] in found["in_place"].evidence
        short = {
            "haproxy": "frontend imap: tcp-request inspect-delay 1 s",
            "nginx": "worker_shutdown_timeout 2 s",
            "envoy": "ext_authz timeout 1 s",
        }
        assert short[driver] in found["patience"].evidence
        assert "room for 240 (connections of clients)" in found["room"].evidence or driver != "haproxy"
        assert "open files" in found["room"].evidence or driver != "nginx"
        assert "room for 819 (connections of clients)" in found["room"].evidence or driver != "envoy"


@contextlib.contextmanager
def session(node: Node) -> Iterator[None]:
    """One open IMAP connection."""

    async def begin() -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(*node.imap.split(":"))
        await reader.readline()
        return writer

    writer = node.loop.run(begin())
    yield
    node.loop.loop.call_soon_threadsafe(writer.close)


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_happens_to_a_running_proxy_is_found(driver: Driver, tmp_path: Path) -> None:
    """Held, reloaded with a session open, files changed, a frontend that leads elsewhere or is silent, dead."""
    require_real(driver)
    with running_node(driver, tmp_path) as node:
        every = Frontends(http=[f"http://{one}" for one in node.http], imap=[node.imap], smtp=[node.smtp])
        assert levels(look(node, every)) == {}
        assert levels(look(node)) == {"answering": "warn"}
        node.proxy.hold(epoch_ms(8), 1)
        assert look(node)["read_back"].level is Level.warn
        node.proxy.release(1)
        lost = Frontends(imap=[node.servers.backends["green"]["imap"]], smtp=["127.0.0.1:9"])
        assert levels(look(node, lost)) == {"answering": "stop"}
        lost = Frontends(imap=[node.servers.backends["green"]["imap"]])
        assert "answers as green" in look(node, lost)["answering"].evidence
        if driver in RELOAD:
            with session(node):
                os.kill(node.processes[driver].pid, RELOAD[driver])
                until(
                    "an old worker", lambda: node.answers() and "one_generation" in levels(look(node, every))
                )
                changed = node.directory / ("haproxy.cfg" if driver == "haproxy" else "nginx.conf")
                later = time.time() + 2  # a worker's start is known to the second
                os.utime(changed, (later, later))
                until("the change is seen", lambda: "in_place" in levels(look(node, every)))
                assert str(changed) in look(node)["in_place"].evidence
            until("it ends", lambda: "one_generation" not in levels(look(node, every)))
        node.kill(driver)
        assert set(levels(look(node, every)).values()) == {"unknown", "stop"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_parts_that_disagree_stop_the_switch(driver: Driver, tmp_path: Path) -> None:
    require_real(driver)
    with running_node(driver, tmp_path) as node:
        if isinstance(node.config, HaproxyNode):
            replace_file(Path(node.config.map_file), map_text("green", hold_until_ms=0, fence=1))
        elif isinstance(node.config, NginxNode):
            replace_file(tmp_path / "elsewhere", state_text("green", hold_until_ms=0, fence=0))
            edit(tmp_path / "bmswitch.js", (r"^const STATE = .*$", f"const STATE = '{tmp_path}/elsewhere';"))
            os.kill(node.processes["nginx"].pid, signal.SIGHUP)
        else:
            replace_file(node.directory / PRESSURE, pressure_text(held=True))
        until("the parts disagree", lambda: look(node)["read_back"].level is Level.stop)
