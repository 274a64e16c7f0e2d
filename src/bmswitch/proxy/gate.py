"""The process beside Envoy that owns colour, lease and fence: `bmswitch gate --dir DIR`, one for each Envoy.

It is the watchdog too: when a lease ends it lets everything go, whether or not bmswitch still lives. What it must not
forget is in `state.json`; it starts with what that says, and a hold that is still running goes on for its remainder.

Control, on a unix socket (0600) in the folder::

    GET  /state                            -> {"colour", "hold_until_ms", "fence", "waiting"}
    POST /hold    {"until_ms", "fence"}    -> the same, once Envoy really holds
    POST /flip    {"colour", "fence"}      -> the same, once Envoy's own /clusters shows it for every cluster
    POST /release {"fence"}                -> the same, once Envoy no longer holds
    409 {"error"}: the fence is older than one already seen; 504: Envoy does not show it in time; 400: not understood
"""

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from bmswitch.model.config import Colour
from bmswitch.model.errors import BmswitchError, RefusedError, UnknownError, UnreachableError
from bmswitch.proxy import envoy_admin as admin
from bmswitch.proxy import envoy_files as files
from bmswitch.proxy.api import renewed
from bmswitch.proxy.files import socket_path, wall_ms
from bmswitch.proxy.gate_files import GateFiles
from bmswitch.proxy.layout import HOLD_CAP_MS
from bmswitch.proxy.waiting_room import Question, WaitingRoom

_SEEN_WITHIN: Final = 1.5  # seconds for Envoy to show an effect; shorter than the caller's own deadline
_LOOK: Final = 0.002
_LOCK_WITHIN: Final = 2.0
_BACKLOG: Final = 4096


class HoldOrder(msgspec.Struct, frozen=True):
    """Body of POST /hold."""

    until_ms: int
    fence: int


class FlipOrder(msgspec.Struct, frozen=True):
    """Body of POST /flip."""

    colour: Colour
    fence: int


class ReleaseOrder(msgspec.Struct, frozen=True):
    """Body of POST /release."""

    fence: int


class Gate:
    """Performs the four orders, one at a time: state first, then Envoy's files, then a look at Envoy."""

    def __init__(self, disk: GateFiles, envoy: aiohttp.ClientSession) -> None:
        self._disk = disk
        self._envoy = envoy
        self._config = disk.config()
        self.room = WaitingRoom(spread=self._config.spread_ms / 1000)
        self._state = disk.state()
        self._held = False
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._understudy: subprocess.Popen[bytes] | None = None

    def answer(self) -> files.GateAnswer:
        """As it is now."""
        until = self._state.hold_until_ms if self._held else 0
        return files.GateAnswer(self._state.colour, until, self._state.fence, self.room.waiting)

    def resume(self) -> None:
        """Makes Envoy's files say what the state says; goes on with the remainder of a lease."""
        self._ensure_understudy()
        self._disk.write_endpoints(self._config.clusters, self._state)
        if self._state.hold_until_ms > wall_ms():
            self._begin_hold(self._state)
        else:
            self._disk.write_hold(held=False)

    async def hold(self, order: HoldOrder) -> None:
        """Holds until `until_ms`, but never longer than the cap since the hold began; within one run it only grows."""
        async with self._one_at_a_time:
            self._check(order.fence)
            now = wall_ms()
            since = self._state.held_since_ms if self._held else now
            before = self._state
            wanted = renewed(
                order.until_ms, order.fence, held_until_ms=before.hold_until_ms, seen_fence=before.fence
            )
            until = min(wanted, since + HOLD_CAP_MS)
            await self._save(order.fence, hold_until_ms=until, held_since_ms=since)
            if until <= now:
                self._end_hold()
                return
            self._begin_hold(self._state)
            await self._seen("the hold", self._shows_hold)

    async def flip(self, order: FlipOrder) -> None:
        """Points every cluster at `colour`."""
        async with self._one_at_a_time:
            self._check(order.fence)
            await self._save(order.fence, colour=order.colour)
            self._disk.write_endpoints(self._config.clusters, self._state)
            await self._seen(f"the flip to {order.colour}", self._shows_colour)
            self._syncing = asyncio.create_task(self._sync())

    async def release(self, order: ReleaseOrder) -> None:
        """Lets everything go."""
        async with self._one_at_a_time:
            self._check(order.fence)
            await self._save(order.fence, hold_until_ms=0, held_since_ms=0)
            self._end_hold()
            await self._seen("the release", self._shows_release)

    def close(self) -> None:
        """Goes as a crash would: the understudy ends a hold that still runs."""
        if self._timer is not None:
            self._timer.cancel()
        if self._understudy is not None and self._understudy.stdin is not None:
            self._understudy.stdin.close()

    async def _sync(self) -> None:
        """In a thread: a slow disk must delay neither the answer nor the end of a lease."""
        await asyncio.to_thread(self._disk.sync_endpoints, self._config.clusters)

    def _check(self, fence: int) -> None:
        if fence < self._state.fence:
            raise RefusedError(f"fence {fence} is older than {self._state.fence}, which this node has seen")

    async def _save(self, fence: int, **changes: object) -> None:
        """On the disk, file and folder, when it returns, if colour or fence are new: a power cut forgets neither.

        A lease is shorter than a reboot and waits for no disk.
        """
        before = self._state
        state = msgspec.structs.replace(before, fence=fence, **changes)
        if (state.colour, state.fence) == (before.colour, before.fence):
            self._disk.write_state(state, durable=False)
        else:
            await asyncio.to_thread(self._disk.write_state, state, durable=True)
        self._state = state

    def _begin_hold(self, state: files.GateState) -> None:
        """The understudy is ready before anything is held, the room closed before Envoy asks."""
        self._ensure_understudy()
        if self._timer is not None:
            self._timer.cancel()
        remaining = min(state.hold_until_ms - wall_ms(), HOLD_CAP_MS) / 1000
        self._timer = asyncio.get_running_loop().call_later(remaining, self._expire)
        self.room.close()
        if not self._held:
            self._held = True
            self._disk.write_hold(held=True)

    def _end_hold(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._held = False
        self.room.open()
        self._disk.write_hold(held=False)

    def _expire(self) -> None:
        """The lease is over: nobody needs to ask, and no order that is under way may delay it."""
        self._end_hold()

    async def _seen(self, what: str, shows: Callable[[], Awaitable[bool]]) -> None:
        """Waits until Envoy itself shows the effect."""
        try:
            async with asyncio.timeout(_SEEN_WITHIN):
                while not await shows():  # noqa: ASYNC110 -- another process is looked at: it sends no event
                    await asyncio.sleep(_LOOK)
        except (TimeoutError, aiohttp.ClientError, OSError, UnknownError) as error:
            raise UnreachableError(f"Envoy does not show {what}", evidence=type(error).__name__) from error

    async def _shows_hold(self) -> bool:
        if not self._held:
            raise UnknownError("the lease ended before Envoy showed the hold")
        return await self._http_held() and await self._tcp_held()

    async def _shows_release(self) -> bool:
        return not await self._http_held() and not await self._tcp_held()

    async def _shows_colour(self) -> bool:
        found = admin.endpoints(await self._ask(admin.CLUSTERS_PATH))
        wanted = self._state.colour
        return all(
            [one.address for one in found.get(cluster.name, []) if one.serving] == [cluster.address(wanted)]
            for cluster in self._config.clusters
        )

    async def _http_held(self) -> bool:
        return admin.http_held(await self._ask(admin.RUNTIME_PATH))

    async def _tcp_held(self) -> bool:
        return admin.tcp_held(admin.gauges(await self._ask(admin.STATS_PATH)))

    async def _ask(self, path: str) -> bytes:
        async with self._envoy.get(f"http://{self._config.admin}{path}") as answer:
            return await answer.read()

    def _ensure_understudy(self) -> None:
        """It lives, and signals no longer end it, when this returns (about 0.1 s when it must be started)."""
        if self._understudy is not None and self._understudy.poll() is None:
            return
        command = [sys.executable, "-m", "bmswitch.proxy.understudy", str(self._disk.directory)]
        started = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._understudy = started
        with started.stdout or contextlib.nullcontext() as ready:
            if ready is None or ready.read(1) == b"":
                raise UnreachableError("the gate's understudy does not start", evidence=" ".join(command))


def control(gate: Gate) -> web.Application:
    """The control interface as an application."""
    app = web.Application(client_max_size=4096)

    def route(path: str, order: type[msgspec.Struct], effect: Callable[..., Awaitable[None]]) -> None:
        async def handle(request: web.Request) -> web.Response:
            try:
                await effect(msgspec.json.decode(await request.read(), type=order))
            except msgspec.DecodeError as error:
                return _refusal(400, str(error))
            except RefusedError as error:
                return _refusal(409, error.cause)
            except UnreachableError as error:
                return _refusal(504, f"{error.cause} ({error.evidence})")
            return _answer(gate)

        app.router.add_post(path, handle)

    async def state(_request: web.Request) -> web.Response:
        return _answer(gate)

    app.router.add_get("/state", state)
    route("/hold", HoldOrder, gate.hold)
    route("/flip", FlipOrder, gate.flip)
    route("/release", ReleaseOrder, gate.release)
    return app


def _answer(gate: Gate) -> web.Response:
    return web.Response(body=msgspec.json.encode(gate.answer()), content_type="application/json")


def _refusal(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


async def serve(directory: Path) -> None:
    """Runs until SIGTERM or SIGINT.

    Raises:
        ConfigError, JournalError: a file of the folder can not be read.
        BusyError: another gate runs there.
    """
    disk = GateFiles(directory)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(os.close, disk.lock(timeout=_LOCK_WITHIN))
        envoy = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)))
        gate = Gate(disk, envoy)
        stack.callback(gate.close)
        await _listen(gate, disk.directory, stack)
        await stop.wait()


async def _listen(gate: Gate, directory: Path, stack: contextlib.AsyncExitStack) -> None:
    """Both sockets are 0600; the hold's one first, then the files that send Envoy to it, the control last."""
    hold, command = (_free(directory / name) for name in (files.HOLD_SOCKET, files.CONTROL_SOCKET))
    mask = os.umask(0o177)
    try:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Question(gate.room), hold, backlog=_BACKLOG)
        stack.callback(server.close)
        gate.resume()
        runner = web.AppRunner(control(gate), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.UnixSite(runner, command).start()
    finally:
        os.umask(mask)


def _free(path: Path) -> str:
    """The path of a socket, without what an earlier gate left there."""
    path.unlink(missing_ok=True)
    return socket_path(path)


def run_gate(directory: Path) -> None:
    """What `bmswitch gate` and `python -m bmswitch.proxy.gate` do; returns when it was told to stop."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each held request is a connection
    asyncio.run(serve(directory))


def _main() -> int:
    parser = argparse.ArgumentParser(prog="bmswitch gate", description="The process beside Envoy.")
    parser.add_argument("--dir", type=Path, required=True, help="folder made by the renderer")
    try:
        run_gate(parser.parse_args().dir)
    except BmswitchError as error:
        sys.stderr.write(f"error: {error.cause}\n{error.evidence}\n{error.next_command}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
