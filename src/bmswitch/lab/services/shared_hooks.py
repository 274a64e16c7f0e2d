"""What hangs on entries that are no users: shared mailboxes, resources, and everybody's card in the domain's book."""

import msgspec

from bmswitch.lab.services.containers import Containers
from bmswitch.lab.services.context import Context
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.mailboxes import Mailboxes
from bmswitch.lab.services.shapes import CLASSES
from bmswitch.lab.services.shapes_directory import DirEntryAndValue, MailFilter, Mailshare, Resource
from bmswitch.lab.services.sides import Sides
from bmswitch.lab.store import Ace, Container

_encode = msgspec.json.encode


class SharedHooks:
    """Side effects of the directory beside a user's own."""

    def __init__(
        self, context: Context, items: Items, containers: Containers, mailboxes: Mailboxes, sides: Sides
    ) -> None:
        self._context = context
        self._items = items
        self._containers = containers
        self._mailboxes = mailboxes
        self._sides = sides

    def filter(self, domain: str, uid: str, mail_filter: MailFilter) -> None:
        """Give a new mailbox its rules."""
        self._sides.set_filter(domain, uid, mail_filter)

    def mailshare_created(self, domain: str, uid: str, share: Mailshare, ids: dict[str, int]) -> None:
        """Rights, folders and filter of a shared mailbox; members of the domain may write."""
        acl = self._mailboxes.create_acl_container(domain, uid, share.name)
        self._mailboxes.create_shared(domain, uid, share.name, ids)
        self._containers.set_acl(acl.uid, [Ace(f"{domain}_user_group", "Write")])
        self.filter(domain, uid, MailFilter())

    def resource_created(self, domain: str, uid: str, resource: Resource, ids: dict[str, int]) -> None:
        """Rights, folders, filter and calendar of a resource."""
        self._mailboxes.create_acl_container(domain, uid, uid.lower())
        self._mailboxes.create_shared(domain, uid, uid.lower(), ids)
        self.filter(domain, uid, MailFilter())
        calendar = Container(
            uid=f"calendar:{uid}",
            type="calendar",
            owner=uid,
            domain=domain,
            name=resource.label,
            default=True,
        )
        self._containers.create(calendar)
        self._containers.set_acl(calendar.uid, [Ace(domain, "Invitation")])

    def deleted(self, domain: str, uid: str) -> None:
        """Remove the containers of an entry."""
        for container in self._context.store.containers(owner=uid, domain=domain):
            if container.type != "container_flat_hierarchy":
                self._containers.delete(container.uid)
        self._context.store.delete_container(f"container_flat_hierarchy_{uid}_at_{domain}")

    def sync_card(self, domain: str, uid: str, found: DirEntryAndValue) -> None:
        """Keep the entry's card in the domain's address book; hidden entries have none."""
        book = self._context.store.container(f"addressbook_{domain}")
        if book is None:
            return
        if found.vcard is None or found.entry.hidden:
            self.remove_card(domain, uid)
            return
        value, name = _encode(found.vcard), found.entry.display_name
        old = self._context.store.item(book.uid, uid)
        if old is None:
            self._items.create(book, uid, value, CLASSES["addressbook"], display_name=name)
        elif old.value != value:
            self._items.update(book, uid, value, display_name=name)

    def remove_card(self, domain: str, uid: str) -> None:
        """Take the entry's card out of the domain's address book."""
        book = self._context.store.container(f"addressbook_{domain}")
        if book is not None and self._context.store.item(book.uid, uid) is not None:
            self._items.delete(book, uid)
