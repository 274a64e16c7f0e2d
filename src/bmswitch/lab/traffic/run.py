"""Runs the load: prepare the users, send on schedule, wait for the last answers, write the summary."""

import asyncio
import contextlib
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.context import Context
from bmswitch.lab.traffic.http_client import HttpClient, LoginRefusedError, NoAnswerError
from bmswitch.lab.traffic.http_load import HttpLoad
from bmswitch.lab.traffic.idle_load import IdleLoad
from bmswitch.lab.traffic.imap_load import ImapLoad
from bmswitch.lab.traffic.ledger import Ledger
from bmswitch.lab.traffic.people import Person, people
from bmswitch.lab.traffic.prepare import prepare
from bmswitch.lab.traffic.smtp_load import SmtpLoad
from bmswitch.lab.traffic.stats import Stats, Summary
from bmswitch.lab.traffic.web_load import WebLoad
from bmswitch.model.errors import AccessError, LabError, UnreachableError

_TICK_SECONDS = 0.002
_IMAP_SHARE = 0.05
_SMTP_SHARE = 0.03
_LOGINS_AT_ONCE = 4

Work = Callable[[float], Awaitable[None]]


async def run(config: TrafficConfig, stop: asyncio.Event | None = None) -> Summary:
    """One run, until `duration` is over or `stop` is set. Errors: UnreachableError, AccessError, LabError."""
    token, password = _secret(config.token_file), _secret(config.password_file)
    users = people(config.domain, config.users, password)
    await prepare(config, users, token)
    _allow_many_connections(config.max_outstanding)
    ledger = Ledger(Path(config.ledger))
    context = Context(config, Stats(), ledger, users)
    client = HttpClient(config, context.stats)
    ledger.start()
    try:
        await _log_in(client, users)
        context.stats.begin()
        return await _run(context, client, stop or asyncio.Event())
    finally:
        await client.close()
        await ledger.close()


def main(config: TrafficConfig) -> Summary:
    """`run` in an event loop of its own, ended politely by SIGTERM or SIGINT; writes `<ledger>.summary.json`."""

    async def until_told() -> Summary:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        return await run(config, stop)

    summary = asyncio.run(until_told())
    target = Path(f"{config.ledger}.summary.json")
    temporary = target.with_name(target.name + ".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
    temporary.replace(target)
    return summary


async def _run(context: Context, client: HttpClient, stop: asyncio.Event) -> Summary:
    loads = (HttpLoad(context, client), ImapLoad(context), SmtpLoad(context))
    config = context.config
    idle, web = IdleLoad(context), WebLoad(context, client)
    kept = (
        (idle.keep, config.idle_sessions),
        (web.keep_socket, config.websockets),
        (web.keep_poll, config.long_polls),
    )
    background = [asyncio.ensure_future(keep(number)) for keep, count in kept for number in range(count)]
    for task in background:
        task.add_done_callback(lambda done: _report_defect(done, context.stats))
    background.append(asyncio.ensure_future(_show(context)))
    tasks = context.tasks
    try:
        await _send_on_schedule(context, loads, stop)
        context.ending = True
        context.stats.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=context.config.hold + 1)
    finally:
        for task in [*background, *tasks]:
            task.cancel()
        await asyncio.gather(*background, *tasks, return_exceptions=True)
        await asyncio.gather(loads[1].close(), loads[2].close(), web.close())
    return context.stats.summary(
        rate=config.rate, writes=context.ledger.counts, idle_sessions=config.idle_sessions
    )


async def _send_on_schedule(
    context: Context, loads: tuple[HttpLoad, ImapLoad, SmtpLoad], stop: asyncio.Event
) -> None:
    """Send request number n at `start + n / rate`, whatever happened before: an open loop."""
    config, stats, tasks = context.config, context.stats, context.tasks
    start = time.monotonic()
    end = start + config.duration if config.duration is not None else float("inf")
    number = 0
    while not stop.is_set():
        now = time.monotonic()
        if now >= end:
            return
        while (scheduled := start + number / config.rate) <= now:
            number += 1
            if len(tasks) >= config.max_outstanding:
                stats.dropped()
                continue
            task = asyncio.ensure_future(_chosen(context, loads)(scheduled))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda done: _report_defect(done, stats))
        await asyncio.sleep(max(_TICK_SECONDS, min(scheduled - now, 0.1)))


def _chosen(context: Context, loads: tuple[HttpLoad, ImapLoad, SmtpLoad]) -> Work:
    http, imap, smtp = loads
    draw = context.chance.random()
    if draw < _SMTP_SHARE:
        return smtp.one
    return imap.one if draw < _SMTP_SHARE + _IMAP_SHARE else http.one


def _report_defect(task: asyncio.Task[None], stats: Stats) -> None:
    """An exception here is a defect of the load itself: it must be seen, not swallowed."""
    if not task.cancelled() and (error := task.exception()) is not None:
        stats.failed("http", f"defect of the load: {type(error).__name__}: {error}")


async def _log_in(client: HttpClient, users: list[Person]) -> None:
    gate = asyncio.Semaphore(_LOGINS_AT_ONCE)

    async def one(person: Person) -> None:
        async with gate:
            await client.login(person, instead_of="")

    try:
        await asyncio.gather(*(one(person) for person in users))
    except NoAnswerError as error:
        raise UnreachableError("the proxy's web frontend does not answer", evidence=str(error)) from error
    except LoginRefusedError as error:
        raise LabError("a load user can not log in through the proxy", evidence=str(error)) from error


async def _show(context: Context) -> None:
    """One line a second on stderr, rewritten in place on a terminal."""
    terminal = sys.stderr.isatty()
    while True:
        await asyncio.sleep(1.0)
        line = context.stats.line()
        sys.stderr.write(f"\r\x1b[K{line}" if terminal else f"{line}\n")
        sys.stderr.flush()


def _secret(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise AccessError(
            "a secret of the load can not be read", evidence=f"{path}: {error.strerror}"
        ) from error


def _allow_many_connections(outstanding: int) -> None:
    """A hold collects connections: raise the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < outstanding + 200:
        sys.stderr.write(f"warning: {soft} open files allowed, {outstanding} requests may be outstanding\n")
