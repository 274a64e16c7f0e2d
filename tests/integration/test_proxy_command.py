"""`proxy check` and `proxy render` against running proxies; the backends tell their versions as cores do."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.integration.parts import require_real
from tests.integration.proxy_parts import DRIVERS, Driver, Node, running_node, until

from bmswitch.cli.main import run
from bmswitch.model.config import Frontends
from bmswitch.proxy.inspect import inspect_node

RELOAD = {"haproxy": signal.SIGUSR2, "nginx": signal.SIGHUP}


@pytest.fixture(params=DRIVERS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    require_real(request.param)
    with running_node(request.param, tmp_path / "proxy") as running:
        yield running


def write_config(node: Node, folder: Path, frontends: Frontends) -> Path:
    """A configuration whose proxy is this node and whose cores are its backends."""
    secret = folder / "key"
    secret.touch(0o600)
    secret.write_text("not-a-key")
    place = {"file": str(secret)}
    site = {"token": place, "version": "5", "kafka": {"bootstrap": "127.0.0.1:1"}}
    data = {
        "version": 1,
        "run_dir": str(folder),
        "blue": site | {"url": f"http://{node.servers.backends['blue']['http']}"},
        "green": site | {"url": f"http://{node.servers.backends['green']['http']}"},
        "servers": {},
        "bucket": {"endpoint": "http://127.0.0.1:1", "name": "b", "access_key": place, "secret_key": place},
        "proxies": [msgspec.to_builtins(msgspec.structs.replace(node.config, frontends=frontends))],
        "provision": {"driver": "local", "directory": "."},
    }
    path = folder / "bmswitch.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def levels(text: str) -> dict[str, str]:
    """Guard to level, of the one node."""
    (one,) = json.loads(text)["result"]["nodes"]
    return {finding["guard"]: finding["level"] for finding in one["findings"]}


def test_a_prepared_node_is_ready_on_either_colour(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = Frontends(http=[f"http://{one}" for one in node.http], imap=[node.imap], smtp=[node.smtp])
    path = write_config(node, tmp_path, every)
    for colour in ("blue", "green"):
        assert run(["proxy", "check", "-c", str(path), "--output", "json"]) == 0
        text = capsys.readouterr().out
        assert set(levels(text).values()) == {"pass"}
        told = json.loads(text)["result"]["nodes"][0]
        assert told["claims"] == colour
        assert [one["colour"] for one in told["answers"]] == [colour] * 4
        node.flip("green")


def test_what_is_claimed_and_not_answered_and_what_does_not_fit_is_told(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One web frontend leads past the node to green; then the node is gone."""
    green = f"http://{node.servers.backends['green']['http']}"
    path = write_config(node, tmp_path, Frontends(http=[f"http://{node.http[0]}", green], imap=[node.imap]))
    line = ["proxy", "check", "-c", str(path), "--rate", "1000000"]
    assert run([*line, "--output", "json"]) == 8
    seen = levels(capsys.readouterr().out)
    assert {guard for guard, level in seen.items() if level == "stop"} == {"answering", "room"}
    assert "unknown" not in seen.values()
    assert {guard for guard, level in seen.items() if level == "warn"} == {"backlog"}
    node.kill(node.driver)
    assert run([*line, "--output", "json"]) == 8
    seen = levels(capsys.readouterr().out)
    assert set(seen.values()) == {"unknown", "stop"}
    assert seen["answering"] == "stop"
    assert run(line) == 8
    assert "stand in the way of a switch" in capsys.readouterr().out


@pytest.mark.real
@pytest.mark.parametrize("driver", ["haproxy", "nginx"])
def test_a_worker_that_a_reload_left_behind_is_found(driver: Driver, tmp_path: Path) -> None:
    require_real(driver)
    with running_node(driver, tmp_path) as node:

        async def open_session() -> asyncio.StreamWriter:
            reader, writer = await asyncio.open_connection(*node.imap.split(":"))
            await reader.readline()
            return writer

        assert inspect_node(node.config).old == []
        session = node.loop.run(open_session())
        os.kill(node.processes[driver].pid, RELOAD[driver])
        until("an old worker", lambda: node.answers() and len(inspect_node(node.config).old) == 1)
        node.loop.loop.call_soon_threadsafe(session.close)
        until("it ends", lambda: node.answers() and inspect_node(node.config).old == [])


def test_the_rendered_piece_is_what_the_proxy_runs_with(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rendered again from the command line with the same addresses, the files are those of the running node."""
    path = write_config(node, tmp_path, Frontends())
    backends = node.servers.backends
    places = [("http", one) for one in node.http] + [("imap", node.imap), ("smtp", node.smtp)]
    options = [word for kind, at in places for word in ("--listen", f"{kind}={at}")]
    for option, addresses in (("--blue", backends["blue"]), ("--green", backends["green"])):
        options += [word for kind, at in addresses.items() for word in (option, f"{kind}={at}")]
    if node.driver == "nginx":
        running = (node.directory / "stream.conf").read_text().split("listen ")[1].split(";")[0]
        options += ["--probe", running]
    line = ["proxy", "render", "-c", str(path), "edge", *options]
    assert run([*line, "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)["result"]
    assert told["folder"] == str(node.directory)
    fixed = set(told["files"]) - set(told["state"])
    assert len(fixed) >= 2
    for name in fixed:
        assert (node.directory / name).read_text() == told["files"][name], name
    assert run([*line, "--to", str(tmp_path / "out")]) == 0
    assert {one.name for one in (tmp_path / "out").iterdir()} == set(told["files"])
    node.flip("green")
    kept = {name: (node.directory / name).read_text() for name in told["state"]}
    assert run([*line, "--to", str(node.directory)]) == 0
    assert {name: (node.directory / name).read_text() for name in told["state"]} == kept
    assert node.proxy.read().colour == "green"


def test_render_names_what_is_wrong(node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(node, tmp_path, Frontends())
    web = ["--listen", "http=127.0.0.1:1", "--blue", "http=127.0.0.1:2", "--green", "http=127.0.0.1:3"]
    for words, said in (
        (["edge-9", *web], "no proxy node is called edge-9"),
        (["edge", *web, "--listen", "imap=127.0.0.1:4"], "no address for it"),
        (["edge", *web[:4], "--green", "ftp=127.0.0.1:3"], "expected protocol=host:port"),
    ):
        assert run(["proxy", "render", "-c", str(path), *words]) == 3
        assert said in capsys.readouterr().err
