"""IMAP and SMTP fronts against independent clients: imaplib, smtplib and aioimaplib."""

import asyncio
import imaplib
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import aioimaplib
import pytest
from tests.integration.mail_fake import ADDRESS, FakeMail, running

from bmswitch.lab.mail.fronts import Fronts

T = TypeVar("T")

LOGIN = "ada@lab.test"
PASSWORD = "pass word"
MAIL = b"From: x@lab.test\r\nSubject: hello\r\nX-Load-Id: m1\r\n\r\nFirst line\r\nSecond line\r\n"


@pytest.fixture
def mail() -> FakeMail:
    return FakeMail({"ada": PASSWORD}, "lab.test")


def with_client(mail: FakeMail, client: Callable[[Fronts, asyncio.AbstractEventLoop], T]) -> T:
    """Run the fronts on a loop of this thread and a blocking client in another one."""

    async def scenario() -> T:
        async with running(mail) as fronts:
            return await asyncio.to_thread(client, fronts, asyncio.get_running_loop())

    return asyncio.run(scenario())


def login(fronts: Fronts) -> imaplib.IMAP4:
    imap = imaplib.IMAP4(ADDRESS, fronts.imap_port, timeout=10)
    assert imap.login(LOGIN, PASSWORD)[0] == "OK"
    return imap


def line_of(imap: imaplib.IMAP4) -> bytes:
    line: Any = imap.file.readline()  # bytes, whatever the annotation of the library says
    return bytes(line)


def test_imaplib_reads_and_writes(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        imap = login(fronts)
        assert b"stand-in blue" in imap.welcome
        typ, names = imap.list()
        assert (typ, [name.split()[-1] for name in names if isinstance(name, bytes)]) == (
            "OK",
            [b'"INBOX"', b'"Sent"'],
        )
        typ, answer = imap.append("Sent", "(\\Seen)", imaplib.Time2Internaldate(1_700_000_000), MAIL)
        assert (typ, answer[0]) == ("OK", b"[APPENDUID 777 1] APPEND completed")
        assert imap.status("Sent", "(MESSAGES UIDNEXT UIDVALIDITY)")[1] == [
            b'"Sent" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 777)'
        ]
        assert imap.select("Sent") == ("OK", [b"1"])
        assert imap.response("UIDVALIDITY")[1] == [b"777"]
        typ, parts = imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        assert typ == "OK"
        head, body = parts[0]
        assert body == MAIL
        assert b"UID 1" in head
        assert b"RFC822.SIZE %d" % len(MAIL) in head
        assert b'INTERNALDATE "14-Nov-2023 22:13:20 +0000"' in head
        typ, parts = imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (X-LOAD-ID)])")
        assert isinstance(parts[0], tuple)
        assert parts[0][1].strip() == b"X-Load-Id: m1"
        typ, parts = imap.fetch("1", "(RFC822)")
        assert isinstance(parts[0], tuple)
        assert parts[0][1] == MAIL
        typ, parts = imap.fetch("1", "(BODY[TEXT])")
        assert isinstance(parts[0], tuple)
        assert parts[0][1] == b"First line\r\nSecond line\r\n"
        imap.logout()

    with_client(mail, client)


def test_mail_of_another_session_is_found_by_uid_at_once(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        first, second = login(fronts), login(fronts)
        first.select("Sent")
        second.append("Sent", "", "", MAIL)
        typ, parts = first.uid("FETCH", "1", "(FLAGS)")
        assert (typ, parts) == ("OK", [b"1 (FLAGS () UID 1)"])
        first.logout()
        second.logout()

    with_client(mail, client)


def test_store_expunge_and_close(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        imap = login(fronts)
        for _ in range(3):
            imap.append("INBOX", "", "", MAIL)
        imap.select("INBOX")
        assert imap.uid("STORE", "2", "+FLAGS", "(\\Deleted \\Seen)") == (
            "OK",
            [b"2 (UID 2 FLAGS (\\Deleted \\Seen))"],
        )
        assert imap.uid("STORE", "2", "-FLAGS", "(\\Seen)") == ("OK", [b"2 (UID 2 FLAGS (\\Deleted))"])
        assert imap.expunge() == ("OK", [b"2"])
        assert [m.imap_uid for m in mail.messages("ada:INBOX")] == [1, 3]
        imap.store("1", "FLAGS.SILENT", "(\\Deleted)")
        assert imap.uid("EXPUNGE", "3")[0] == "OK"
        assert len(mail.messages("ada:INBOX")) == 2
        assert imap.close()[0] == "OK"
        assert [m.imap_uid for m in mail.messages("ada:INBOX")] == [3]
        imap.select("INBOX", readonly=True)
        assert imap.store("1", "FLAGS", "(\\Seen)")[0] == "NO"
        imap.logout()

    with_client(mail, client)


def test_login_is_refused_and_authenticate_plain_works(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        with imaplib.IMAP4(ADDRESS, fronts.imap_port, timeout=10) as imap:
            with pytest.raises(imaplib.IMAP4.error, match="LOGIN failed"):
                imap.login(LOGIN, "wrong")
            assert imap.authenticate("PLAIN", lambda _: f"\0{LOGIN}\0{PASSWORD}".encode())[0] == "OK"
            assert imap.select("nothing")[0] == "NO"

    with_client(mail, client)


def test_writes_are_refused_with_no_when_not_writable(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        imap = login(fronts)
        imap.append("INBOX", "", "", MAIL)
        imap.select("INBOX")
        mail.writable = False
        assert imap.append("INBOX", "", "", MAIL) == ("NO", [b"[UNAVAILABLE] instance is not writable"])
        assert imap.store("1", "+FLAGS", "(\\Seen)")[0] == "NO"
        assert imap.uid("FETCH", "1", "(FLAGS)")[0] == "OK"
        imap.logout()
        with (
            smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10) as smtp,
            pytest.raises(smtplib.SMTPDataError) as refused,
        ):
            smtp.sendmail("x@lab.test", [LOGIN], MAIL)
        assert refused.value.smtp_code == 452

    with_client(mail, client)


def test_a_core_that_is_not_running_accepts_and_closes_without_greeting(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> float:
        began = time.monotonic()
        with socket.create_connection((ADDRESS, fronts.imap_port), timeout=5) as connection:
            assert connection.recv(100) == b""
        waited = time.monotonic() - began
        with smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10) as smtp:
            smtp.ehlo()
            assert smtp.mail("x@lab.test")[0] == 250
            assert smtp.rcpt(LOGIN)[0] == 451
        return waited

    mail.core_running = False
    assert with_client(mail, client) > 1.8


def test_smtplib_delivers_and_unknown_recipients_bounce(mail: FakeMail) -> None:
    def client(fronts: Fronts, _loop: asyncio.AbstractEventLoop) -> None:
        with smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10) as smtp:
            assert smtp.login(LOGIN, PASSWORD)[0] == 235
            assert smtp.sendmail("x@lab.test", [LOGIN], MAIL) == {}
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                smtp.sendmail("x@lab.test", ["nobody@lab.test"], MAIL)
            assert refused.value.recipients["nobody@lab.test"][0] == 553
        with (
            smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10) as smtp,
            pytest.raises(smtplib.SMTPAuthenticationError),
        ):
            smtp.login(LOGIN, "wrong")

    with_client(mail, client)
    assert [raw for _, raw in mail.boxes["ada:INBOX"].values()] == [MAIL]


def test_kick_between_commands_says_bye(mail: FakeMail) -> None:
    def client(fronts: Fronts, loop: asyncio.AbstractEventLoop) -> None:
        imap = login(fronts)
        imap.select("INBOX")
        smtp = smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10)
        smtp.ehlo()
        loop.call_soon_threadsafe(fronts.kick)
        assert line_of(imap) == b"* BYE Server shutting down.\r\n"
        assert line_of(imap) == b""
        assert smtp.getreply()[0] == 421
        imap.shutdown()
        smtp.close()

    with_client(mail, client)


def test_kick_lets_the_running_command_and_transaction_finish(mail: FakeMail) -> None:
    def client(fronts: Fronts, loop: asyncio.AbstractEventLoop) -> None:
        imap = login(fronts)
        smtp = smtplib.SMTP(ADDRESS, fronts.smtp_port, timeout=10)
        smtp.ehlo()
        smtp.mail("x@lab.test")
        imap.send(b"t1 APPEND Sent {%d}\r\n" % len(MAIL))
        assert line_of(imap).startswith(b"+ ")
        loop.call_soon_threadsafe(fronts.kick)
        imap.send(MAIL + b"\r\n")
        gate = mail.append_gate
        assert gate is not None
        loop.call_soon_threadsafe(gate.set)
        assert line_of(imap).startswith(b"t1 OK [APPENDUID 777 1]")
        assert line_of(imap).startswith(b"* BYE")
        smtp.rcpt(LOGIN)
        assert smtp.data(MAIL)[0] == 250
        assert smtp.getreply()[0] == 421
        imap.shutdown()
        smtp.close()

    mail.append_gate = asyncio.Event()
    with_client(mail, client)
    assert [len(box) for box in mail.boxes.values()] == [1, 1]


def test_aioimaplib_idles_is_told_and_kicked(mail: FakeMail) -> None:
    async def scenario() -> tuple[list[Any], list[Any]]:
        async with running(mail) as fronts:
            client = aioimaplib.IMAP4(ADDRESS, fronts.imap_port, timeout=10)
            await client.wait_hello_from_server()
            await client.login(LOGIN, PASSWORD)
            await client.select("INBOX")
            await client.idle_start(timeout=30)
            assert fronts.sessions().idle == 1
            await mail.deliver(LOGIN, MAIL)
            told = await client.wait_server_push(timeout=5)
            fronts.kick()
            bye = await client.wait_server_push(timeout=5)
            await wait_until(lambda: fronts.sessions().imap == 0)
            return told, bye

    told, bye = asyncio.run(scenario())
    assert told == [b"1 EXISTS"]
    assert bye == [b"BYE Server shutting down."]


def test_a_client_that_never_finishes_its_transaction_is_ended_anyway(
    mail: FakeMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bmswitch.lab.mail.smtp._KICK_SECONDS", 0.2)

    def client(fronts: Fronts, loop: asyncio.AbstractEventLoop) -> int:
        with socket.create_connection((ADDRESS, fronts.smtp_port), timeout=5) as connection:
            lines = _lines(connection)
            next(lines)
            connection.sendall(b"HELO me\r\n")
            next(lines)
            connection.sendall(b"MAIL FROM:<x@lab.test>\r\n")
            next(lines)
            loop.call_soon_threadsafe(fronts.kick)
            return int(next(lines)[:3])

    assert with_client(mail, client) == 421


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def _lines(connection: socket.socket) -> Iterator[bytes]:
    with connection.makefile("rb") as file:
        yield from file
