"""One domain in an empty store, and short ways to feed it records."""

import time
from typing import Any

import msgspec

from bmswitch.lab.restore.context import Context, Reporter
from bmswitch.lab.restore.owners import Owners
from bmswitch.lab.restore.router import Router
from bmswitch.lab.store import DIR_ENTRY_CLASS, Container, Item, Store
from bmswitch.model.records import Envelope, Operation, RecordKey, encode_envelope, encode_key, synthetic_id

DOMAIN = "lab.test"
SUBTREE = "subtree_lab_test!user.u1"
CREATED = 1_700_000_000_000


class Kit:
    """A router with everything around it; `log` holds the task's lines, `owners` those the proxy's topic knows."""

    def __init__(
        self, *, exact: bool = False, owners: tuple[str, ...] = ("u1", "u2", "g1", "r1", "m1")
    ) -> None:
        self.store = Store(":memory:")
        self.store.create_container(Container(uid=DOMAIN, type="dir", owner="system", domain=DOMAIN))
        self.store.bump_id_sequence(1_000_000)
        self.log: list[str] = []
        self.context = Context(self.store, DOMAIN, Reporter(self.log.append), exact=exact)
        self.owners = Owners()
        for uid in owners:
            self.known(uid)
        self.router = Router(self.context, self.owners)
        self.offset = 0

    def known(self, uid: str) -> None:
        """The proxy's topic saw this entry being created."""
        key = RecordKey("dir", "system", DOMAIN, 1, None, Operation.CREATE)
        self.owners.feed(encode_key(key), msgspec.json.encode({"uid": uid}))

    def put(  # noqa: PLR0917 - a record has that many parts, and tests name them by place
        self,
        type_: str,
        owner: str,
        container: str,
        uid: str,
        value: Any,
        number: int | None = None,
        operation: str = "CREATE",
        value_class: str = "",
        version: int = 7,
        flags: tuple[str, ...] = (),
    ) -> None:
        """Feed one CREATE or UPDATE; without a number the id is the hash of the uid."""
        id_ = synthetic_id(uid) if number is None else number
        key = RecordKey(type_, owner, container, id_, value_class, Operation(operation))
        envelope = Envelope(
            value=msgspec.Raw(msgspec.json.encode(value)),
            uid=uid,
            internal_id=id_,
            version=version,
            display_name=uid,
            created_by="somebody",
            updated_by="somebody",
            created=CREATED,
            updated=CREATED if operation == "CREATE" else CREATED + 1,
            flags=flags,
            value_class=value_class,
        )
        self.feed(key, encode_envelope(envelope))

    def delete(self, type_: str, owner: str, container: str, uid: str, number: int) -> None:
        """Feed one DELETE."""
        key = RecordKey(type_, owner, container, number, None, Operation.DELETE)
        self.feed(key, msgspec.json.encode({"uid": uid}))

    def feed(self, key: RecordKey, value: bytes | None) -> None:
        """Feed any record."""
        self.router.apply(encode_key(key), value, 0, self.offset)
        self.offset += 1

    def entry(
        self,
        uid: str,
        kind: str,
        number: int,
        operation: str = "CREATE",
        *,
        system: bool = False,
        **value: Any,
    ) -> None:
        """Feed one directory entry."""
        payload = {
            "entry": {"entryUid": uid, "kind": kind, "displayName": uid, "system": system},
            "vcard": None,
            "mailbox": None,
            "value": value,
        }
        self.put("dir", "system", DOMAIN, uid, payload, number, operation, DIR_ENTRY_CLASS)

    def user(self, uid: str = "u1", number: int = 10, operation: str = "CREATE", **value: Any) -> None:
        """Feed one user."""
        self.entry(uid, "USER", number, operation, **({"login": uid, "password": "1:salt:hash"} | value))

    def folder(self, uid: str, full_name: str, number: int, operation: str = "CREATE", **more: Any) -> None:
        """Feed one folder of u1 with UIDVALIDITY 4711."""
        flags = more.pop("flags", ())
        value = {"name": full_name, "fullName": full_name, "parentUid": None, "uidValidity": 4711} | more
        self.put("replicated_mailboxes", "u1", SUBTREE, uid, value, number, operation, "Replica", flags=flags)

    def mail(
        self, folder: str, imap_uid: int, number: int, guid: str = "b1", operation: str = "CREATE"
    ) -> None:
        """Feed one mail record of u1."""
        value = {"imapUid": imap_uid, "flags": [], "messageBody": guid}
        self.put(
            "mailbox_records",
            "u1",
            f"mbox_records_{folder}",
            f"{imap_uid}.",
            value,
            number,
            operation,
            "Record",
        )

    def item(self, container: str, uid: str) -> Item:
        """An item that must be there."""
        found = self.store.item(container, uid)
        assert found is not None, f"{container}/{uid} is missing"
        return found

    def value(self, container: str, uid: str) -> dict[str, Any]:
        """The payload of an item that must be there."""
        return msgspec.json.decode(self.item(container, uid).value, type=dict[str, Any])

    def side(self, type_: str, owner: str, uid: str) -> dict[str, Any]:
        """A side value that must be there."""
        found = self.store.side(type_, owner, uid)
        assert found is not None, f"{type_} {owner}/{uid} is missing"
        return msgspec.json.decode(found.value, type=dict[str, Any])


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
