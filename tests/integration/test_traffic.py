"""The client load and the check of its ledger, against an installation in memory."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.integration.mail_fake import ADDRESS
from tests.integration.parts import BucketServer
from tests.integration.traffic_site import ADMIN, DOMAIN, TinySite, tiny_site

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.site import S3, Seed, StandIn, save_site
from bmswitch.lab.supervisor import ports
from bmswitch.lab.traffic.check import Verdict, check_ledger
from bmswitch.lab.traffic.config import TrafficConfig
from bmswitch.lab.traffic.imap_client import ImapClient, open_imap
from bmswitch.lab.traffic.ledger import read_ledger
from bmswitch.lab.traffic.run import run
from bmswitch.lab.traffic.smtp_client import open_smtp
from bmswitch.lab.traffic.stats import KeptKind, Summary
from bmswitch.lab.traffic.wire import CommandRefusedError, EndedError, NoSessionError
from bmswitch.model import topics

Act = Callable[[TinySite], Awaitable[None]]


def config_for(
    site: TinySite, folder: Path, *, rate: float = 150, duration: float | None = None
) -> TrafficConfig:
    (folder / "token").write_text(ADMIN + "\n")
    (folder / "password").write_text("load-secret\n")
    assert site.fronts is not None
    return TrafficConfig(
        http_url=site.url,
        imap=f"{ADDRESS}:{site.fronts.imap_port}",
        smtp=f"{ADDRESS}:{site.fronts.smtp_port}",
        core_url=site.url,
        token_file=str(folder / "token"),
        password_file=str(folder / "password"),
        domain=DOMAIN,
        users=6,
        rate=rate,
        ledger=str(folder / "ledger.ndjson"),
        hold=20.0,
        websockets=0,  # the tiny site has none
        long_polls=0,
    )


async def nothing(_site: TinySite) -> None:
    """No fault."""


def loaded(
    folder: Path, *, during: Act = nothing, after: Act = nothing, rate: float = 150, more: int = 150
) -> tuple[Summary, Verdict]:
    """Run the load, do something during it, let it go on for a while, end it, do something else, check the ledger."""

    async def scenario() -> tuple[Summary, Verdict]:
        async with tiny_site() as site:
            config = config_for(site, folder, rate=rate)
            stop = asyncio.Event()
            load = asyncio.create_task(run(config, stop))
            try:
                await until(lambda: busy(site))
                await during(site)
                enough = site.served + more
                await until(lambda: site.served > enough)
            finally:
                stop.set()
            summary = await load
            await after(site)
            return summary, await check_ledger(Path(config.ledger), site.url, ADMIN, DOMAIN)

    return asyncio.run(scenario())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.02)


def busy(site: TinySite) -> bool:
    """Whether every kind of write has happened, so often that some mailbox has two mails."""
    inboxes = [len(box) for name, box in site.mail.boxes.items() if name.endswith("INBOX")]
    sent = [len(box) for name, box in site.mail.boxes.items() if name.endswith("Sent")]
    calendars = [len(items) for name, items in site.items.items() if name.startswith("calendar")]
    return all(max(counts, default=0) > 1 for counts in (inboxes, sent, calendars))


def test_a_quiet_run_is_clean(tmp_path: Path) -> None:
    summary, verdict = loaded(tmp_path)
    assert summary.requests.failed == 0, summary.failures
    assert summary.requests.unknown == 0
    assert summary.requests.http > 150
    assert min(summary.requests.imap, summary.requests.smtp) >= 2
    assert summary.latency["http"].p50_ms <= summary.latency["http"].p99_ms <= summary.latency["http"].max_ms
    assert verdict.clean, verdict
    assert verdict.acknowledged == summary.writes["acknowledged"] > 50
    assert verdict.checked + verdict.superseded == verdict.acknowledged
    assert summary.notifications > 0
    assert sum(second.answered for second in summary.timeline) == sum(
        each.count for each in summary.latency.values()
    )


def test_a_hold_a_kick_and_lost_logins_are_no_failures(tmp_path: Path) -> None:
    async def switch(site: TinySite) -> None:
        site.gate.clear()
        assert site.fronts is not None
        site.fronts.kick()
        site.drop_sessions()
        await asyncio.sleep(0.4)  # the length of the hold is what is measured
        site.gate.set()

    summary, verdict = loaded(tmp_path, during=switch)
    assert summary.requests.failed == 0, summary.failures
    assert summary.requests.unknown == 0, summary.failures
    assert summary.requests.reconnects >= 6
    assert summary.requests.cut == 0
    assert 1 <= summary.requests.relogins <= 6
    assert summary.longest_pause_ms >= 390
    assert verdict.clean, verdict


def test_planted_losses_and_duplicates_are_named(tmp_path: Path) -> None:
    planted: dict[str, str] = {}

    async def plant(site: TinySite) -> None:
        calendar = next(
            name for name, items in site.items.items() if name.startswith("calendar") and len(items) > 1
        )
        gone, changed = list(site.items[calendar])[:2]
        del site.items[calendar][gone]
        site.items[calendar][changed]["main"]["summary"] = "an older content"
        planted["gone"] = f"calendars/{calendar}/{gone}"
        planted["changed"] = f"calendars/{calendar}/{changed}"
        inbox = next(name for name, box in site.mail.boxes.items() if name.endswith("INBOX") and len(box) > 1)
        first, second = list(site.mail.boxes[inbox])[:2]
        user = inbox.partition(":")[0]
        lost = site.mail.boxes[inbox].pop(first)[1]
        planted["lost mail"] = f"mail/{user}/INBOX/{load_id(lost)}"
        twice = site.mail.boxes[inbox][second][1]
        planted["doubled mail"] = f"mail/{user}/INBOX/{load_id(twice)}"
        await site.mail.append(user, inbox, twice)

    _, verdict = loaded(tmp_path, after=plant)
    assert {finding.object for finding in verdict.first_lost} == {
        planted["gone"],
        planted["changed"],
        planted["lost mail"],
    }
    assert [finding.object for finding in verdict.first_duplicated] == [planted["doubled mail"]]
    assert (verdict.lost, verdict.duplicated, verdict.clean) == (3, 1, False)
    assert all(finding.write for finding in verdict.first_lost)


def test_refused_writes_are_failures_but_no_losses(tmp_path: Path) -> None:
    async def fence(site: TinySite) -> None:
        site.mail.writable = False
        await until(lambda: site.refused > 10)
        site.mail.writable = True

    summary, verdict = loaded(tmp_path, during=fence)
    assert summary.requests.failed > 5
    assert verdict.refused == summary.writes["refused"] > 5
    assert verdict.refused_present == 0
    assert verdict.clean, verdict


def test_cut_connections_repeat_reads_and_leave_writes_unknown(tmp_path: Path) -> None:
    async def cut(site: TinySite) -> None:
        site.cut_reads, site.cut_writes = 5, 5
        await until(lambda: site.cut_reads + site.cut_writes == 0)

    summary, verdict = loaded(tmp_path, during=cut)
    assert summary.requests.failed == 0, summary.failures
    assert summary.requests.retried == 5
    assert summary.writes["unknown"] == summary.requests.unknown == 5
    assert verdict.unknown_present == verdict.unknown, (
        "the tiny site executes a request before it cuts the connection"
    )
    assert verdict.clean, verdict


def test_a_changed_uidvalidity_is_a_failure(tmp_path: Path) -> None:
    async def replace(site: TinySite) -> None:
        site.mail.uid_validity = 778
        assert site.fronts is not None
        site.fronts.kick()

    summary, _ = loaded(tmp_path, during=replace, rate=300, more=1000)  # so that somebody comes back
    assert any("UIDVALIDITY" in reason for reason in summary.failures), summary.failures


def test_sigterm_ends_the_process_with_a_summary(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, str]:
        async with tiny_site() as site:
            config = config_for(site, tmp_path, rate=50)
            (tmp_path / "config.json").write_bytes(msgspec.json.encode(config))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bmswitch.lab.traffic",
                str(tmp_path / "config.json"),
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONWARNINGS": ""},
            )
            try:
                await until(lambda: busy(site))
                process.send_signal(signal.SIGTERM)
                _, errors = await asyncio.wait_for(process.communicate(), 30)
            finally:
                if process.returncode is None:
                    process.kill()
            return process.returncode or 0, errors.decode()

    code, errors = asyncio.run(scenario())
    assert code == 0, errors
    assert "load-secret" not in errors + (tmp_path / "ledger.ndjson").read_text()
    summary = json.loads((tmp_path / "ledger.ndjson.summary.json").read_text())
    assert summary["requests"]["failed"] == 0, summary["failures"]
    assert summary["writes"]["acknowledged"] == len(list(read_ledger(tmp_path / "ledger.ndjson")))


# -- the mail clients against scripted servers ------------------------------------------------------------------------


@asynccontextmanager
async def scripted(*steps: tuple[bytes, bytes]) -> AsyncIterator[str]:
    """A server that says each second text after it has read a line that holds the first one; then it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for wanted, said in steps:
            if wanted:
                line = await reader.readline()
                while wanted not in line and line:
                    line = await reader.readline()
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, ADDRESS, 0)
    async with server:
        yield f"{ADDRESS}:{server.sockets[0].getsockname()[1]}"


IMAP_START = (
    (b"", b"* OK stand-in blue ready\r\n"),
    (b"LOGIN", b"c1 OK in\r\n"),
    (b"SELECT", b"* OK [UIDVALIDITY 9] x\r\nc2 OK done\r\n"),
)


@pytest.mark.parametrize(
    ("said", "sent", "polite"),
    [
        ([(b"APPEND", b"* BYE going\r\n")], False, True),
        ([(b"APPEND", b"")], False, False),
        ([(b"APPEND", b"+ go\r\n"), (b"hello", b"* BYE going\r\n")], True, True),
        ([(b"APPEND", b"+ go\r\n"), (b"hello", b"")], True, False),
    ],
)
def test_an_append_is_unknown_only_after_the_server_asked_for_it(
    said: list[tuple[bytes, bytes]], *, sent: bool, polite: bool
) -> None:
    async def scenario() -> EndedError:
        async with scripted(*IMAP_START, *said) as address:
            client = await open_imap(address, "a", "b", "Sent", 5)
            assert (client.uid_validity, client.side) == (9, "blue")
            with pytest.raises(EndedError) as ended:
                await client.command(b"APPEND Sent", b"hello\r\n")
            client.wire.close()
            return ended.value

    ended = asyncio.run(scenario())
    assert (ended.sent, ended.polite) == (sent, polite)


def test_an_end_between_commands_is_seen_before_the_next_one() -> None:
    async def scenario() -> ImapClient:
        async with scripted(*IMAP_START, (b"", b"* BYE going\r\n")) as address:
            client = await open_imap(address, "a", "b", "Sent", 5)
            async with asyncio.timeout(5):
                while not client.wire.over:  # noqa: ASYNC110 - a state, no event
                    await asyncio.sleep(0.01)
            with pytest.raises(EndedError) as ended:
                await client.command(b"NOOP")
            assert not ended.value.sent
            return client

    client = asyncio.run(scenario())
    assert client.ended
    assert client.polite_end


@pytest.mark.parametrize("greeting", [b"", b"* BYE busy\r\n"])
def test_no_greeting_is_a_refused_session(greeting: bytes) -> None:
    async def scenario() -> None:
        async with scripted((b"", greeting)) as address:
            with pytest.raises(NoSessionError):
                await open_imap(address, "a", "b", "Sent", 5)

    asyncio.run(scenario())


def test_smtp_tells_refused_from_never_sent_from_unknown() -> None:
    start = ((b"", b"220 hi\r\n"), (b"EHLO", b"250-a\r\n250 b\r\n"), (b"MAIL", b"250 ok\r\n"))

    async def send(*steps: tuple[bytes, bytes]) -> None:
        async with scripted(*start, *steps) as address:
            client = await open_smtp(address, 5)
            try:
                await client.send("a@x", "b@x", b"Subject: x\r\n\r\n.dot\r\n")
            finally:
                client.wire.close()

    async def scenario() -> None:
        with pytest.raises(CommandRefusedError, match="553"):
            await send((b"RCPT", b"553 who\r\n"))
        with pytest.raises(EndedError) as never:
            await send((b"RCPT", b"421 closing\r\n"))
        assert (never.value.sent, never.value.polite) == (False, True)
        with pytest.raises(EndedError) as unknown:
            await send((b"RCPT", b"250 ok\r\n"), (b"DATA", b"354 go\r\n"), (b"..dot", b""))
        assert unknown.value.sent
        await send((b"RCPT", b"250 ok\r\n"), (b"DATA", b"354 go\r\n"), (b"..dot", b"250 taken\r\n"))

    asyncio.run(scenario())


def load_id(raw: bytes) -> str:
    return raw.partition(b"X-Load-Id: ")[2].partition(b"\r\n")[0].decode()


# -- the real stand-in --------------------------------------------------------------------------------------------------


@contextmanager
def standin(
    folder: Path, kafka: EmbeddedKafka, bucket: BucketServer
) -> Iterator[tuple[StandIn, subprocess.Popen[bytes]]]:
    """A stand-in core with a few seeded users, as a process."""
    picked = ports.pick({"http": ADDRESS, "imap": ADDRESS, "smtp": ADDRESS})
    (folder / "s3.access").write_text(bucket.access_key)
    (folder / "s3.secret").write_text(bucket.secret_key)
    installation = "bluemind-6a1e4a4c-5b4b-4b6e-9d8d-0d2a6d1c0001"
    site = StandIn(
        name="blue",
        version="5.0",
        installation_id=installation,
        address=ADDRESS,
        http_port=picked["http"],
        imap_port=picked["imap"],
        smtp_port=picked["smtp"],
        kafka_bootstrap=kafka.bootstrap,
        data_dir=str(folder / "data"),
        etc_dir=str(folder / "etc"),
        s3=S3(
            endpoint=bucket.endpoint,
            access_key_file=str(folder / "s3.access"),
            secret_key_file=str(folder / "s3.secret"),
        ),
        seed=Seed(domain=DOMAIN, users=2, items=2),
        token_file=str(folder / "token"),
    )
    for topic in (topics.orphans(installation), topics.domain(installation, DOMAIN)):
        kafka.create_topic(topic, 64)
    save_site(site, folder / "site.json")
    with (folder / "core.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bmswitch.lab.core", str(folder / "site.json")], stderr=log, stdout=log
        )
        try:
            yield site, process
        finally:
            process.terminate()
            process.wait(20)


async def answering(site: StandIn, process: subprocess.Popen[bytes]) -> None:
    """Return when the core takes connections."""
    async with asyncio.timeout(30):
        while True:
            assert process.poll() is None, "the core ended"
            try:
                _, writer = await asyncio.open_connection(ADDRESS, site.smtp_port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


def test_the_stand_in_takes_the_load_and_a_kick(
    tmp_path: Path, embedded_kafka: EmbeddedKafka, bucket_server: BucketServer
) -> None:
    async def scenario(site: StandIn, process: subprocess.Popen[bytes]) -> tuple[Summary, Verdict]:
        await answering(site, process)
        (tmp_path / "password").write_text("load-secret\n")
        config = TrafficConfig(
            http_url=site.url,
            imap=f"{ADDRESS}:{site.imap_port}",
            smtp=f"{ADDRESS}:{site.smtp_port}",
            core_url=site.url,
            token_file=str(tmp_path / "token"),
            password_file=str(tmp_path / "password"),
            domain=DOMAIN,
            users=6,
            rate=100,
            duration=4.0,
            hold=30.0,
            ledger=str(tmp_path / "ledger.ndjson"),
        )

        async def kick() -> None:
            async with asyncio.timeout(20):
                while not (tmp_path / "ledger.ndjson").exists():  # noqa: ASYNC110 - another process's file
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.5)  # in the middle of the load
            process.send_signal(signal.SIGUSR1)

        summary, _ = await asyncio.gather(run(config), kick())
        token = (tmp_path / "token").read_text().strip()
        return summary, await check_ledger(Path(config.ledger), site.url, token, DOMAIN)

    with standin(tmp_path, embedded_kafka, bucket_server) as (site, process):
        summary, verdict = asyncio.run(scenario(site, process))
    assert summary.requests.failed == 0, summary.failures
    assert summary.requests.unknown == 0, summary.failures
    assert summary.requests.reconnects >= 6
    assert summary.requests.cut == 0
    wanted: dict[KeptKind, int] = {"idle": 6, "websocket": 5, "longpoll": 5}
    for kind, count in wanted.items():
        kept = summary.kept[kind]
        assert kept.ended >= count, (kind, kept)
        assert set(kept.on) == {"blue"}, (kind, kept)
        assert kept.on["blue"] == count or kind == "longpoll", (kind, kept)
        assert kept.writes > 0 or kind == "longpoll", (kind, kept)
    assert verdict.acknowledged > 50
    assert verdict.clean, verdict
