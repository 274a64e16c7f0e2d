"""Directory entries (`dir`), by class and then by `entry.kind` (clone-and-api.md 3.3)."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from bmswitch.lab.restore.context import GROUP_NAMES, Context, Record, RestoreError
from bmswitch.lab.restore.items import put
from bmswitch.lab.store import DIR_ENTRY_CLASS, Item, Side
from bmswitch.model.records import SEPPUKU_CLASS, SYSTEM, Envelope

DIR_CLASS = "net.bluemind.directory.api.DirEntry"
SETTINGS_CLASS = "net.bluemind.user.api.UserSettings"
BOOKS = {"ADDRESSBOOK": "addressbook", "CALENDAR": "calendar"}
OWNED_SIDES = (
    "memberships", "role", "ou-roles", "mailfilters", "mailboxIdentity", "userMailIdentities", "userAccounts",
    "mapi_artifacts", "message_bodies", "user_settings",
)  # fmt: skip


class Entry(msgspec.Struct, rename="camel"):
    """The part of a directory entry that decides how it is restored."""

    kind: str
    entry_uid: str = ""
    display_name: str | None = None
    system: bool = False


class Core(msgspec.Struct, rename="camel"):
    """The fields of any kind's `value` that a restorer looks at."""

    name: str | None = None
    login: str | None = None
    password: str | None = None
    org_unit_uid: str | None = None
    parent_uid: str | None = None
    type_identifier: str | None = None


class Head(msgspec.Struct, rename="camel"):
    """A `DirEntryAndValue` without what is only stored."""

    entry: Entry
    value: Core | None = None

    @property
    def core(self) -> Core:
        """`value`, or an empty one."""
        return self.value or Core()


_heads = msgspec.json.Decoder(Head)
_entries = msgspec.json.Decoder(Entry)
_encode = msgspec.json.encode


def restore(context: Context, record: Record) -> None:
    """One record of type `dir`."""
    if record.deleted:
        _delete(context, record)
        return
    kind = record.key.value_class
    if kind == SEPPUKU_CLASS:
        context.report("SEPPUKU", record)
    elif kind == SETTINGS_CLASS:
        _settings(context, record)
    elif kind == DIR_ENTRY_CLASS:
        head = _heads.decode(record.sent.value)
        _KINDS.get(head.entry.kind, _skip)(context, record, head)
    elif kind == DIR_CLASS:
        _plain_entry(context, record, _entries.decode(record.sent.value))
    else:
        context.report("FILTER", record)


def delete_entry(context: Context, uid: str) -> None:
    """Remove an entry with everything it owns, as the services of a live installation do."""
    store, domain = context.store, context.domain
    for container in store.containers(owner=uid):
        if container.domain == domain:
            context.drop_container(container.uid)
    for kind in OWNED_SIDES:
        store.delete_sides(owner=uid, type=kind)
    store.delete_sides(type="memberships", uid=uid)
    store.delete_password(domain, uid)
    store.delete_item(domain, uid)
    for name in [name for name, known in context.state.groups.items() if known == uid]:
        del context.state.groups[name]


def has_entry(context: Context, uid: str) -> bool:
    """Whether the directory has an entry."""
    return context.store.item_id(context.domain, uid) is not None


def ensure_org_unit(context: Context, uid: str | None) -> None:
    """Invent a missing org unit: its own record, in another partition, completes it later and keeps this id."""
    if not uid or has_entry(context, uid):
        return
    context.reporter.log(f"Placeholder OrgUnit {uid}")
    add_entry(context, uid, "ORG_UNIT", {"name": f"placeholder of {uid}", "parentUid": None})


def ensure_group(context: Context, uid: str, number: int, sent: Envelope, group: dict[str, Any]) -> str:
    """The group of a membership, made from the copy inside it when missing; returns green's uid for it.

    The copy loses its data location, so that no mailbox is made with wrong folder ids (change-log.md 8.3).
    """
    known = context.store.item_id(context.domain, uid)
    name = str(group.get("name") or "")
    if known is None and name in groups(context):  # found by name under another uid
        context.state.aliases[uid] = groups(context)[name]
        return groups(context)[name]
    if known is not None and (known == number or context.exact):
        return uid
    if known is not None:
        delete_entry(context, uid)
    group["dataLocation"] = None
    ensure_org_unit(context, group.get("orgUnitUid"))
    add_entry(context, uid, "GROUP", group, number=number, sent=sent)
    groups(context)[name] = uid
    return uid


def groups(context: Context) -> dict[str, str]:
    """Group names of the domain with their uids; read from the store once."""
    if not context.state.groups_read:
        context.state.groups_read = True
        for item in context.store.items(context.domain):
            head = _heads.decode(item.value) if item.value_class == DIR_ENTRY_CLASS else None
            if head and head.entry.kind == "GROUP" and head.core.name:
                context.state.groups[head.core.name] = item.uid
    return context.state.groups


def add_entry(
    context: Context,
    uid: str,
    kind: str,
    value: dict[str, Any],
    *,
    number: int | None = None,
    sent: Envelope | None = None,
) -> None:
    """Write an invented entry: a placeholder or a copy out of another record."""
    store, domain, now = context.store, context.domain, context.now()
    name = str(value.get("name"))
    folder = {"ORG_UNIT": "ous", "GROUP": "groups"}[kind]
    entry = {
        "displayName": name, "entryUid": uid, "accountType": None, "kind": kind, "path": f"{domain}/{folder}/{uid}",
        "email": None, "hidden": False, "system": False, "archived": False, "emails": None,
        "orgUnitUid": value.get("orgUnitUid"), "orgUnitPath": None, "dataLocation": None,
    }  # fmt: skip
    store.put_item(
        domain,
        Item(
            uid=uid,
            id=store.next_id() if number is None else number,
            version=sent.version if sent else store.next_version(domain),
            value=_encode({"entry": entry, "vcard": None, "mailbox": None, "value": value}),
            value_class=DIR_ENTRY_CLASS,
            display_name=name,
            created_by=SYSTEM,
            updated_by=SYSTEM,
            created=sent.created if sent else now,
            updated=sent.updated if sent else now,
        ),
    )


def _user(context: Context, record: Record, head: Head) -> None:
    """A user; created ones keep the logged hash, updated ones keep green's (clone-and-api.md 3.3)."""
    ensure_org_unit(context, head.core.org_unit_uid)
    created = _replace_other_id(context, record)
    value = msgspec.json.decode(record.sent.value)
    password = value["value"].get("password")
    value["value"]["password"] = None
    changed = value["value"].get("passwordLastChange") or context.now()
    if not context.exact:
        value["value"]["mailboxCopyGuid"] = str(uuid.uuid4())
        if created:
            value["value"]["passwordLastChange"] = changed = context.now()
    if password and (created or context.exact):
        context.store.set_password(context.domain, record.uid, password, changed)
    if created:
        context.state.mailboxes.add(record.uid)
    _write(context, record, "USER", value=_encode(value), created=created)


def _group(context: Context, record: Record, head: Head) -> None:
    """A group; the two default ones have a derived uid, and a name can be used once."""
    ensure_org_unit(context, head.core.org_unit_uid)
    name = head.core.name or ""
    if name in GROUP_NAMES:
        uid = f"{context.domain}_{GROUP_NAMES[name]}"
        if record.uid != uid:
            context.state.aliases[record.uid] = uid
            record = msgspec.structs.replace(record, uid=uid)
    holder = groups(context).get(name)
    if holder and holder != record.uid:
        raise RestoreError("a group's name is taken", evidence=f"{record.place} ALREADY_EXISTS: {holder}")
    created = _replace_other_id(context, record)
    groups(context)[name] = record.uid
    _write(context, record, "GROUP", created=created)


def _mailshare(context: Context, record: Record, head: Head) -> None:
    if head.entry.system:
        context.report("FILTER", record, "MAILSHARE")
        return
    ensure_org_unit(context, head.core.org_unit_uid)
    created = _replace_other_id(context, record)
    if created:
        context.state.mailboxes.add(record.uid)
    _write(context, record, "MAILSHARE", created=created)


def _resource(context: Context, record: Record, head: Head) -> None:
    """A resource. A clone drops its id at creation, so each later record deletes it, calendar included (3.3)."""
    ensure_org_unit(context, head.core.org_unit_uid)
    kind = head.core.type_identifier
    if kind and not context.store.sides("resourceTypes", uid=kind):
        label = {"label": f"Auto-created {kind}", "properties": [], "templates": {}}
        context.store.put_side(
            Side(
                type="resourceTypes",
                owner=context.domain,
                uid=kind,
                domain=context.domain,
                value=_encode(label),
            )
        )
    created = _replace_other_id(context, record)
    number = record.key.id if context.exact or not created else context.store.next_id()
    _write(context, record, "RESOURCE", created=created, number=number)


def _external(context: Context, record: Record, head: Head) -> None:
    ensure_org_unit(context, head.core.org_unit_uid)
    _write(context, record, "EXTERNALUSER", created=_replace_other_id(context, record))


def _org_unit(context: Context, record: Record, head: Head) -> None:
    """An org unit is updated whatever its id: a placeholder keeps its own."""
    ensure_org_unit(context, head.core.parent_uid)
    known = context.store.item_id(context.domain, record.uid)
    number = record.key.id if known is None or context.exact else known
    _write(context, record, "ORG_UNIT", created=known is None, number=number)


def _plain_entry(context: Context, record: Record, entry: Entry) -> None:
    """Domain, domain address book and domain calendar: entries without a value of their own.

    The domain's own entry came with the domain; a book or calendar brings its container.
    """
    if entry.kind in BOOKS:
        created = _replace_other_id(context, record)
        context.ensure_container(record.uid, BOOKS[entry.kind], record.uid, entry.display_name or "")
    elif entry.kind == "DOMAIN" and record.uid == context.domain:
        created = not has_entry(context, record.uid)
    else:
        context.report("skip", record, entry.kind)
        return
    _write(context, record, entry.kind, created=created)


def _skip(context: Context, record: Record, head: Head) -> None:
    context.report("skip", record, head.entry.kind)


def _settings(context: Context, record: Record) -> None:
    """A user's settings, the whole map; a missing user is an error, not silence (change-log.md 10, 35ac94c05)."""
    if not has_entry(context, record.uid):
        raise RestoreError("settings of a user who does not exist", evidence=f"{record.place} {record.uid}")
    context.report("SET", record, "settings")
    context.store.put_side(
        Side(
            type="user_settings",
            owner=record.uid,
            uid=record.uid,
            domain=context.domain,
            value=bytes(record.sent.value),
            value_class=SETTINGS_CLASS,
            created=record.sent.created,
            updated=record.sent.updated,
        )
    )


def _delete(context: Context, record: Record) -> None:
    """The kind is looked up in the live directory; an unknown uid does nothing."""
    item = context.store.item(context.domain, record.uid)
    if item is None:
        return
    entry = (
        _heads.decode(item.value).entry
        if item.value_class == DIR_ENTRY_CLASS
        else _entries.decode(item.value)
    )
    kind = entry.kind
    context.report("DELETE", record, kind)
    if kind in BOOKS:
        context.drop_container(record.uid)
    if kind != "DOMAIN":
        delete_entry(context, record.uid)


def _replace_other_id(context: Context, record: Record) -> bool:
    """Delete an entry whose id is not the logged one; says whether the record creates the entry."""
    known = context.store.item_id(context.domain, record.uid)
    if known is None:
        return True
    if known == record.key.id:
        return False
    delete_entry(context, record.uid)
    return True


def _write(
    context: Context,
    record: Record,
    kind: str,
    *,
    created: bool,
    number: int | None = None,
    value: bytes | None = None,
) -> None:
    context.report("CREATE" if created else "UPDATE", record, kind)
    put(context, record, context.domain, dates=True, number=number, value=value)


_KINDS: dict[str, Callable[[Context, Record, Head], None]] = {
    "USER": _user,
    "GROUP": _group,
    "MAILSHARE": _mailshare,
    "RESOURCE": _resource,
    "EXTERNALUSER": _external,
    "ORG_UNIT": _org_unit,
}
RESTORERS: dict[str, Callable[[Context, Record], None]] = {"dir": restore}
