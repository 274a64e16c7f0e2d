r"""Mail as the IMAP and SMTP fronts and the REST API use it: folders, messages, flags, delivery.

Interface (stable):

    user = await mail.authenticate("user-01@lab.test", "secret")      # None when refused
    for folder in mail.folders(user.uid): ...
    imap_uid = await mail.append(user.uid, folder.uid, raw, ("\\Seen",), internal_date_ms)

Raises `NotWritable` from every write while the core may not write, `NotFound` for unknown folders and messages.
Not async means: in memory or one short SQL statement; async means: object store or hashing is waited for.
`mail.running` is False outside CORE_STATE_RUNNING: an IMAP front then accepts TCP, sends no greeting and closes after 2 s
(traffic-and-objects.md A6); sessions that are open get no BYE by themselves.
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Literal

import msgspec

from bmswitch.lab.services.accounts import Accounts
from bmswitch.lab.services.bodies import Bodies, guid_of
from bmswitch.lab.services.context import SYSTEM, Context, hashed_id
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.mailboxes import Mailboxes
from bmswitch.lab.services.parsing import ParsedMail, conversation_of, parse_mail
from bmswitch.lab.services.shapes import CLASSES, SIDE_CLASSES
from bmswitch.lab.services.shapes_mail import MailboxRecord, MailboxReplica, MessageBody
from bmswitch.lab.store import Container, Item, Side


class User(msgspec.Struct, frozen=True):
    """Who logged in."""

    uid: str
    domain: str
    login: str
    display_name: str


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """One mail folder. `full_name` uses `/`; UIDNEXT is `last_uid` + 1."""

    uid: str
    owner: str
    name: str
    full_name: str
    parent_uid: str | None
    uid_validity: int
    last_uid: int
    highest_mod_seq: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    r"""One message of a folder that is not expunged. `flags` are IMAP strings (`\\Seen`); `internal_date` epoch ms."""

    imap_uid: int
    item_id: int
    guid: str
    flags: tuple[str, ...]
    internal_date: int
    size: int
    mod_seq: int


class FolderEvent(msgspec.Struct, frozen=True):
    """What changed in a folder: a message came, its flags changed, or it went."""

    kind: Literal["added", "flags", "expunged"]
    folder_uid: str
    imap_uid: int


_decode_record = msgspec.json.Decoder(MailboxRecord).decode
_decode_body = msgspec.json.Decoder(MessageBody).decode
_encode = msgspec.json.encode
_replace = msgspec.structs.replace

_FLAG_NAMES = {"\\Seen": "Seen", "\\Deleted": "Deleted", "\\Flagged": "Important"}
_EXPUNGED = "expunged"
_SIZES_KEPT = 100_000


class MailService:
    """Mail of one installation. Used from the event loop's thread only."""

    def __init__(
        self, context: Context, *, items: Items, mailboxes: Mailboxes, bodies: Bodies, accounts: Accounts
    ) -> None:
        self._context = context
        self._items = items
        self._mailboxes = mailboxes
        self._bodies = bodies
        self._accounts = accounts
        self._sizes: dict[str, int] = {}
        self._listeners: dict[str, list[Callable[[FolderEvent], None]]] = {}

    @property
    def running(self) -> bool:
        """Whether the core is in CORE_STATE_RUNNING."""
        return self._context.state.running

    async def authenticate(self, login: str, password: str) -> User | None:
        """Check a login (`user@domain`, any address of the entry) and a password. Not bound to the core's state."""
        found = await self._accounts.verify(login, password)
        if found is None:
            return None
        return User(found.uid, found.domain, found.login, found.display_name)

    def folders(self, user_uid: str) -> list[Folder]:
        """All folders of a mailbox, by full name, INBOX first."""
        subtree = self._mailboxes.subtree_of(user_uid)
        found = [
            _folder(item.uid, subtree.owner, replica) for item, replica in self._mailboxes.replicas(subtree)
        ]
        return sorted(found, key=lambda folder: (folder.full_name != "INBOX", folder.full_name))

    def folder(self, folder_uid: str) -> Folder:
        """One folder as it is now."""
        subtree, _, item, replica = self._mailboxes.find(folder_uid)
        return _folder(item.uid, subtree.owner, replica)

    def create_folder(self, user_uid: str, full_name: str) -> Folder:
        """Make a folder; its parent must exist."""
        item = self._mailboxes.create_folder(user_uid, full_name, str(uuid.uuid4()))
        return self.folder(item.uid)

    async def append(
        self,
        user_uid: str,
        folder_uid: str,
        raw: bytes,
        flags: tuple[str, ...] = (),
        internal_date: int | None = None,
    ) -> int:
        """Store a message; returns its IMAP UID once body and rows are durable (the log follows by itself)."""
        self._context.check_writable()
        guid = guid_of(raw)
        await self._bodies.put(guid, raw)
        parsed = parse_mail(guid, raw, self._context.now())
        return self.add_record(folder_uid, parsed, flags=flags, internal_date=internal_date, by=user_uid)

    def add_record(
        self,
        folder_uid: str,
        parsed: ParsedMail,
        *,
        flags: tuple[str, ...] = (),
        internal_date: int | None = None,
        by: str = SYSTEM,
    ) -> int:
        """The rows and records of a message whose body is already in the bucket; returns its IMAP UID.

        Log, in the order of the real one: folder (new `lastUid`), body, search source, record.
        """
        now = self._context.now()
        with self._context.write():
            subtree, records, _, replica = self._mailboxes.find(folder_uid)
            imap_uid = replica.last_uid + 1
            self._mailboxes.update(subtree, folder_uid, _grown(replica, imap_uid, now), by=by)
            self._put_body(records, parsed, now)
            record = MailboxRecord(
                imap_uid=imap_uid,
                flags=sorted(set(flags) - {"\\Recent"}),
                message_body=parsed.body.guid,
                mod_seq=imap_uid,
                internal_date=now if internal_date is None else internal_date,
                last_updated=now,
                conversation_id=conversation_of(parsed.body),
            )
            uid = f"{imap_uid}."
            self._items.create(
                records,
                uid,
                _encode(record),
                CLASSES["mailbox_records"],
                display_name=uid,
                by=by,
                flags=_item_flags(record.flags),
            )
        self._tell(FolderEvent("added", folder_uid, imap_uid))
        return imap_uid

    def messages(self, folder_uid: str) -> list[Message]:
        """Messages that are not expunged, by IMAP UID."""
        records = self._records(folder_uid)
        found = [(item, _decode_record(item.value)) for item in self._context.store.items(records.uid)]
        live = [
            self._message(records, item, record)
            for item, record in found
            if _EXPUNGED not in record.internal_flags
        ]
        return sorted(live, key=lambda message: message.imap_uid)

    async def fetch_raw(self, guid: str) -> bytes:
        """The message's bytes from the object store. NotFound when the object is missing."""
        return await self._bodies.get(guid)

    def set_flags(self, folder_uid: str, imap_uid: int, flags: tuple[str, ...]) -> Message:
        """Replace the flags of one message; returns it as it is now."""
        records = self._records(folder_uid)
        with self._context.write():
            item, record = self._live(records, imap_uid)
            item, record = self._write_flags(records, item, record, sorted(set(flags) - {"\\Recent"}))
        self._tell(FolderEvent("flags", folder_uid, imap_uid))
        return self._message(records, item, record)

    def expunge(self, folder_uid: str, imap_uids: list[int] | None = None) -> list[int]:
        r"""Expunge messages flagged `\\Deleted` (all, or those of `imap_uids`); returns the UIDs that went.

        An expunge is an UPDATE with the internal flag `expunged`, not a deletion (change-log.md 6).
        """
        records = self._records(folder_uid)
        gone: list[int] = []
        with self._context.write():
            for message in self.messages(folder_uid):
                wanted = imap_uids is None or message.imap_uid in imap_uids
                if wanted and "\\Deleted" in message.flags:
                    item, record = self._live(records, message.imap_uid)
                    self._write_flags(
                        records, item, _replace(record, internal_flags=[_EXPUNGED]), record.flags
                    )
                    gone.append(message.imap_uid)
        for imap_uid in gone:
            self._tell(FolderEvent("expunged", folder_uid, imap_uid))
        return gone

    async def deliver(self, rcpt_address: str, raw: bytes) -> int:
        """Deliver to the INBOX of an address; returns the IMAP UID. NotFound for an unknown address."""
        self._context.check_writable()
        inbox = self._inbox(rcpt_address)
        guid = guid_of(raw)
        await self._bodies.put(guid, raw)
        return self.add_record(inbox, parse_mail(guid, raw, self._context.now()))

    def knows(self, rcpt_address: str) -> bool:
        """Whether `deliver` would find a mailbox."""
        try:
            self._inbox(rcpt_address)
        except NotFound:
            return False
        return True

    def subscribe(self, folder_uid: str, callback: Callable[[FolderEvent], None]) -> Callable[[], None]:
        """Call back after each change of a folder (IDLE); returns the function that ends it."""
        listeners = self._listeners.setdefault(folder_uid, [])
        listeners.append(callback)

        def end() -> None:
            if callback in listeners:
                listeners.remove(callback)
            if not listeners:
                self._listeners.pop(folder_uid, None)

        return end

    # ---- inner

    def _records(self, folder_uid: str) -> Container:
        return self._items.container(f"mbox_records_{folder_uid}")

    def _live(self, records: Container, imap_uid: int) -> tuple[Item, MailboxRecord]:
        item = self._items.get(records.uid, f"{imap_uid}.")
        record = _decode_record(item.value)
        if _EXPUNGED in record.internal_flags:
            raise NotFound(f"message {imap_uid} was expunged")
        return item, record

    def _write_flags(
        self, records: Container, item: Item, record: MailboxRecord, flags: list[str]
    ) -> tuple[Item, MailboxRecord]:
        record = _replace(record, flags=flags, mod_seq=0, last_updated=self._context.now())
        changed = self._items.update(
            records, item.uid, _encode(record), display_name=f"itemId:{item.id}", flags=_item_flags(flags)
        )
        return changed, record

    def _put_body(self, records: Container, parsed: ParsedMail, now: int) -> None:
        owner, domain, guid = records.owner, records.domain, parsed.body.guid
        value, kind = _encode(parsed.body), "message_bodies"
        side = Side(
            type=kind,
            owner=owner,
            uid=guid,
            domain=domain,
            value=value,
            value_class=SIDE_CLASSES[kind],
            created=now,
        )
        self._context.store.put_side(side)
        self._remember(guid, parsed.body.size)
        id_ = hashed_id(guid)
        for name, logged in ((kind, value), (f"{kind}_es_source", _encode(parsed.source))):
            self._context.log_side(
                name, domain, owner, guid, logged, value_class=SIDE_CLASSES[name], created=now, id_=id_
            )

    def _message(self, records: Container, item: Item, record: MailboxRecord) -> Message:
        return Message(
            imap_uid=record.imap_uid,
            item_id=item.id,
            guid=record.message_body,
            flags=tuple(record.flags),
            internal_date=record.internal_date,
            size=self._size(records.owner, record.message_body),
            mod_seq=item.version,
        )

    def _size(self, owner: str, guid: str) -> int:
        known = self._sizes.get(guid)
        if known is None:
            side = self._context.store.side("message_bodies", owner, guid)
            known = _decode_body(side.value).size if side else 0
            if known:
                self._remember(guid, known)
        return known

    def _remember(self, guid: str, size: int) -> None:
        if len(self._sizes) >= _SIZES_KEPT:
            self._sizes.clear()
        self._sizes[guid] = size

    def _inbox(self, address: str) -> str:
        found = self._context.store.find_address(address)
        if found is None:
            raise NotFound(f"no mailbox has the address {address}")
        subtree = self._mailboxes.subtree_of(found[1])
        replicas = self._mailboxes.replicas(subtree)
        return next(
            item.uid for item, replica in replicas if replica.full_name == "INBOX" or not replica.parent_uid
        )

    def _tell(self, event: FolderEvent) -> None:
        for callback in list(self._listeners.get(event.folder_uid, ())):
            asyncio.get_running_loop().call_soon(callback, event)


def _grown(replica: MailboxReplica, imap_uid: int, now: int) -> MailboxReplica:
    """The folder after one more message, with the values a live update has."""
    return _replace(
        replica,
        last_uid=imap_uid,
        highest_mod_seq=imap_uid,
        xconv_mod_seq=imap_uid,
        last_append_date=now,
        recent_time=0,
        pop3_last_login=0,
        data_location=None,
    )


def _folder(uid: str, owner: str, replica: MailboxReplica) -> Folder:
    return Folder(
        uid=uid,
        owner=owner,
        name=replica.name,
        full_name=replica.full_name,
        parent_uid=replica.parent_uid,
        uid_validity=replica.uid_validity,
        last_uid=replica.last_uid,
        highest_mod_seq=replica.highest_mod_seq,
    )


def _item_flags(flags: list[str]) -> tuple[str, ...]:
    """IMAP flags as the envelope has them."""
    return tuple(name for flag, name in _FLAG_NAMES.items() if flag in flags)
