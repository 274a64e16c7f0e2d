"""Items of real containers: BlueMind's generic container store, which logs every create, update and delete."""

import msgspec

from bmswitch.lab.services.context import NO_IDS, SYSTEM, Context
from bmswitch.lab.services.errors import AlreadyExists, NotFound
from bmswitch.lab.store import Container, Item


class Items:
    """Writes items; every method takes the fence, keeps version and dates, and logs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def container(self, uid: str) -> Container:
        """A container that must be there."""
        found = self._context.store.container(uid)
        if found is None:
            raise NotFound(f"container {uid} not found")
        return found

    def get(self, container_uid: str, uid: str) -> Item:
        """An item that must be there."""
        found = self._context.store.item(container_uid, uid)
        if found is None:
            raise NotFound(f"item {uid} not found in {container_uid}")
        return found

    def create(
        self,
        container: Container,
        uid: str,
        value: bytes,
        value_class: str,
        *,
        display_name: str | None = None,
        external_id: str | None = None,
        by: str = SYSTEM,
        flags: tuple[str, ...] = (),
        item_id: int = 0,
        log_value: bytes | None = None,
        ids: msgspec.Raw = NO_IDS,
    ) -> Item:
        """Add an item. AlreadyExists when the uid is taken."""
        context = self._context
        with context.write():
            if context.store.item(container.uid, uid) is not None:
                raise AlreadyExists(f"item {uid} exists in {container.uid}")
            now = context.now()
            item = Item(
                uid=uid,
                id=item_id or context.store.next_id(),
                version=context.store.next_version(container.uid),
                value=value,
                value_class=value_class,
                display_name=display_name,
                external_id=external_id,
                created_by=by,
                updated_by=by,
                created=now,
                updated=now,
                flags=flags,
            )
            context.store.put_item(container.uid, item)
            context.log_item(container, item, value=log_value, ids=ids)
        return item

    def update(
        self,
        container: Container,
        uid: str,
        value: bytes | None = None,
        *,
        display_name: str | None = None,
        by: str = SYSTEM,
        flags: tuple[str, ...] | None = None,
        log_value: bytes | None = None,
    ) -> Item:
        """Change an item (`value` None keeps it: a touch). NotFound when it is not there."""
        context = self._context
        with context.write():
            old = self.get(container.uid, uid)
            item = msgspec.structs.replace(
                old,
                version=context.store.next_version(container.uid),
                value=old.value if value is None else value,
                display_name=old.display_name if display_name is None else display_name,
                updated_by=by,
                updated=max(context.now(), (old.created or 0) + 1),  # equal dates would log a CREATE
                flags=old.flags if flags is None else flags,
            )
            context.store.put_item(container.uid, item)
            context.log_item(container, item, value=log_value)
        return item

    def delete(self, container: Container, uid: str) -> Item:
        """Remove an item. NotFound when it is not there."""
        context = self._context
        with context.write():
            item = context.store.delete_item(container.uid, uid)
            if item is None:
                raise NotFound(f"item {uid} not found in {container.uid}")
            context.store.next_version(container.uid)
            context.log_item_delete(container, item)
        return item
