"""Containers with what BlueMind's hooks make around them: metadata record, hierarchy node, subscription."""

import msgspec

from bmswitch.lab.services.cards import Shape
from bmswitch.lab.services.context import SYSTEM, Context
from bmswitch.lab.services.errors import AlreadyExists, NotFound
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.shapes import CLASSES, SIDE_CLASSES, HierarchyNode, Subscription50, Subscription51
from bmswitch.lab.services.shapes_directory import AclEntry, Descriptor50, Descriptor51
from bmswitch.lab.store import Ace, Container

META = "containers_meta"
HIERARCHY = "container_flat_hierarchy"
SUBSCRIPTIONS = "owner_subscriptions"

_encode = msgspec.json.encode


class _Meta50(Shape, frozen=True, kw_only=True):
    cont_desc: Descriptor50
    acls: list[AclEntry]
    settings: dict[str, str]


class _Meta51(Shape, frozen=True, kw_only=True):
    cont_desc: Descriptor51
    acls: list[AclEntry]
    settings: dict[str, str]


class Containers:
    """Creates, changes and removes containers of one core."""

    def __init__(self, context: Context, items: Items) -> None:
        self._context = context
        self._items = items
        self._modern = context.site.version != "5.0"

    def create(self, container: Container, *, hierarchy: bool = True) -> Container:
        """Add a container, log its metadata, put it into its owner's hierarchy."""
        context = self._context
        with context.write():
            if context.store.container(container.uid) is not None:
                raise AlreadyExists(f"container {container.uid} exists")
            made = context.store.create_container(container)
            self._log_meta(made, created=context.now(), default=made.default)
            if hierarchy:
                self.add_node(made)
        return made

    def add_node(self, container: Container) -> None:
        """Put a container into the flat hierarchy of its owner, which is made at first use."""
        uid = hierarchy_uid(container.owner, container.domain)
        tree = self._context.store.container(uid) or self._context.store.create_container(
            Container(
                uid=uid,
                type=HIERARCHY,
                owner=container.owner,
                domain=container.domain,
                name=uid,
                default=True,
            )
        )
        node = HierarchyNode(container_uid=container.uid, container_type=container.type, name=container.name)
        self._items.create(
            tree,
            node_uid(container),
            _encode(node),
            CLASSES[HIERARCHY],
            display_name=container.name,
            by=SYSTEM,
        )

    def subscribe(self, subject: str, container: Container, *, offline: bool = True) -> None:
        """Subscribe somebody to a container; a second time changes nothing."""
        uid = f"owner_subscriptions_{subject}_at_{container.domain}"
        target = self._context.store.container(uid)
        item_uid = subscription_uid(subject, container.uid)
        if target is None or self._context.store.item(uid, item_uid) is not None:
            return
        if self._modern:
            value = _encode(
                Subscription51(
                    container_uid=container.uid, offline_sync=offline, automount=True, container_type=container.type,
                    owner=container.owner, default_container=container.default, name=container.name,
                )
            )  # fmt: skip
        else:
            value = _encode(
                Subscription50(
                    container_uid=container.uid, offline_sync=offline, container_type=container.type,
                    owner=container.owner, default_container=container.default, name=container.name,
                )
            )  # fmt: skip
        self._items.create(target, item_uid, value, CLASSES[SUBSCRIPTIONS], display_name=container.uid)

    def unsubscribe(self, subject: str, container: Container) -> None:
        """End a subscription, if there is one."""
        uid = f"owner_subscriptions_{subject}_at_{container.domain}"
        target = self._context.store.container(uid)
        item_uid = subscription_uid(subject, container.uid)
        if target is not None and self._context.store.item(uid, item_uid) is not None:
            self._items.delete(target, item_uid)

    def set_acl(self, uid: str, acls: list[Ace]) -> None:
        """Replace the access control list."""
        self._change(uid, acls=acls)

    def set_settings(self, uid: str, settings: dict[str, str]) -> None:
        """Replace the settings."""
        self._change(uid, settings=settings)

    def rename(self, uid: str, name: str) -> None:
        """Change the name: not logged as such, the hierarchy's node follows (clone-and-api.md 3.7)."""
        with self._context.write():
            container = self._items.container(uid)
            self._context.store.update_container(uid, name=name)
            tree = self._context.store.container(hierarchy_uid(container.owner, container.domain))
            if tree is not None and self._context.store.item(tree.uid, node_uid(container)) is not None:
                node = HierarchyNode(container_uid=uid, container_type=container.type, name=name)
                self._items.update(tree, node_uid(container), _encode(node), display_name=name)

    def delete(self, uid: str, *, log_meta: bool = True) -> None:
        """Remove a container: subscription and node are logged, its items never (change-log.md 3.5)."""
        with self._context.write():
            container = self._items.container(uid)
            self.unsubscribe(container.owner, container)
            tree = self._context.store.container(hierarchy_uid(container.owner, container.domain))
            if tree is not None and self._context.store.item(tree.uid, node_uid(container)) is not None:
                self._items.delete(tree, node_uid(container))
            self._context.store.delete_container(uid)
            if log_meta and self._modern:
                self._context.log_side_delete(
                    META, container.domain, container.owner, uid, SIDE_CLASSES[META]
                )

    def _change(
        self, uid: str, *, acls: list[Ace] | None = None, settings: dict[str, str] | None = None
    ) -> None:
        with self._context.write():
            if not self._context.store.update_container(uid, acls=acls, settings=settings):
                raise NotFound(f"container {uid} not found")
            # a live UPDATE record says `defaultContainer` false whatever the container is: as in the real log
            self._log_meta(self._items.container(uid), updated=self._context.now(), default=False)

    def _log_meta(
        self, container: Container, *, default: bool, created: int | None = None, updated: int | None = None
    ) -> None:
        fields = {
            "uid": container.uid, "name": container.name, "owner": container.owner, "type": container.type,
            "default_container": default, "domain_uid": container.domain or None, "settings": container.settings,
            "datalocation": container.data_location if created else None,
        }  # fmt: skip
        acls = [AclEntry(subject=ace.subject, verb=ace.verb) for ace in container.acls] if updated else []
        settings = container.settings if updated else {}
        value: _Meta50 | _Meta51
        if self._modern:
            value = _Meta51(cont_desc=_descriptor51(fields), acls=acls, settings=settings)
        else:
            value = _Meta50(cont_desc=_descriptor50(fields), acls=acls, settings=settings)
        self._context.log_side(
            META, container.domain, container.owner, container.uid, _encode(value), value_class=SIDE_CLASSES[META],
            created=created, updated=updated,
        )  # fmt: skip


def _descriptor50(fields: dict[str, object]) -> Descriptor50:
    return Descriptor50(**fields)  # type: ignore[arg-type]  # one dict for two versions of a struct


def _descriptor51(fields: dict[str, object]) -> Descriptor51:
    return Descriptor51(**fields)  # type: ignore[arg-type]  # as above


def hierarchy_uid(owner: str, domain: str) -> str:
    """Container of an owner's flat hierarchy."""
    return f"{HIERARCHY}_{owner}_at_{domain}"


def node_uid(container: Container) -> str:
    """Item uid of a container in its hierarchy."""
    return f"{container.type}:{container.uid}@{container.domain}"


def subscription_uid(subject: str, container_uid: str) -> str:
    """Item uid of a subscription."""
    return f"sub-of-{subject}-to-{container_uid}"
