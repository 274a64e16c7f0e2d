"""Black-box probes of one frontend, as a person with a mailbox uses it: log in, write, read back, delete (traffic-and-objects.md D).

Each probe returns what is wrong, in one line without secrets, or nothing. What it wrote is deleted again; what a failed probe
leaves behind carries `bmswitch-canary` in its name. Every step is bounded by `PATIENCE`.
"""

import contextlib
import imaplib
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

PATIENCE = 3.0
_NAME = "bmswitch-canary"
_FOLDER = "INBOX"
_IMAPS, _SMTPS, _SUBMISSION = 993, 465, 587
_LOOK_AGAIN = 0.05
_UID = re.compile(rb"\bUID (\d+)")

Failures = (OSError, httpx.HTTPError, imaplib.IMAP4.error, smtplib.SMTPException, msgspec.MsgspecError)


@dataclass(frozen=True)
class Person:
    """Whose mailbox is used. `verify` as httpx takes it: a file of authorities, or whether certificates are looked at."""

    login: str
    password: str = field(repr=False)
    verify: bool | str = True


class WrongError(Exception):
    """A step was answered, and not as it must be."""


class _AuthUser(msgspec.Struct):
    uid: str


class _Login(msgspec.Struct, rename="camel"):
    status: str = ""
    auth_key: str | None = None
    auth_user: _AuthUser | None = None


class _Tag(msgspec.Struct):
    label: str
    color: str = "3D99FF"


class _TagItem(msgspec.Struct):
    value: _Tag | None = None


def said_by(probe: Callable[[], None]) -> str:
    """Runs a probe: what is wrong, or nothing."""
    try:
        probe()
    except WrongError as wrong:
        return str(wrong)
    except imaplib.IMAP4.error as error:
        return f"IMAP: {_one_line(error.args[0] if error.args else error)}"
    except Failures as error:
        return f"{type(error).__name__}: {_one_line(error)}"
    return ""


def probe_web(url: str, person: Person) -> None:
    """Log in, create a tag of one's own, read it back, delete it, log out. Errors: WrongError, and those of `Failures`."""
    with httpx.Client(base_url=url, timeout=PATIENCE, verify=person.verify, trust_env=False) as web:
        login = f"/api/auth/login?login={quote(person.login, safe='')}&origin={_NAME}"
        answer = _asked(web, "POST", login, "log in", msgspec.json.encode(person.password))
        session = msgspec.json.decode(answer.content, type=_Login)
        if session.status != "Ok" or not session.auth_key or session.auth_user is None:
            raise WrongError(f"log in: answered {session.status or 'nothing'}")
        web.headers["X-BM-ApiKey"] = session.auth_key
        name = f"{_NAME}-{uuid4()}"
        item = f"/api/tags/{quote(f'tags_{session.auth_user.uid}', safe='')}/{name}"
        _asked(web, "PUT", item, "write", msgspec.json.encode(_Tag(name)))
        answer = _asked(web, "GET", item, "read back")
        found = msgspec.json.decode(answer.content, type=_TagItem) if answer.content else _TagItem()
        if found.value is None or found.value.label != name:
            raise WrongError("read back: what was written is not there")
        _asked(web, "DELETE", item, "delete")
        _asked(web, "POST", "/api/auth/logout", "log out")


def probe_imap(address: str, person: Person) -> None:
    """Log in, append a mail, fetch it back, delete it, log out. Errors: as of `probe_web`."""
    mail, message_id = _mail(person, "imap")
    with _imap(address, person) as box:
        since = _open(box)
        _good(box.append(_FOLDER, r"(\Seen)", imaplib.Time2Internaldate(time.time()), mail), "append")
        uid = _find(box, message_id, since)
        if uid is None:
            raise WrongError("fetch: the mail that was appended is not there")
        _delete(box, uid)


def probe_smtp(address: str, person: Person, *, found_at: str) -> None:
    """Send a mail to oneself and find it over IMAP at `found_at`, then delete it. Errors: as of `probe_web`.

    Without `found_at` a 250 is all that is asked for.
    """
    mail, message_id = _mail(person, "smtp")
    if not found_at:
        _send(address, person, mail)
        return
    with _imap(found_at, person) as box:
        since = _open(box)
        _send(address, person, mail)
        end = time.monotonic() + PATIENCE
        while (uid := _find(box, message_id, since)) is None:
            if time.monotonic() >= end:
                raise WrongError(f"accepted, and not in the mailbox at {found_at} after {PATIENCE:g} s")
            time.sleep(_LOOK_AGAIN)
        _delete(box, uid)


def _asked(
    web: httpx.Client, method: str, where: str, step: str, body: bytes | None = None
) -> httpx.Response:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = web.request(method, where, content=body, headers=headers)
    if answer.status_code not in (200, 204):
        raise WrongError(f"{step}: HTTP {answer.status_code}")
    return answer


def _mail(person: Person, protocol: str) -> tuple[bytes, str]:
    """A small mail to oneself, and its Message-ID."""
    message_id = f"<{_NAME}-{uuid4()}@{person.login.rpartition('@')[2]}>"
    mail = EmailMessage()
    mail["From"] = mail["To"] = person.login
    mail["Subject"] = f"{_NAME} over {protocol}"
    mail["Message-ID"] = message_id
    mail.set_content("Written by bmswitch to see whether mail works; it deletes this mail itself.\n")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), message_id


@contextlib.contextmanager
def _imap(address: str, person: Person) -> Iterator[imaplib.IMAP4]:
    host, port = _place(address)
    if port == _IMAPS:
        box: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=_tls(person), timeout=PATIENCE)
    else:
        box = imaplib.IMAP4(host, port, timeout=PATIENCE)
    try:
        box.login(person.login, person.password)
        yield box
    finally:
        with contextlib.suppress(*Failures):
            box.logout()
        with contextlib.suppress(*Failures):
            box.shutdown()


@contextlib.contextmanager
def _smtp(address: str, person: Person) -> Iterator[smtplib.SMTP]:
    """Logged in on the ports where clients must; STARTTLS where it is offered."""
    host, port = _place(address)
    if port == _SMTPS:
        post: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=_tls(person))
    else:
        post = smtplib.SMTP(host, port, timeout=PATIENCE)
    try:
        post.ehlo()
        if port != _SMTPS and post.has_extn("starttls"):
            post.starttls(context=_tls(person))
            post.ehlo()
        if port in (_SMTPS, _SUBMISSION):
            post.login(person.login, person.password)
        yield post
    finally:
        with contextlib.suppress(*Failures):
            post.quit()
        post.close()


def _send(address: str, person: Person, mail: bytes) -> None:
    with _smtp(address, person) as post:
        post.sendmail(person.login, [person.login], mail)


def _open(box: imaplib.IMAP4) -> int:
    """Selects the folder; the UID that its next mail will have."""
    _good(box.select(_FOLDER), "select")
    told = box.response("UIDNEXT")[1]
    return int(told[0]) if told and told[0] else 1


def _find(box: imaplib.IMAP4, message_id: str, since: int) -> str | None:
    """The UID of the mail with this Message-ID among those that came since; it is read whole."""
    for part in _good(box.uid("FETCH", f"{since}:*", "(UID BODY.PEEK[])"), "fetch"):
        if isinstance(part, tuple) and message_id.encode() in part[1]:
            found = _UID.search(part[0])
            return found[1].decode() if found else None
    return None


def _delete(box: imaplib.IMAP4, uid: str) -> None:
    _good(box.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"), "mark as deleted")
    try:
        _good(box.uid("EXPUNGE", uid), "expunge")
    except imaplib.IMAP4.error:  # a server without UIDPLUS says BAD
        _good(box.expunge(), "expunge")


def _good(answer: tuple[str, list[Any]], step: str) -> list[Any]:
    """What was told, when the server said OK."""
    if answer[0] != "OK":
        told = answer[1][0] if answer[1] else b""
        raise WrongError(f"{step}: {answer[0]} {_one_line(told)}")
    return answer[1]


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _tls(person: Person) -> ssl.SSLContext:
    if isinstance(person.verify, str):
        return ssl.create_default_context(cafile=person.verify)
    if person.verify:
        return ssl.create_default_context()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _one_line(told: object) -> str:
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    return " ".join(text.split())[:120]
