"""Shapes of answers (clone-and-api.md 4.3, 4.4) and who may see what."""

import msgspec

from bmswitch.lab.rest.router import Call, Json
from bmswitch.lab.services.containers import hierarchy_uid
from bmswitch.lab.services.errors import Denied
from bmswitch.lab.store import Container, Item

_READ = frozenset({"Read", "ReadExtended", "Write", "Manage", "All"})
_WRITE = frozenset({"Write", "Manage", "All"})


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of answers."""


class ItemValue(_Answer, frozen=True, kw_only=True):
    """An item with its value."""

    uid: str
    internal_id: int
    version: int
    display_name: str | None
    external_id: str | None
    created_by: str | None
    updated_by: str | None
    created: int | None
    updated: int | None
    flags: tuple[str, ...]
    value: msgspec.Raw


class ItemDescriptor(_Answer, frozen=True, kw_only=True):
    """An item without its value."""

    uid: str
    version: int
    display_name: str | None
    external_id: str | None
    internal_id: int
    created_by: str | None
    updated_by: str | None
    created: int | None
    updated: int | None
    flags: tuple[str, ...]


class BaseDescriptor(_Answer, frozen=True, kw_only=True):
    """What `_listLight` says of a container."""

    uid: str
    name: str
    owner: str
    type: str
    default_container: bool
    read_only: bool
    domain_uid: str | None
    owner_displayname: str | None = None
    owner_dir_entry_path: str | None = None
    settings: dict[str, str]
    deleted: bool = False
    datalocation: str | None


class Descriptor(BaseDescriptor, frozen=True, kw_only=True):
    """The whole descriptor."""

    internal_id: int
    writable: bool
    verbs: list[str]
    offline_sync: bool = False
    automount: bool = False


class Total(_Answer, frozen=True, kw_only=True):
    """A count."""

    total: int


class TaskRef(_Answer, frozen=True, kw_only=True):
    """Name of a task."""

    id: str


class Ack(_Answer, frozen=True, kw_only=True):
    """Version after a write, and when."""

    version: int
    timestamp: int


def item_value(item: Item, value: bytes | None = None) -> ItemValue:
    """An item as REST answers it; `value` replaces the stored one."""
    return ItemValue(
        uid=item.uid, internal_id=item.id, version=item.version, display_name=item.display_name,
        external_id=item.external_id, created_by=item.created_by, updated_by=item.updated_by, created=item.created,
        updated=item.updated, flags=item.flags, value=msgspec.Raw(item.value if value is None else value),
    )  # fmt: skip


def item_descriptor(item: Item) -> ItemDescriptor:
    """An item as `_list` answers it."""
    return ItemDescriptor(
        uid=item.uid, version=item.version, display_name=item.display_name, external_id=item.external_id,
        internal_id=item.id, created_by=item.created_by, updated_by=item.updated_by, created=item.created,
        updated=item.updated, flags=item.flags,
    )  # fmt: skip


def base_descriptor(container: Container) -> BaseDescriptor:
    """A container as `_listLight` answers it."""
    return BaseDescriptor(
        uid=container.uid, name=container.name, owner=container.owner, type=container.type,
        default_container=container.default, read_only=container.read_only, domain_uid=container.domain or None,
        settings=container.settings, datalocation=container.data_location,
    )  # fmt: skip


def descriptor(container: Container) -> Descriptor:
    """A container as `_descriptor` answers it to an administrator."""
    return Descriptor(
        uid=container.uid, name=container.name, owner=container.owner, type=container.type,
        default_container=container.default, read_only=container.read_only, domain_uid=container.domain or None,
        settings=container.settings, datalocation=container.data_location, internal_id=container.id,
        writable=not container.read_only, verbs=["All"],
    )  # fmt: skip


def task_ref(task_id: str) -> TaskRef:
    """Answer of a call that goes on in the background."""
    return TaskRef(id=task_id)


def list_result(values: list[ItemValue]) -> Json:
    """`{"total", "values"}`."""
    encoded = msgspec.json.encode(values)
    return Json(b'{"total":%d,"values":%s}' % (len(values), encoded))


def check_access(call: Call, container: Container, *, write: bool = False) -> None:
    """Denied unless the caller is an administrator, the owner, or has a right on the container."""
    caller = call.caller
    if caller.admin or (caller.uid and caller.uid == container.owner):
        return
    if caller.uid and container.acls:
        store = call.services.store
        subjects = {caller.uid, caller.domain} | {
            side.uid for side in store.sides("memberships", owner=caller.uid)
        }
        wanted = _WRITE if write else _READ
        if any(ace.subject in subjects and ace.verb in wanted for ace in container.acls):
            return
    raise Denied(f"no right on container {container.uid}")


def readable(call: Call, uid: str) -> Container:
    """A container that the caller may read."""
    container = call.services.items.container(uid)
    check_access(call, container)
    return container


def writable(call: Call, uid: str) -> Container:
    """A container that the caller may write."""
    container = call.services.items.container(uid)
    check_access(call, container, write=True)
    return container


def hierarchy(call: Call) -> str:
    """Container uid of the owner's hierarchy named in the path."""
    return hierarchy_uid(call["owner"], call["domain"])
