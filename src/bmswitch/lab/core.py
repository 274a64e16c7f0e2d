"""The stand-in core's process: `python -m bmswitch.lab.core SITE.json`.

It stands in for BlueMind and is no mail server. Start-up rule: an empty store is filled from `seed` or `log` and the core
leads; `bm-core.disabled` refuses; then the files of the etc folder decide (clone-and-api.md 1.5).
SIGTERM: finish, flush the producer, stop. SIGKILL: what lingers is lost. SIGUSR1: end kept sessions politely.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from bmswitch.lab.rest.server import RestServer
from bmswitch.lab.services.bodies import open_bodies
from bmswitch.lab.services.core_services import Services
from bmswitch.lab.services.platform import GLOBAL_DOMAIN
from bmswitch.lab.site import StandIn, load_site, write_private
from bmswitch.lab.store import INITIALISED, Store
from bmswitch.model.errors import BmswitchError, LabError

_POLL = 0.1  # seconds between two looks at delivery reports
_PREPARE = 1.0  # seconds between two looks for topics that a clone will write to

log = logging.getLogger("bmswitch.lab.core")


class Fronts(Protocol):
    """IMAP and SMTP in front of the core."""

    def kick_imap(self, at_most: int | None = None) -> None:
        """End kept IMAP sessions politely."""

    def kick_smtp(self, at_most: int | None = None) -> None:
        """End kept SMTP sessions politely."""

    async def stop(self) -> None:
        """Close listeners and sessions."""


class Core:
    """One running stand-in. `start` and `stop` belong to the same event loop."""

    def __init__(self, site: StandIn) -> None:
        self.site = site
        self.store = Store(site.store_file)
        self.services = Services(site, self.store, open_bodies(site.s3))
        self.rest = RestServer(self.services)
        self.fronts: Fronts | None = None
        self._chores: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Fill an empty store, take a state, then listen. Raises LabError when the core is disabled."""
        if self.site.disabled.exists():
            raise LabError(
                "the core is disabled since its demotion",
                evidence=str(self.site.disabled),
                next_command="remove the file, then start the core again",
            )
        self.services.installation.use_loop(asyncio.get_running_loop().call_soon_threadsafe)
        await self._initialise()
        self.services.installation.start()
        try:
            await self.rest.start()
            self.fronts = await self._start_fronts()
        except OSError as error:
            raise LabError("the core can not listen", evidence=str(error)) from error
        self._chores = [
            asyncio.create_task(_repeat(_POLL, self._serve_reports)),
            asyncio.create_task(_repeat(self.site.heartbeat, self._beat)),
            asyncio.create_task(_repeat(_PREPARE, self._prepare)),
        ]
        gc.freeze()
        log.info("%s: %s on %s", self.site.name, self.services.state.current, self.site.url)

    async def stop(self) -> None:
        """Take no more calls, flush the log, close."""
        self.services.installation.stop()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self.fronts is not None:
            await self.fronts.stop()
        await self.rest.stop()
        await asyncio.to_thread(self.services.publisher.close)
        self.services.bodies.close()
        self.store.close()
        gc.unfreeze()

    async def kick(self) -> None:
        """End kept sessions politely: those that the kick file names, else all, mail before web."""
        kind, at_most = _kick_order(self.site.kick_file)
        if self.fronts is not None and kind in ("", "imap"):
            self.fronts.kick_imap(at_most)
        if self.fronts is not None and kind in ("", "smtp"):
            self.fronts.kick_smtp(at_most)
        if kind in ("", "websocket"):
            await self.rest.events.kick(at_most)
        if kind in ("", "longpoll"):
            self.rest.polls.kick(at_most)

    async def _initialise(self) -> None:
        site, services = self.site, self.services
        wanted = site.seed is not None or site.log is not None
        if not wanted or self.store.meta(INITIALISED) is not None:
            return
        write_private(site.mcast_id, site.installation_id.removeprefix("bluemind-").encode())
        services.installation.write_token()
        services.state.apply()
        if site.seed is not None:
            from bmswitch.lab.seed import seed  # noqa: PLC0415 - only an empty store needs it

            await seed(services, site.seed)
        else:
            from bmswitch.lab.restore.bootstrap import bootstrap  # noqa: PLC0415 - as above

            restored = await asyncio.to_thread(bootstrap, site, self.store, log.info)
            log.info("restored from the log: %s", restored)
            self.store.set_meta(INITIALISED, "yes")

    async def _start_fronts(self) -> Fronts | None:
        if not self.site.imap_port and not self.site.smtp_port:
            return None
        from bmswitch.lab.mail.fronts import start_fronts  # noqa: PLC0415 - Twisted is only needed with ports

        return await start_fronts(self.site, self.services.mail)

    async def _serve_reports(self) -> None:
        self.services.publisher.poll()

    async def _prepare(self) -> None:
        """A core that was not elected waits for the latch; a clone keeps its producers ready, as its promotion is part of somebody's hold."""
        self.services.state.elect()
        if self.services.state.cloning:
            domains = [item.uid for item in self.services.platform.domains() if item.uid != GLOBAL_DOMAIN]
            await asyncio.to_thread(self.services.publisher.prepare, domains)

    async def _beat(self) -> None:
        self.services.installation.heartbeat()


def _kick_order(file: Path) -> tuple[str, int | None]:
    """Kind and number of the sessions to end; the file is used up. Empty and None: all."""
    try:
        kind, at_most = file.read_text().split()
        file.unlink()
        return kind, int(at_most) or None
    except (OSError, ValueError):
        return "", None


async def _repeat(period: float, work: Callable[[], Awaitable[None]]) -> None:
    """Call `work` every `period` seconds until cancelled."""
    while True:
        await asyncio.sleep(period)
        try:
            await work()
        except BmswitchError:
            log.exception("a chore failed")


async def serve(site: StandIn) -> None:
    """Run a core until SIGTERM or SIGINT."""
    core = Core(site)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    kicks: set[asyncio.Task[None]] = set()

    def kick() -> None:
        task = asyncio.ensure_future(core.kick())
        kicks.add(task)
        task.add_done_callback(kicks.discard)

    loop.add_signal_handler(signal.SIGUSR1, kick)
    write_private(site.pid_file, str(os.getpid()).encode())
    try:
        await core.start()
        await ended.wait()
        await core.stop()
    finally:
        site.pid_file.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """Run the core of one site file; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m bmswitch.lab.core SITE.json\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        site = load_site(Path(arguments[0]))
        asyncio.run(serve(site))
    except BmswitchError as error:
        log.error("%s %s", error.cause, error.evidence)  # noqa: TRY400 - the operator needs the cause, not the stack
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
