"""One IMAP session's view of folders and messages, over the mail service.

A view keeps the session's sequence numbers: they change only when the client is told (RFC 3501 7.4.1).
"""
# ruff: noqa: N802 - Twisted finds its hooks by its own names

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Email
from email.utils import formatdate
from io import BytesIO

from twisted.mail.imap4 import MessageSet, wildcardToRegexp

from bmswitch.lab.services.mail import Folder, MailService, Message, User

DELIMITER = "/"
FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


class MessageView:
    """One message as Twisted reads it. `load` must have been awaited before anything but uid, flags, date, size."""

    def __init__(self, mail: MailService, message: Message) -> None:
        self._mail = mail
        self._message = message
        self.raw = b""
        self._parsed: Email | None = None

    async def load(self) -> None:
        """Read the body from the object store, once."""
        if self._parsed is None:
            self.raw = await self._mail.fetch_raw(self._message.guid)
            self._parsed = message_from_bytes(self.raw)

    def getUID(self) -> int:
        """IMAP UID."""
        return self._message.imap_uid

    def getFlags(self) -> tuple[str, ...]:
        """Flags as IMAP writes them."""
        return self._message.flags

    def getInternalDate(self) -> str:
        """Date of arrival, RFC 5322."""
        return formatdate(self._message.internal_date / 1000)

    def getSize(self) -> int:
        """RFC822.SIZE in bytes."""
        return len(self.raw) or self._message.size

    def getHeaders(self, negate: bool, *names: str | bytes) -> dict[str, str]:  # noqa: FBT001 - Twisted's interface
        """Headers of that name, or all others when `negate`; repeated ones are joined as further lines."""
        wanted = {(name.decode() if isinstance(name, bytes) else name).lower() for name in names}
        found: dict[str, str] = {}
        for name, value in self._email.items():
            if (name.lower() in wanted) != bool(negate):
                found[name] = f"{found[name]}\r\n{name}: {value}" if name in found else str(value)
        return found

    def getBodyFile(self) -> BytesIO:
        """The bytes after the header."""
        _, _, body = self.raw.replace(b"\r\n", b"\n").partition(b"\n\n")
        return BytesIO(body.replace(b"\n", b"\r\n"))

    def isMultipart(self) -> bool:
        """Parts are not served one by one: every message counts as a single part."""
        return False

    @property
    def _email(self) -> Email:
        if self._parsed is None:
            raise RuntimeError("the message was not loaded")
        return self._parsed


class MailboxView:
    """One selected folder: sequence number n is `uids[n - 1]`."""

    def __init__(self, mail: MailService, folder: Folder, *, writable: bool) -> None:
        self.folder = folder
        self.writable = writable
        self._mail = mail
        self.uids = [message.imap_uid for message in mail.messages(folder.uid)]

    def getFlags(self) -> tuple[str, ...]:
        """Attributes for LIST: none."""
        return ()

    def getHierarchicalDelimiter(self) -> str:
        """Between a folder and its children."""
        return DELIMITER

    def isWriteable(self) -> bool:
        """False after EXAMINE."""
        return self.writable

    def addListener(self, listener: object) -> None:
        """Changes reach the session through the mail service's subscription instead."""

    def removeListener(self, listener: object) -> None:
        """See `addListener`."""

    def getUID(self, sequence: int) -> int:
        """UID of a sequence number."""
        return self.uids[sequence - 1]

    def select(self, messages: MessageSet, *, uid: bool) -> Iterator[tuple[int, int]]:
        """Pairs (sequence number, UID) of a message set; unknown UIDs are skipped, as RFC 3501 6.4.8 wants."""
        messages.last = (max(self.uids, default=0) if uid else len(self.uids)) or 1
        for sequence, imap_uid in enumerate(self.uids, 1):
            if (imap_uid if uid else sequence) in messages:
                yield sequence, imap_uid

    def fetch(self, messages: MessageSet, uid: int) -> list[tuple[int, MessageView]]:
        """Messages of a set that are still there."""
        now = {message.imap_uid: message for message in self._mail.messages(self.folder.uid)}
        chosen = self.select(messages, uid=bool(uid))
        return [(sequence, MessageView(self._mail, now[u])) for sequence, u in chosen if u in now]

    def store(
        self, messages: MessageSet, flags: list[str], mode: int, *, uid: bool
    ) -> dict[int, tuple[str, ...]]:
        """Set (0), add (1) or remove (-1) flags; returns the new flags by sequence number."""
        now = {message.imap_uid: message.flags for message in self._mail.messages(self.folder.uid)}
        changed = {}
        for sequence, imap_uid in self.select(messages, uid=uid):
            if imap_uid in now:
                wanted = _combine(now[imap_uid], flags, mode)
                changed[sequence] = self._mail.set_flags(self.folder.uid, imap_uid, wanted).flags
        return changed

    def expunge(self, only: MessageSet | None) -> list[int]:
        """Expunge what is flagged for it (all, or the UIDs `only`); returns sequence numbers in the order to tell them."""
        uids = None if only is None else [imap_uid for _, imap_uid in self.select(only, uid=True)]
        return self._forget(set(self._mail.expunge(self.folder.uid, uids)))

    def refresh(self) -> tuple[list[int], bool]:
        """Take over what others did: expunged sequence numbers in order, and whether messages came."""
        now = [message.imap_uid for message in self._mail.messages(self.folder.uid)]
        gone = self._forget(set(self.uids) - set(now))
        grown = len(now) > len(self.uids)
        self.uids = now
        return gone, grown

    def _forget(self, gone: set[int]) -> list[int]:
        sequences = [sequence for sequence, imap_uid in enumerate(self.uids, 1) if imap_uid in gone]
        self.uids = [imap_uid for imap_uid in self.uids if imap_uid not in gone]
        return sequences[::-1]


class AccountView:
    """The folders of one user, as Twisted asks for them."""

    def __init__(self, mail: MailService, user: User) -> None:
        self._mail = mail
        self.user = user

    def folder(self, name: str) -> Folder | None:
        """A folder by its full name; INBOX in any case."""
        wanted = "INBOX" if name.upper() == "INBOX" else name
        return next(
            (folder for folder in self._mail.folders(self.user.uid) if folder.full_name == wanted), None
        )

    def select(self, name: str, rw: int = 1) -> MailboxView | None:
        """A view of a folder, None when there is none."""
        folder = self.folder(name)
        return None if folder is None else MailboxView(self._mail, folder, writable=bool(rw))

    def status(self, folder: Folder, names: list[str]) -> dict[str, int]:
        """STATUS items; unknown ones are left out."""
        messages = self._mail.messages(folder.uid)
        values = {
            "MESSAGES": len(messages),
            "RECENT": 0,
            "UNSEEN": sum("\\Seen" not in message.flags for message in messages),
            "UIDNEXT": folder.last_uid + 1,
            "UIDVALIDITY": folder.uid_validity,
        }
        return {name.upper(): values[name.upper()] for name in names if name.upper() in values}

    def listMailboxes(self, ref: str, wildcard: str) -> list[tuple[str, "_Listed"]]:
        """Folders that match a LIST pattern."""
        pattern = wildcardToRegexp(ref + wildcard, DELIMITER)
        return [
            (f.full_name, _Listed()) for f in self._mail.folders(self.user.uid) if pattern.match(f.full_name)
        ]

    def isSubscribed(self, name: str) -> bool:
        """Every folder is."""
        return bool(name)

    def create(self, name: str) -> bool:
        """CREATE."""
        self._mail.create_folder(self.user.uid, name.rstrip(DELIMITER))
        return True


class _Listed:
    """What LIST asks of a folder."""

    def getFlags(self) -> tuple[str, ...]:
        return ()

    def getHierarchicalDelimiter(self) -> str:
        return DELIMITER


def _combine(now: tuple[str, ...], flags: list[str], mode: int) -> tuple[str, ...]:
    if mode == 0:
        return tuple(dict.fromkeys(flags))
    if mode > 0:
        return tuple(dict.fromkeys([*now, *flags]))
    return tuple(flag for flag in now if flag not in flags)
