"""From the bytes of a mail to the two records that BlueMind logs of it: structure and search source (pure)."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

import msgspec

from bmswitch.lab.services.shapes_mail import Header, MessageBody, Part, Recipient, SearchSource

BODY_VERSION = 4
_PREVIEW = 160
_KEPT_PREFIX = "x-bm-"
_PEOPLE = (
    ("from", "Originator"),
    ("sender", "Sender"),
    ("to", "Primary"),
    ("cc", "CarbonCopy"),
    ("bcc", "BlindCarbonCopy"),
)


class ParsedMail(msgspec.Struct, frozen=True):
    """A body's record and its searchable text."""

    body: MessageBody
    source: SearchSource


def parse_mail(guid: str, raw: bytes, now: int) -> ParsedMail:
    """Parse a mail; what can not be read stays empty, nothing is refused."""
    mail = message_from_bytes(raw)
    subject = _text(mail["subject"])
    people = _people(mail)
    date = _date(mail)
    content = _content(mail)
    body = MessageBody(
        guid=guid,
        subject=subject,
        date=date,
        created=now,
        size=len(raw),
        headers=_kept(mail),
        recipients=people,
        message_id=_text(mail["message-id"]),
        references=(mail["references"] or "").split() or None,
        structure=_part(mail, "", len(raw)),
        preview=content[:_PREVIEW],
        body_version=BODY_VERSION,
    )
    return ParsedMail(body, SearchSource(data=_search_source(mail, body, content)))


def conversation_of(body: MessageBody) -> str:
    """Conversation id: a signed 64-bit number as text, the same for all answers to one mail."""
    root = next(iter(body.references or ()), None) or body.message_id or body.guid
    return str(
        int.from_bytes(hashlib.sha1(root.encode(), usedforsecurity=False).digest()[:8], "big", signed=True)
    )


def _text(value: object) -> str | None:
    if value is None:
        return None
    try:
        return str(make_header(decode_header(str(value))))
    except (LookupError, UnicodeDecodeError, ValueError):
        return str(value)


def _people(mail: Message) -> list[Recipient]:
    found: list[Recipient] = []
    for header, kind in _PEOPLE:
        values = [str(value) for value in mail.get_all(header, [])]
        found += [
            Recipient(kind=kind, address=address, dn=_text(name) if name else None)
            for name, address in getaddresses(values)
            if address
        ]
    return found


def _date(mail: Message) -> int:
    try:
        when = parsedate_to_datetime(str(mail["date"]))
    except (TypeError, ValueError):
        return 0
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def _kept(mail: Message) -> list[Header]:
    names = dict.fromkeys(name for name in mail if name.lower().startswith(_KEPT_PREFIX))
    return [Header(name=name, values=[str(value) for value in mail.get_all(name, [])]) for name in names]


def _part(mail: Message, address: str, size: int) -> Part:
    if mail.is_multipart():
        prefix = f"{address}." if address else ""
        children = [
            _part(child, f"{prefix}{index}", _size(child)) for index, child in enumerate(_children(mail), 1)
        ]
        return Part(mime=mail.get_content_type(), address=address or "TEXT", children=children, size=size)
    disposition = mail.get_content_disposition()
    return Part(
        mime=mail.get_content_type(),
        address=address or "1",
        encoding=str(mail.get("content-transfer-encoding", "7bit")).lower(),
        charset=mail.get_content_charset() or ("us-ascii" if mail.get_content_maintype() == "text" else None),
        file_name=mail.get_filename(),
        content_id=mail.get("content-id"),
        size=size,
        disposition_type=disposition.upper() if disposition else None,
    )


def _children(mail: Message) -> Iterable[Message]:
    payload = mail.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _size(mail: Message) -> int:
    if mail.is_multipart():
        return sum(_size(child) for child in _children(mail))
    payload = mail.get_payload(decode=True)
    return len(payload) if isinstance(payload, bytes) else 0


def _content(mail: Message) -> str:
    """The first text part, white space folded."""
    for part in mail.walk():
        if part.get_content_maintype() == "text" and not part.is_multipart():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return " ".join(_decoded(payload, part.get_content_charset()).split())
    return ""


def _decoded(payload: bytes, charset: str | None) -> str:
    try:
        return payload.decode(charset or "utf-8", "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _search_source(mail: Message, body: MessageBody, content: str) -> str:
    def shown(kind: str) -> list[str]:
        return [text for r in body.recipients if r.kind == kind for text in (r.dn, r.address) if text]

    document = {
        "preview": body.preview,
        "date": datetime.fromtimestamp(body.date / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cc": shown("CarbonCopy"),
        "headers": {name: str(mail.get(name, "")) for name in ("cc", "from", "to")},
        "references": body.references or [],
        "subject": body.subject,
        "messageId": body.message_id,
        "content": content,
        "subject_kw": body.subject,
        "with": [f"{r.dn or ''} {r.address}".strip() for r in body.recipients],
        "size": body.size,
        "content-type": mail.get_content_type(),
        "from": shown("Originator"),
        "to": shown("Primary"),
        "has": [],
    }
    return base64.b64encode(msgspec.json.encode(document)).decode()
