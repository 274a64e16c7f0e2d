"""Directory of a domain: users, groups, mailshares, resources, external users, org units."""

import msgspec

from bmswitch.lab.services.context import SYSTEM, Context
from bmswitch.lab.services.entries import KINDS, display_name, normalised, payload
from bmswitch.lab.services.errors import AlreadyExists, Invalid, NotFound
from bmswitch.lab.services.groups import Groups
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.mailboxes import SHARED_FOLDERS, USER_FOLDERS, Mailboxes, reserved, subtree_uid
from bmswitch.lab.services.passwords import hash_password
from bmswitch.lab.services.shapes_directory import (
    DirEntry,
    DirEntryAndValue,
    Entry,
    Group,
    MailFilter,
    Mailshare,
    OrgUnit,
    OrgUnitPath,
    Resource,
    User,
)
from bmswitch.lab.services.shared_hooks import SharedHooks
from bmswitch.lab.services.user_hooks import UserHooks
from bmswitch.lab.store import DIR_ENTRY_CLASS, Item

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(DirEntryAndValue).decode
_replace = msgspec.structs.replace


class Directory:
    """Entries of all domains. Container uid of a domain's directory is the domain's uid."""

    def __init__(
        self,
        context: Context,
        *,
        items: Items,
        mailboxes: Mailboxes,
        users: UserHooks,
        shared: SharedHooks,
        groups: Groups,
    ) -> None:
        self._context = context
        self._items = items
        self._mailboxes = mailboxes
        self._users = users
        self._shared = shared
        self._groups = groups

    def create(self, domain: str, uid: str, kind: str, value: Entry, *, by: str = SYSTEM) -> Item:
        """Add an entry with everything that hangs on it. AlreadyExists for a taken uid or address."""
        context = self._context
        container = self._items.container(domain)
        self._check_addresses(domain, uid, value)
        value = normalised(value, domain, context.site.server_uid)
        with context.write():
            if context.store.item(domain, uid) is not None:
                raise AlreadyExists(f"entry {uid} exists")
            value = self._take_password(domain, uid, value)
            names, subtree = self._folders(domain, uid, value)
            item_id = context.store.next_id()
            ids = self._mailboxes.reserve(names) if names else {}
            self._log_units(domain, value, uid)
            item = self._items.create(
                container,
                uid,
                self._payload(domain, uid, kind, value),
                DIR_ENTRY_CLASS,
                display_name=display_name(value),
                by=by,
                item_id=item_id,
                log_value=self._log_value(domain, uid, kind, value),
                ids=reserved(subtree, ids) if subtree else msgspec.Raw(b"null"),
            )
            self._created(domain, uid, value, ids)
        return item

    def update(self, domain: str, uid: str, kind: str, value: Entry, *, by: str = SYSTEM) -> Item:
        """Change an entry. A password in it is stored; null keeps the one that is there."""
        context = self._context
        container = self._items.container(domain)
        old = self.entry(domain, uid, kind)
        self._check_addresses(domain, uid, value)
        if isinstance(value, OrgUnit) and not context.state.cloning and _parent(old) != value.parent_uid:
            raise Invalid("the parent of an org unit can not be changed")
        value = normalised(value, domain, context.site.server_uid)
        with context.write():
            value = self._take_password(domain, uid, value)
            item = self._items.update(
                container,
                uid,
                self._payload(domain, uid, kind, value, created=False),
                display_name=display_name(value),
                by=by,
                log_value=self._log_value(domain, uid, kind, value, created=False),
            )
            self._shared.sync_card(domain, uid, _decode(item.value))
        return item

    def delete(self, domain: str, uid: str) -> None:
        """Remove an entry; what remains in the log is in change-log.md 3.5."""
        container = self._items.container(domain)
        found = self.find(domain, uid)
        with self._context.write():
            match found.entry.kind:
                case "USER":
                    self._users.deleted(domain, uid)
                    self._groups.left(domain, uid)
                    self._context.store.delete_password(domain, uid)
                case "GROUP":
                    self._groups.deleted(domain, uid)
                case _:
                    self._shared.deleted(domain, uid)
            self._shared.remove_card(domain, uid)
            self._items.delete(container, uid)

    def find(self, domain: str, uid: str) -> DirEntryAndValue:
        """An entry of any kind that has a value. NotFound otherwise."""
        item = self._items.get(domain, uid)
        if item.value_class != DIR_ENTRY_CLASS:
            raise NotFound(f"entry {uid} has no value")
        return _decode(item.value)

    def entry(self, domain: str, uid: str, kind: str) -> Entry:
        """The value of an entry of one kind."""
        found = self.find(domain, uid)
        if found.entry.kind != kind:
            raise NotFound(f"{kind} {uid} not found")
        return msgspec.json.decode(found.value, type=KINDS[kind])

    def dir_entries(self, domain: str) -> list[tuple[Item, DirEntry]]:
        """All entries of a domain as the directory shows them."""
        return [(item, face(item)) for item in self._context.store.items(domain)]

    def set_password(self, domain: str, uid: str, password: str) -> None:
        """Change a password: neither logged nor a new version (change-log.md 5.6), not fenced."""
        self.entry(domain, uid, "USER")
        self._context.store.set_password(domain, uid, hash_password(password), self._context.now())

    def log_value(self, domain: str, uid: str) -> bytes:
        """The payload of an entry's record as it would be written now, password hash included."""
        found = self.find(domain, uid)
        value = msgspec.json.decode(found.value, type=KINDS[found.entry.kind])
        return _encode(_replace(found, value=msgspec.Raw(_encode(self._with_hash(domain, uid, value)))))

    # ---- inner

    def _created(self, domain: str, uid: str, value: Entry, ids: dict[str, int]) -> None:
        match value:
            case User():
                self._users.created(domain, uid, value, ids)
                self._groups.join_default(domain, uid)
            case Mailshare():
                self._shared.mailshare_created(domain, uid, value, ids)
            case Resource():
                self._shared.resource_created(domain, uid, value, ids)
            case Group():
                self._shared.filter(domain, uid, MailFilter())
            case _:
                pass
        self._shared.sync_card(domain, uid, self.find(domain, uid))

    def _folders(self, domain: str, uid: str, value: Entry) -> tuple[list[str], str]:
        """Full names of the default folders whose ids are taken beforehand, and the subtree they are in."""
        match value:
            case User():
                return list(USER_FOLDERS), subtree_uid(domain, uid, user=True)
            case Mailshare() | Resource():
                name = value.name if isinstance(value, Mailshare) else uid.lower()
                names = [f"{name}/{folder}" if folder else name for folder in SHARED_FOLDERS]
                return names, subtree_uid(domain, uid, user=False)
            case Group():
                return [], subtree_uid(domain, uid, user=False)
            case _:
                return [], ""

    def _payload(self, domain: str, uid: str, kind: str, value: Entry, *, created: bool = True) -> bytes:
        if isinstance(value, User):
            value = _replace(value, password=None)
        return _encode(
            payload(uid, domain, kind, value, org_unit=self._unit_path(domain, value), created=created)
        )

    def _log_value(self, domain: str, uid: str, kind: str, value: Entry, *, created: bool = True) -> bytes:
        value = self._with_hash(domain, uid, value)
        return _encode(
            payload(uid, domain, kind, value, org_unit=self._unit_path(domain, value), created=created)
        )

    def _with_hash(self, domain: str, uid: str, value: Entry) -> Entry:
        if not isinstance(value, User):
            return value
        return _replace(value, password=self._context.store.password(domain, uid))

    def _take_password(self, domain: str, uid: str, value: Entry) -> Entry:
        if not isinstance(value, User):
            return value
        now = self._context.now()
        if value.password:
            self._context.store.set_password(domain, uid, hash_password(value.password), now)
        changed = self._context.store.password_changed(domain, uid)
        return _replace(value, password=None, password_last_change=changed)

    def _unit_path(self, domain: str, value: Entry) -> OrgUnitPath | None:
        unit = value.parent_uid if isinstance(value, OrgUnit) else value.org_unit_uid
        if unit is None:
            return None
        found = self.entry(domain, unit, "ORG_UNIT")
        if not isinstance(found, OrgUnit):
            raise NotFound(f"org unit {unit} not found")
        return OrgUnitPath(uid=unit, name=found.name, parent=self._unit_path(domain, found))

    def _log_units(self, domain: str, value: Entry, uid: str) -> None:
        """The chain of org units, root first, as copies in the new entry's partition (change-log.md 2)."""
        if isinstance(value, OrgUnit):
            return
        chain: list[str] = []
        path = self._unit_path(domain, value)
        while path is not None:
            chain.insert(0, path.uid)
            path = path.parent
        container = self._items.container(domain)
        for unit in chain:
            self._context.log_item(_replace(container, owner=uid), self._items.get(domain, unit))

    def _check_addresses(self, domain: str, uid: str, value: Entry) -> None:
        if isinstance(value, OrgUnit):
            return
        addresses = [email.address for email in value.emails]
        if isinstance(value, User):
            addresses.append(f"{value.login}@{domain}")
        for address in addresses:
            owner = self._context.store.find_address(address)
            if owner is not None and owner != (domain, uid):
                raise AlreadyExists(f"address {address} is used by another entry")


def face(item: Item) -> DirEntry:
    """The directory's view of an entry with or without a value."""
    if item.value_class == DIR_ENTRY_CLASS:
        return _decode(item.value).entry
    return msgspec.json.decode(item.value, type=DirEntry)


def _parent(value: Entry) -> str | None:
    return value.parent_uid if isinstance(value, OrgUnit) else None
