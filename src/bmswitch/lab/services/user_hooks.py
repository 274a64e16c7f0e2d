"""Default containers of a user, created and removed in the order of the real log (change-log.md 6, "a user's life")."""

import msgspec

from bmswitch.lab.services.containers import Containers, hierarchy_uid, node_uid
from bmswitch.lab.services.context import Context
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.mailboxes import Mailboxes
from bmswitch.lab.services.shapes import CLASSES, CalendarView
from bmswitch.lab.services.shapes_directory import MailFilter, User, UserMailIdentity
from bmswitch.lab.services.sides import Sides
from bmswitch.lab.store import Ace, Container

_encode = msgspec.json.encode

_DEFAULT_RULES = [
    msgspec.Raw(
        b'{"client":"bluemind","type":"VACATION","trigger":"IN","deferred":false,"active":false,"name":"",'
        b'"clientProperties":{},"conditions":[],"actions":[],"stop":false}'
    ),
    msgspec.Raw(
        b'{"client":"bluemind","type":"FORWARD","trigger":"IN","deferred":false,"active":false,"name":"",'
        b'"clientProperties":{},"conditions":[],"actions":[{"name":"REDIRECT","clientProperties":{},"emails":[],'
        b'"keepCopy":false}],"stop":false}'
    ),
]
_DELETE_ORDER = (
    "addressbook", "calendar", "calendarview", "freebusy", "deferredaction", "notes", "todolist", "webappdata", "device",
    "tags", "mailboxacl", "mailbox_records", "replicated_mailboxes",
)  # fmt: skip


class UserHooks:
    """What the creation and the deletion of a user set off."""

    def __init__(
        self, context: Context, items: Items, containers: Containers, mailboxes: Mailboxes, sides: Sides
    ) -> None:
        self._context = context
        self._items = items
        self._containers = containers
        self._mailboxes = mailboxes
        self._sides = sides

    def created(self, domain: str, uid: str, user: User, ids: dict[str, int]) -> None:
        """Mailbox, identity, filter, then one container after the other."""
        acl = self._mailboxes.create_acl_container(domain, uid, user.login)
        self._mailboxes.create_user(domain, uid, user.login, ids)
        self._identity_and_filter(domain, uid, user)
        self._books(domain, uid)
        self._calendars(domain, uid, user)
        self._containers.subscribe(uid, acl)
        self._lists(domain, uid)
        self._sides.set_roles(domain, uid, "USER", ["hasSimpleVideoconferencing"])
        self._containers.subscribe(
            uid,
            self._make(domain, uid, "webappdata", f"webappdata:{uid}", f"webappdata:{uid}", default=False),
        )

    def deleted(self, domain: str, uid: str) -> None:
        """Subscriptions and nodes go, then the containers; their items leave no record (change-log.md 3.5)."""
        owned = self._context.store.containers(owner=uid, domain=domain)
        for kind in _DELETE_ORDER:
            for container in owned:
                if container.type == kind:
                    self._remove(container)
        for container in owned:
            self._context.store.delete_container(container.uid)

    def _remove(self, container: Container) -> None:
        if container.type == "calendarview":
            for item in self._context.store.items(container.uid):
                self._items.delete(container, item.uid)
        if container.type == "mailboxacl":
            self._containers.set_acl(container.uid, [])
        self._containers.unsubscribe(container.owner, container)
        tree = self._context.store.container(hierarchy_uid(container.owner, container.domain))
        if tree is not None and self._context.store.item(tree.uid, node_uid(container)) is not None:
            self._items.delete(tree, node_uid(container))

    def _make(
        self, domain: str, uid: str, kind: str, container_uid: str, name: str, *, default: bool = True
    ) -> Container:
        return self._containers.create(
            Container(uid=container_uid, type=kind, owner=uid, domain=domain, name=name, default=default)
        )

    def _identity_and_filter(self, domain: str, uid: str, user: User) -> None:
        name = user.contact_infos.display_name
        identity = UserMailIdentity(
            email=user.default_email, displayname=name, name=name, is_default=True, mailbox_uid=uid
        )
        self._sides.put("userMailIdentities", domain, uid, "default", _encode(identity))
        self._sides.set_filter(domain, uid, MailFilter(rules=_DEFAULT_RULES))

    def _books(self, domain: str, uid: str) -> None:
        subscriptions = Container(
            uid=f"owner_subscriptions_{uid}_at_{domain}", type="owner_subscriptions", owner=uid, domain=domain,
            name=f"{uid}@{domain} subscriptions", default=True, data_location=self._context.site.server_uid,
        )  # fmt: skip
        self._containers.create(subscriptions)
        contacts = self._make(domain, uid, "addressbook", f"book:Contacts_{uid}", "$$mycontacts$$")
        collected = self._make(
            domain,
            uid,
            "addressbook",
            f"book:CollectedContacts_{uid}",
            "$$collected_contacts$$",
            default=False,
        )
        for book in (contacts, collected):
            self._containers.set_acl(book.uid, [Ace(uid, "Write")])
        for book in (contacts, collected):
            self._containers.subscribe(uid, book)
        shared = self._context.store.container(f"addressbook_{domain}")
        if shared is not None:
            self._containers.subscribe(uid, shared, offline=False)

    def _calendars(self, domain: str, uid: str, user: User) -> None:
        name = user.contact_infos.display_name or user.login
        calendar = self._make(domain, uid, "calendar", f"calendar:Default:{uid}", name)
        self._containers.subscribe(uid, calendar)
        self._containers.set_acl(calendar.uid, [Ace(uid, "All"), Ace(domain, "Invitation")])
        views = self._make(domain, uid, "calendarview", f"calendarview:{uid}", name)
        self._containers.set_acl(views.uid, [Ace(uid, "All")])
        view = CalendarView(label="$$calendarhome$$", calendars=[calendar.uid])
        self._items.create(views, "default", _encode(view), CLASSES["calendarview"], display_name=view.label)
        busy = self._make(domain, uid, "freebusy", f"freebusy:{uid}", "freebusy container")
        self._containers.set_acl(busy.uid, [Ace(uid, "All"), Ace(domain, "Read")])
        self._make(domain, uid, "deferredaction", f"deferredaction-{uid}", f"deferredaction-{uid}")
        device = self._make(domain, uid, "device", f"device:{uid}", "device")
        self._containers.set_acl(device.uid, [Ace(uid, "All")])

    def _lists(self, domain: str, uid: str) -> None:
        notes = self._make(domain, uid, "notes", f"notes:default_{uid}", "$$mynotes$$")
        self._containers.subscribe(uid, notes)
        tags = self._make(domain, uid, "tags", f"tags_{uid}", "tags of user null", default=False)
        self._containers.set_acl(tags.uid, [Ace(uid, "All")])
        todos = self._make(domain, uid, "todolist", f"todolist:default_{uid}", "$$mytasks$$")
        self._containers.set_acl(todos.uid, [Ace(uid, "Write")])
        self._containers.subscribe(uid, todos)
