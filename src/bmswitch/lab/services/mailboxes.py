"""Mail folders of a mailbox: the subtree, its default folders with derived uids, their containers (change-log.md 7.2)."""

import msgspec

from bmswitch.lab.services.containers import Containers
from bmswitch.lab.services.context import SYSTEM, Context
from bmswitch.lab.services.errors import AlreadyExists, NotFound
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.shapes import CLASSES
from bmswitch.lab.services.shapes_mail import MailboxReplica
from bmswitch.lab.store import Container, Item
from bmswitch.model.murmur import default_folder_uid

USER_FOLDERS = ("INBOX", "Sent", "Trash", "Drafts", "Junk", "Outbox", "Templates")
SHARED_FOLDERS = ("", "Sent", "Trash")
SUBTREE = "replicated_mailboxes"
RECORDS = "mailbox_records"

_decode = msgspec.json.Decoder(MailboxReplica).decode
_encode = msgspec.json.encode


class Dependency(msgspec.Struct, frozen=True):
    """A folder's item id that was taken before the folder exists."""

    key: str
    id: int


class _Ids(msgspec.Struct, frozen=True):
    deps: list[Dependency]


class Mailboxes:
    """Creates mailboxes and folders of one core."""

    def __init__(self, context: Context, items: Items, containers: Containers) -> None:
        self._context = context
        self._items = items
        self._containers = containers

    def reserve(self, names: list[str]) -> dict[str, int]:
        """Take item ids for the default folders of a new mailbox: full name -> id."""
        first = self._context.store.next_id(len(names))
        return {name: first + index for index, name in enumerate(names)}

    def create_acl_container(self, domain: str, owner: str, name: str) -> Container:
        """The container that carries a mailbox's rights."""
        return self._containers.create(
            Container(
                uid=f"mailbox:acls-{owner}",
                type="mailboxacl",
                owner=owner,
                domain=domain,
                name=name,
                default=True,
            )
        )

    def create_user(self, domain: str, owner: str, login: str, ids: dict[str, int]) -> None:
        """Subtree and default folders of a user."""
        subtree = self._subtree(subtree_uid(domain, owner, user=True), owner, domain, f"users/{login}")
        for folder in USER_FOLDERS:
            uid = default_folder_uid(f"user.{owner}", domain, folder)
            self._create_folder(subtree, uid, folder, parent=None, item_id=ids.get(folder, 0))

    def create_shared(self, domain: str, owner: str, name: str, ids: dict[str, int]) -> None:
        """Subtree, root, Sent and Trash of a shared mailbox."""
        subtree = self._subtree(subtree_uid(domain, owner, user=False), owner, domain, f"shared/{name}")
        root = default_folder_uid(owner, domain, "")
        for folder in SHARED_FOLDERS:
            full = f"{name}/{folder}" if folder else name
            uid = default_folder_uid(owner, domain, folder)
            self._create_folder(subtree, uid, full, parent=root if folder else None, item_id=ids.get(full, 0))

    def create_folder(self, owner: str, full_name: str, uid: str) -> Item:
        """A further folder; its parent must exist, its name must be free."""
        subtree = self.subtree_of(owner)
        by_name = {replica.full_name: item.uid for item, replica in self.replicas(subtree)}
        if full_name in by_name:
            raise AlreadyExists(f"folder {full_name} exists")
        parent = full_name.rpartition("/")[0]
        if parent and parent not in by_name:
            raise NotFound(f"folder {parent} not found")
        return self._create_folder(subtree, uid, full_name, parent=by_name.get(parent))

    def subtree_of(self, owner: str) -> Container:
        """The subtree of a mailbox. NotFound when it has none."""
        found = self._context.store.containers(owner=owner, type=SUBTREE)
        if not found:
            raise NotFound(f"mailbox {owner} not found")
        return found[0]

    def replicas(self, subtree: Container) -> list[tuple[Item, MailboxReplica]]:
        """All folders of a subtree with their values."""
        return [(item, _decode(item.value)) for item in self._context.store.items(subtree.uid)]

    def find(self, folder_uid: str) -> tuple[Container, Container, Item, MailboxReplica]:
        """(subtree, records container, item, value) of a folder. NotFound when it is not there."""
        records = self._context.store.container(f"mbox_records_{folder_uid}")
        if records is not None:
            subtree = self.subtree_of(records.owner)
            item = self._context.store.item(subtree.uid, folder_uid)
            if item is not None:
                return subtree, records, item, _decode(item.value)
        raise NotFound(f"folder {folder_uid} not found")

    def update(self, subtree: Container, uid: str, replica: MailboxReplica, *, by: str = SYSTEM) -> Item:
        """Write a folder's counters or name."""
        return self._items.update(subtree, uid, _encode(replica), display_name=replica.name, by=by)

    def delete_folder(self, subtree: Container, uid: str) -> None:
        """Remove a folder; its messages stay in the log (change-log.md 3.5)."""
        with self._context.write():
            self._items.delete(subtree, uid)
            self._containers.delete(f"mbox_records_{uid}")

    def _subtree(self, uid: str, owner: str, domain: str, name: str) -> Container:
        return self._containers.create(
            Container(uid=uid, type=SUBTREE, owner=owner, domain=domain, name=name, default=True)
        )

    def _create_folder(
        self, subtree: Container, uid: str, full_name: str, *, parent: str | None, item_id: int = 0
    ) -> Item:
        name = full_name.rpartition("/")[2]
        records = self._containers.create(
            Container(
                uid=f"mbox_records_{uid}", type=RECORDS, owner=subtree.owner, domain=subtree.domain, name=name
            )
        )
        replica = MailboxReplica(
            name=name,
            full_name=full_name,
            parent_uid=parent,
            uid_validity=records.id,
            data_location=self._context.site.server_uid,
        )
        return self._items.create(
            subtree, uid, _encode(replica), CLASSES[SUBTREE], display_name=name, item_id=item_id
        )


def subtree_uid(domain: str, owner: str, *, user: bool) -> str:
    """Container uid of a mailbox's folders."""
    return f"subtree_{domain.replace('.', '_')}!{'user.' if user else ''}{owner}"


def reserved(subtree: str, ids: dict[str, int]) -> msgspec.Raw:
    """The `ids` field of a new mailbox's directory record (change-log.md 4)."""
    deps = [Dependency(key=f"{subtree}:{name}", id=number) for name, number in ids.items()]
    return msgspec.Raw(_encode(_Ids(deps=deps)))
