"""Keys and values as bytes, by templates: a log of millions of records is made in minutes."""

import hashlib

import msgspec

DOMAIN, ORPHANS = False, True
Made = tuple[bool, str, bytes, bytes | None]
"""Whether it is of the orphans' topic, what chooses the partition, key, value."""

_KEY = b'{"type":"%b","owner":"%b","uid":"%b","id":%d,"valueClass":"%b","operation":"%b"}'
_ITEM = (
    b'{"value":%b,"uid":%b,"internalId":%d,"version":%d,"displayName":%b,"externalId":null,"createdBy":"%b","updatedBy":"%b",'
    b'"created":%d,"updated":%d,"flags":%b,"producedBy":"5.0.0","valueClass":"%b","ids":null}'
)
_SIDE = (
    b'{"value":%b,"uid":%b,"internalId":%d,"version":0,"displayName":null,"externalId":null,"createdBy":null,"updatedBy":null,'
    b'"created":%d,"updated":null,"flags":[],"producedBy":"5.0.0","valueClass":"%b","ids":null}'
)
CREATE, UPDATE, DELETE = b"CREATE", b"UPDATE", b"DELETE"
text = msgspec.json.Encoder().encode
"""A text as JSON, quotes included."""


def number_of(uid: bytes) -> int:
    """An id for a synthetic item: 64 bits of a hash of its uid, though not BlueMind's (change-log.md 3.2)."""
    return int.from_bytes(hashlib.blake2b(uid, digest_size=8).digest(), "little", signed=True)


class Kind:
    """One type of records; `owner` and `container` are given with each record."""

    def __init__(self, name: str, value_class: str) -> None:
        self.name, self.value_class = name.encode(), value_class.encode()

    def key(self, owner: bytes, container: bytes, number: int, operation: bytes) -> bytes:
        """The key's bytes."""
        return _KEY % (self.name, owner, container, number, self.value_class, operation)

    def item(
        self,
        owner: bytes,
        container: bytes,
        uid: bytes,
        number: int,
        payload: bytes,
        *,
        created: int,
        updated: int | None = None,
        version: int = 1,
        name: bytes = b"null",
        flags: bytes = b"[]",
        by: bytes = b"system",
    ) -> tuple[bytes, bytes]:
        """Key and value of an item of a real container. `uid` and `name` are JSON texts; with `updated` it is an UPDATE."""
        now = created if updated is None else updated
        value = _ITEM % (
            payload, uid, number, version, name, by, by, created, now, flags, self.value_class,
        )  # fmt: skip
        return self.key(owner, container, number, CREATE if updated is None else UPDATE), value

    def side(
        self,
        owner: bytes,
        container: bytes,
        uid: bytes,
        payload: bytes,
        *,
        now: int,
        operation: bytes = CREATE,
        number: int | None = None,
    ) -> tuple[bytes, bytes]:
        """Key and value of a synthetic item."""
        number = number_of(uid) if number is None else number
        value = _SIDE % (payload, uid, number, now, self.value_class)
        return self.key(owner, container, number, operation), value

    def deletion(
        self, owner: bytes, container: bytes, uid: bytes, number: int
    ) -> list[tuple[bytes, bytes | None]]:
        """The three records of a deletion (change-log.md 3.3)."""
        return [
            (self.key(owner, container, number, DELETE), b'{"uid":%b}' % uid),
            (self.key(owner, container, number, UPDATE), None),
            (self.key(owner, container, number, CREATE), None),
        ]


def _dto(name: str) -> str:
    return f"net.bluemind.core.backup.continuous.dto.{name}"


ENTRY = Kind("dir", "net.bluemind.directory.service.DirEntryAndValue")
SETTINGS = Kind("dir", "net.bluemind.user.api.UserSettings")
META = Kind("containers_meta", _dto("ContainerMetadata"))
NODE = Kind("container_flat_hierarchy", "net.bluemind.core.container.api.ContainerHierarchyNode")
SUBSCRIPTION = Kind("owner_subscriptions", "net.bluemind.core.container.api.ContainerSubscriptionModel")
FOLDER = Kind("replicated_mailboxes", "net.bluemind.backend.mail.replica.api.MailboxReplica")
RECORD = Kind("mailbox_records", "net.bluemind.backend.mail.replica.api.MailboxRecord")
BODY = Kind("message_bodies", "net.bluemind.backend.mail.api.MessageBody")
SEARCH = Kind("message_bodies_es_source", _dto("IndexedMessageBodyDTO"))
IDENTITY = Kind("userMailIdentities", "net.bluemind.user.api.UserMailIdentity")
FILTER = Kind("mailfilters", _dto("MailboxMailFilter"))
ROLE = Kind("role", _dto("DirEntryRole"))
MEMBERSHIP = Kind("memberships", _dto("GroupMembership"))
CARD = Kind("addressbook", "net.bluemind.addressbook.api.VCard")
EVENT = Kind("calendar", "net.bluemind.calendar.api.VEventSeries")
VIEW = Kind("calendarview", "net.bluemind.calendar.api.CalendarView")
WEBDATA = Kind("webappdata", "net.bluemind.webappdata.api.WebAppData")
SEQUENCE = Kind("container_item_id_seq", _dto("ContainerItemIdSeq"))
SERVER = Kind("installation", "net.bluemind.server.api.Server")
CORE_TOKEN = Kind("installation", _dto("CoreTok"))
DOMAIN_KIND = Kind("domains", "net.bluemind.domain.api.Domain")
SYSCONF = Kind("sysconf", "net.bluemind.system.api.SystemConf")
