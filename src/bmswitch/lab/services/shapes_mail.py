"""Payloads of mail: folders, records, bodies (change-log.md 5.5)."""

# ruff: noqa: RUF012 - msgspec copies an empty list or dict for each struct; ruff does not see that these are structs

import msgspec

from bmswitch.lab.services.cards import NULL, Shape


class MailboxReplica(Shape, frozen=True, kw_only=True):
    """A folder. `last_uid` + 1 is IMAP's UIDNEXT."""

    name: str
    full_name: str
    parent_uid: str | None = None
    deleted: bool = False
    last_uid: int = 0
    highest_mod_seq: int = 0
    xconv_mod_seq: int = 0
    recent_uid: int = 0
    recent_time: int | None = None
    last_append_date: int | None = None
    pop3_last_login: int | None = msgspec.field(name="pop3LastLogin", default=None)
    uid_validity: int = 0
    acls: list[msgspec.Raw] = []
    options: str = "PS"
    sync_crc: int = msgspec.field(name="syncCRC", default=0)
    quota_root: str | None = None
    data_location: str | None = None


class MailboxRecord(Shape, frozen=True, kw_only=True):
    """One message in one folder. `flags` are IMAP strings; `internal_flags` holds `expunged`."""

    body: msgspec.Raw = NULL
    imap_uid: int
    flags: list[str] = []
    internal_flags: list[str] = []
    message_body: str
    mod_seq: int = 0
    internal_date: int = 0
    last_updated: int = 0
    conversation_id: str = "0"


class Header(Shape, frozen=True, kw_only=True):
    """One header of a mail that is kept."""

    name: str
    values: list[str]


class Recipient(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """A person of a mail's envelope; without a name `dn` is left out."""

    kind: str
    address: str
    dn: str | None = None


class Part(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One MIME part; absent fields are left out."""

    mime: str
    address: str
    encoding: str | None = None
    charset: str | None = None
    file_name: str | None = None
    content_id: str | None = None
    children: "list[Part] | None" = None
    size: int = -1
    disposition_type: str | None = None


class MessageBody(Shape, frozen=True, kw_only=True):
    """The parsed structure of a mail, named by the SHA-1 of its bytes."""

    guid: str
    subject: str | None = None
    smart_attach: bool = False
    date: int = 0
    created: int = 0
    size: int = 0
    headers: list[Header] = []
    recipients: list[Recipient] = []
    message_id: str | None = None
    references: list[str] | None = None
    structure: Part | None = None
    preview: str = ""
    body_version: int = 4


class SearchSource(Shape, frozen=True, kw_only=True):
    """Searchable text of a mail: base64 of a JSON document."""

    data: str
