"""A mail service in memory, and the fronts on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from bmswitch.lab.mail.fronts import Fronts, start_fronts
from bmswitch.lab.services.errors import NotFound, NotWritable
from bmswitch.lab.services.mail import Folder, FolderEvent, MailService, Message, User
from bmswitch.lab.site import StandIn

ADDRESS = "127.0.0.1"


class FakeMail(MailService):
    """Users (uid to password) with INBOX and Sent. `append_gate` holds an append until it is set."""

    def __init__(self, users: dict[str, str], domain: str) -> None:
        self.core_running = True
        self.writable = True
        self.append_gate: asyncio.Event | None = None
        self.users = users
        self.domain = domain
        self.uid_validity = 777
        self.boxes: dict[str, dict[int, tuple[Message, bytes]]] = {}
        self.last: dict[str, int] = {}
        self.listeners: list[tuple[str, Callable[[FolderEvent], None]]] = []
        for user, password in list(users.items()):
            self.add_user(user, password)

    def add_user(self, uid: str, password: str) -> None:
        """A user with two empty folders."""
        self.users[uid] = password
        for name in ("INBOX", "Sent"):
            self.boxes.setdefault(f"{uid}:{name}", {})
            self.last.setdefault(f"{uid}:{name}", 0)

    @property
    def running(self) -> bool:
        return self.core_running

    async def authenticate(self, login: str, password: str) -> User | None:
        await asyncio.sleep(0)
        uid, _, domain = login.partition("@")
        good = domain == self.domain and self.users.get(uid) == password
        return User(uid=uid, domain=domain, login=uid, display_name=uid) if good else None

    def folders(self, user_uid: str) -> list[Folder]:
        return [self.folder(uid) for uid in self.boxes if uid.startswith(f"{user_uid}:")]

    def folder(self, folder_uid: str) -> Folder:
        owner, _, name = folder_uid.partition(":")
        return Folder(
            uid=folder_uid,
            owner=owner,
            name=name,
            full_name=name,
            parent_uid=None,
            uid_validity=self.uid_validity,
            last_uid=self.last[folder_uid],
            highest_mod_seq=0,
        )

    def create_folder(self, user_uid: str, full_name: str) -> Folder:
        uid = f"{user_uid}:{full_name}"
        self.boxes[uid], self.last[uid] = {}, 0
        return self.folder(uid)

    async def append(
        self,
        user_uid: str,
        folder_uid: str,
        raw: bytes,
        flags: tuple[str, ...] = (),
        internal_date: int | None = None,
    ) -> int:
        assert folder_uid.startswith(f"{user_uid}:")
        self._fence()
        if self.append_gate is not None:
            await self.append_gate.wait()
        self.last[folder_uid] += 1
        imap_uid = self.last[folder_uid]
        message = Message(
            imap_uid=imap_uid,
            item_id=imap_uid,
            guid=f"{folder_uid}:{imap_uid}",
            flags=flags,
            internal_date=internal_date if internal_date is not None else int(time.time() * 1000),
            size=len(raw),
            mod_seq=imap_uid,
        )
        self.boxes[folder_uid][imap_uid] = (message, raw)
        self._tell(FolderEvent("added", folder_uid, imap_uid))
        return imap_uid

    def messages(self, folder_uid: str) -> list[Message]:
        return [message for message, _ in self.boxes[folder_uid].values()]

    async def fetch_raw(self, guid: str) -> bytes:
        await asyncio.sleep(0)
        folder_uid, _, imap_uid = guid.rpartition(":")
        return self.boxes[folder_uid][int(imap_uid)][1]

    def set_flags(self, folder_uid: str, imap_uid: int, flags: tuple[str, ...]) -> Message:
        self._fence()
        message, raw = self.boxes[folder_uid][imap_uid]
        changed = msgspec.structs.replace(message, flags=flags)
        self.boxes[folder_uid][imap_uid] = (changed, raw)
        self._tell(FolderEvent("flags", folder_uid, imap_uid))
        return changed

    def expunge(self, folder_uid: str, imap_uids: list[int] | None = None) -> list[int]:
        self._fence()
        box = self.boxes[folder_uid]
        flagged = [imap_uid for imap_uid, (message, _) in box.items() if "\\Deleted" in message.flags]
        gone = [imap_uid for imap_uid in flagged if imap_uids is None or imap_uid in imap_uids]
        for imap_uid in gone:
            del box[imap_uid]
            self._tell(FolderEvent("expunged", folder_uid, imap_uid))
        return gone

    async def deliver(self, rcpt_address: str, raw: bytes) -> int:
        if not self.knows(rcpt_address):
            raise NotFound(rcpt_address)
        uid = rcpt_address.partition("@")[0]
        return await self.append(uid, f"{uid}:INBOX", raw)

    def knows(self, rcpt_address: str) -> bool:
        uid, _, domain = rcpt_address.partition("@")
        return domain == self.domain and uid in self.users

    def subscribe(self, folder_uid: str, callback: Callable[[FolderEvent], None]) -> Callable[[], None]:
        entry = (folder_uid, callback)
        self.listeners.append(entry)
        return lambda: self.listeners.remove(entry)

    def _fence(self) -> None:
        if not self.writable:
            raise NotWritable

    def _tell(self, event: FolderEvent) -> None:
        for folder_uid, callback in list(self.listeners):
            if folder_uid == event.folder_uid:
                callback(event)


@asynccontextmanager
async def running(mail: MailService) -> AsyncIterator[Fronts]:
    """The fronts on free ports."""
    site = StandIn(
        name="blue",
        version="5.0",
        installation_id="bluemind-0",
        address=ADDRESS,
        http_port=0,
        kafka_bootstrap="",
        data_dir="",
        etc_dir="",
    )
    fronts = await start_fronts(site, mail)
    try:
        yield fronts
    finally:
        await fronts.stop()
