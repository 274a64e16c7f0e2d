"""A blue and a green backend, a proxy node before them, and a client load: what the proxy tests stand on.

The backends and the load live in one event loop in a thread of their own; the driver under test is called from the test.
All times are `time.monotonic()`, seconds.
"""

import asyncio
import concurrent.futures
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import aiohttp
import pytest
from aiohttp import web

from bmswitch.lab.supervisor import ports, programs
from bmswitch.model.config import AnyNode, Colour, EnvoyNode, HaproxyNode, NginxNode
from bmswitch.model.errors import UnknownError, UnreachableError
from bmswitch.proxy.api import ProxyNode
from bmswitch.proxy.envoy_render import envoy_command, gate_command, render_envoy
from bmswitch.proxy.haproxy_render import haproxy_command, render_haproxy
from bmswitch.proxy.layout import COLOURS, Backends, Listener, Protocol
from bmswitch.proxy.nginx_render import nginx_command, render_nginx
from bmswitch.proxy.open import open_node

Answer = TypeVar("Answer")
Driver = Literal["envoy", "haproxy", "nginx"]
DRIVERS: list[Any] = ["envoy", *(pytest.param(name, marks=pytest.mark.real) for name in ("haproxy", "nginx"))]
READY = 15.0


def until(what: str, true: Callable[[], bool], *, timeout: float = 15.0) -> float:
    """Polls until `true`; returns the seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < timeout, f"not within {timeout} s: {what}"
        time.sleep(0.005)
    return time.monotonic() - began


def epoch_ms(ahead: float) -> int:
    """Now and `ahead` seconds, in epoch milliseconds."""
    return int((time.time() + ahead) * 1000)


class Fences(Iterator[int]):
    """Numbers that only grow."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __next__(self) -> int:
        return next(self._numbers)


class Loop:
    """An event loop in a thread; `run` is called from the test, `start` leaves the work running."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, Answer]) -> "concurrent.futures.Future[Answer]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, Answer], *, timeout: float = 30.0) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@dataclass
class Seen:
    """One request or connection that reached a backend."""

    colour: Colour
    kind: str
    key: str
    began: float
    ended: float = 0.0


class Servers:
    """Both colours: an HTTP app that names its colour, and a line server that greets with it as IMAP or SMTP would."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.log: list[Seen] = []
        self.backends: Backends = {"blue": {}, "green": {}}
        self._closers: list[Callable[[], Coroutine[Any, Any, None]]] = []

    async def start(self, *, keepalive: float = 75.0) -> None:
        for colour, host in zip(COLOURS, ("127.0.1.1", "127.0.2.1"), strict=True):
            self.backends[colour]["http"] = await self._http(colour, host, keepalive)
            for kind in ("imap", "smtp"):
                self.backends[colour][kind] = await self._lines(colour, host, kind)

    async def stop(self) -> None:
        for close in self._closers:
            await close()

    def count(self, colour: Colour, kind: str = "") -> int:
        return sum(one.colour == colour and kind in {"", one.kind} for one in self.log)

    def attempts(self, key: str) -> int:
        return sum(one.key == key for one in self.log)

    async def _http(self, colour: Colour, host: str, keepalive: float) -> str:
        async def talk(request: web.Request) -> web.StreamResponse:
            answer = web.WebSocketResponse()
            await answer.prepare(request)
            async for message in answer:
                await answer.send_str(f"{colour} {message.data}")
            return answer

        async def handle(request: web.Request) -> web.StreamResponse:
            seen = Seen(colour, "http", request.query.get("key", ""), time.monotonic())
            self.log.append(seen)
            if request.path == "/socket":
                return await talk(request)
            if request.path == "/api/system/installation/version":
                return web.json_response({"softwareVersion": f"{colour}-version"})
            await request.read()
            if "drop" in request.query and self.attempts(seen.key) == 1 and request.transport is not None:
                request.transport.abort()
            await asyncio.sleep(float(request.query.get("sleep", "0")))
            seen.ended = time.monotonic()
            return web.Response(text=colour)

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=keepalive, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, host, 0, backlog=4096)
        await site.start()
        self._closers.append(runner.cleanup)
        return f"{host}:{runner.addresses[0][1]}"

    async def _lines(self, colour: Colour, host: str, kind: Protocol) -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen = Seen(colour, kind, "", time.monotonic())
            self.log.append(seen)
            writer.write(f"{'* OK' if kind == 'imap' else '220'} {colour} ready\r\n".encode())
            try:
                while line := await reader.readline():
                    writer.write(f"{colour} {line.decode().strip()}\r\n".encode())
            except ConnectionError:
                pass
            finally:
                seen.ended = time.monotonic()
                writer.close()

        server = await asyncio.start_server(talk, host, 0, backlog=4096)

        async def close() -> None:
            server.close()

        self._closers.append(close)
        return f"{host}:{server.sockets[0].getsockname()[1]}"


@dataclass
class Process:
    """One program; its output goes to a file."""

    command: list[str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as stream:
            self.popen = subprocess.Popen(self.command, stdout=stream, stderr=stream)

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)


@dataclass
class Node:
    """A running proxy node with its driver and the addresses of its frontends."""

    driver: Driver
    directory: Path
    servers: Servers
    loop: Loop
    config: AnyNode
    proxy: ProxyNode
    processes: dict[str, Process]
    http: list[str]
    imap: str
    smtp: str
    fences: Fences = field(default_factory=Fences)

    def hold(self, seconds: float) -> None:
        self.proxy.hold(epoch_ms(seconds), next(self.fences))

    def flip(self, colour: Colour) -> None:
        self.proxy.flip(colour, next(self.fences))

    def release(self) -> None:
        self.proxy.release(next(self.fences))

    def kill(self, name: str) -> None:
        """kill -9; of HAProxy and nginx the workers too, after the master, which would start others."""
        workers = children(self.processes[name].pid) if name in {"haproxy", "nginx"} else []
        self.processes[name].end(signal.SIGKILL)
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self, name: str) -> None:
        self.processes[name].start()
        until(f"{name} answers", self.answers, timeout=READY)

    def answers(self) -> bool:
        try:
            return self.proxy.read().colour != "unknown"
        except (UnreachableError, UnknownError):
            return False


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def running_node(
    driver: Driver,
    directory: Path,
    *,
    keepalive: float = 75.0,
    idle: float = 4.0,
    spread: int = 0,
    spoil: Callable[[Path], None] = lambda _: None,
) -> Iterator[Node]:
    """Two backends and one proxy before them, with two HTTP listeners, one IMAP and one SMTP.

    `spoil` may change the rendered files before the proxy starts.
    """
    loop = Loop()
    servers = Servers(loop)
    loop.run(servers.start(keepalive=keepalive))
    chosen = ports.pick(dict.fromkeys(("http", "http-2", "imap", "smtp", "admin"), "127.0.0.1"))
    first, second, imap, smtp, admin = (f"127.0.0.1:{port}" for port in chosen.values())
    http = [first, second]
    listeners = [Listener("http", one) for one in http] + [Listener("imap", imap), Listener("smtp", smtp)]
    if driver == "envoy":
        config, processes = _envoy(directory, listeners, servers.backends, admin, idle=idle, spread=spread)
    elif driver == "haproxy":
        config, processes = _haproxy(directory, listeners, servers.backends, spread)
    else:
        config, processes = _nginx(directory, listeners, servers.backends, admin, spread)
    spoil(directory)
    node = Node(
        driver,
        directory,
        servers,
        loop,
        config,
        open_node(config),
        processes,
        http=http,
        imap=imap,
        smtp=smtp,
    )
    try:
        for process in processes.values():
            process.start()
        until("the node answers", node.answers, timeout=READY)
        yield node
    finally:
        node.proxy.close()
        for process in processes.values():
            process.end()
        loop.run(servers.stop())
        loop.close()


def _envoy(
    directory: Path, listeners: list[Listener], backends: Backends, admin: str, *, idle: float, spread: int
) -> tuple[AnyNode, dict[str, Process]]:
    render_envoy(directory, listeners, backends, admin=admin, upstream_idle=idle, spread=spread)
    binary = Path(sys.executable).with_name("envoy")
    commands = {"envoy": envoy_command(directory, binary=str(binary)), "gate": gate_command(directory)}
    config = EnvoyNode(name="edge", gate=str(directory / "gate.sock"), admin=f"http://{admin}")
    return config, {name: Process(command, directory / f"{name}.log") for name, command in commands.items()}


def _haproxy(
    directory: Path, listeners: list[Listener], backends: Backends, spread: int
) -> tuple[AnyNode, dict[str, Process]]:
    render_haproxy(directory, listeners, backends, spread=spread)
    config = HaproxyNode(
        name="edge",
        socket=str(directory / "master.sock"),
        map_file=str(directory / "cut.map"),
        backends={"blue": ["web_blue"], "green": ["web_green"]},
        tcp_backends={"blue": ["imap_blue", "smtp_blue"], "green": ["imap_green", "smtp_green"]},
    )
    return config, {"haproxy": Process(haproxy_command(directory), directory / "haproxy.log")}


def _nginx(
    directory: Path, listeners: list[Listener], backends: Backends, probe: str, spread: int
) -> tuple[AnyNode, dict[str, Process]]:
    user = "root" if os.geteuid() == 0 else ""
    render_nginx(directory, listeners, backends, probe=probe, user=user, spread=spread)
    config = NginxNode(
        name="edge",
        state_file=str(directory / "state"),
        pid_file=str(directory / "nginx.pid"),
        http=[f"http://{one.address}" for one in listeners if one.protocol == "http"],
        tcp=[one.address for one in listeners if one.protocol != "http"],
        backends={colour: [backends[colour]["http"]] for colour in COLOURS},
        tcp_backends={colour: [backends[colour]["imap"], backends[colour]["smtp"]] for colour in COLOURS},
    )
    command = nginx_command(directory, binary=programs.require("nginx"))
    return config, {"nginx": Process(command, directory / "nginx.log")}


@dataclass
class Sent:
    """One request or session of the load, as its client saw it."""

    kind: str
    key: str
    began: float
    ended: float = 0.0
    colour: str = ""
    error: str = ""


class Load:
    """Open-loop load: a request each `1/rate` s whether or not earlier ones are answered; the client never tries again."""

    def __init__(self, node: Node, *, rate: int = 200, sessions: int = 10) -> None:
        self._node = node
        self._rate = rate
        self._sessions = sessions
        self._stop = asyncio.Event()
        self.sent: list[Sent] = []
        self._future = node.loop.start(self._run())

    def finish(self) -> list[Sent]:
        """Stops sending, waits for all answers."""
        self._node.loop.loop.call_soon_threadsafe(self._stop.set)
        self._future.result(30)
        return self.sent

    @property
    def failed(self) -> list[Sent]:
        return [one for one in self.sent if one.error]

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        kept = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        new = aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        async with kept, new, asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                if self._stop.is_set():
                    return
                group.create_task(self._request(new if number % 10 == 0 else kept, number))
                if number % max(1, self._rate // self._sessions) == 0:
                    address, kind = ((self._node.imap, "imap"), (self._node.smtp, "smtp"))[number % 2]
                    group.create_task(self._session(address, kind))

    async def _request(self, session: aiohttp.ClientSession, number: int) -> None:
        sent = Sent("http", str(number), time.monotonic())
        self.sent.append(sent)
        method = "POST" if number % 5 == 0 else "GET"
        slow = "&sleep=0.1" if number % 20 == 1 else ""
        url = f"http://{self._node.http[number % 2]}/?key={number}{slow}"
        try:
            data = b"x" * 8192 if method == "POST" else None
            async with session.request(method, url, data=data) as answer:
                sent.colour = await answer.text()
                sent.error = "" if answer.status == 200 else f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            sent.error = repr(error)
        sent.ended = time.monotonic()

    async def _session(self, address: str, kind: str) -> None:
        sent = Sent(kind, "", time.monotonic())
        self.sent.append(sent)
        try:
            sent.colour = await greeting(address)
        except (TimeoutError, OSError) as error:
            sent.error = repr(error)
        sent.ended = time.monotonic()


async def greeting(address: str) -> str:
    """The colour that greets on a new connection; then one line to and fro, and good-bye."""
    host, port = address.split(":")
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            words = (await reader.readline()).decode().split()
            if not words:
                raise ConnectionError("closed without greeting")
            writer.write(b"NOOP\r\n")
            echo = (await reader.readline()).decode()
            colour = "blue" if "blue" in words else "green"
            if not echo.startswith(colour):
                raise ConnectionError(f"greeted by {colour}, answered by {echo!r}")
            return colour
        finally:
            writer.close()


async def http_colour(session: aiohttp.ClientSession, address: str, key: str = "") -> str:
    """The colour that answers one GET."""
    async with session.get(f"http://{address}/?key={key}") as answer:
        text = await answer.text()
        return text if answer.status == 200 else f"HTTP {answer.status}"


def order_violations(log: list[Seen], flips: list[tuple[float, Colour]]) -> int:
    """Requests that began on the old colour after the first one had begun on the new; `flips` in order, with their times."""
    wrong = 0
    for index, (at, colour) in enumerate(flips):
        end = flips[index + 1][0] if index + 1 < len(flips) else float("inf")
        within = [one for one in log if at <= one.began < end]
        first = min((one.began for one in within if one.colour == colour), default=float("inf"))
        wrong += sum(one.colour != colour and one.began > first for one in within)
    return wrong
