"""What is no item: memberships, roles, filters, identities, accounts, mail flow, resource types, MAPI (3.3)."""

from collections.abc import Callable
from typing import Any

import msgspec

from bmswitch.lab.restore.context import Context, Record, RestoreError
from bmswitch.lab.restore.directory import add_entry, delete_entry, ensure_group, ensure_org_unit, has_entry
from bmswitch.lab.store import Side

REPLICA = "replica"


class Membership(msgspec.Struct):
    """A GroupMembership: the member, a copy of the group, and whether the member came or went."""

    member: dict[str, str]
    group: dict[str, Any]
    added: bool = True


class Roles(msgspec.Struct):
    """Kind of a DirEntryRole's target."""

    kind: str


class OrgUnitRoles(msgspec.Struct, rename="camel"):
    """An OrgUnitAdminRole's copy of the org unit."""

    org_unit: dict[str, Any] | None = None


class Filter(msgspec.Struct, rename="camel"):
    """Whether a mail filter is the domain's."""

    is_domain: bool = False


_memberships = msgspec.json.Decoder(Membership)
_roles = msgspec.json.Decoder(Roles)
_org_unit_roles = msgspec.json.Decoder(OrgUnitRoles)
_filters = msgspec.json.Decoder(Filter)


def restore_plain(context: Context, record: Record) -> None:
    """Create, update or delete by uid: identities, accounts, mail flow."""
    key = record.key
    if record.deleted:
        context.report("DELETE", record)
        context.store.delete_side(key.type, key.owner, record.uid)
        return
    context.report("SET", record)
    _put(context, record, key.owner)


def restore_membership(context: Context, record: Record) -> None:
    """A member came or went; the group is made from the copy when it is not there yet."""
    if record.deleted:
        context.report("skip", record)
        return
    sent = _memberships.decode(record.sent.value)
    uid = context.state.alias(record.uid)
    uid = ensure_group(context, uid, record.key.id, record.sent, sent.group)
    member = sent.member["uid"]
    if sent.added:
        context.report("CREATE", record)
        value = msgspec.json.encode(sent.member)
        _put(context, msgspec.structs.replace(record, uid=uid), member, value)
    else:
        context.report("DELETE", record)
        context.store.delete_side("memberships", member, uid)


def restore_role(context: Context, record: Record) -> None:
    """The full set of roles of a domain, group or user; a missing target is an error."""
    if record.deleted:
        context.report("skip", record)
        return
    if _roles.decode(record.sent.value).kind != "DOMAIN":
        _need_entry(context, record, context.state.alias(record.uid))
    context.report("SET", record)
    _put(context, record, record.key.owner)


def restore_org_unit_role(context: Context, record: Record) -> None:
    """Roles of one administrator in one org unit, which is made from the copy when it is missing."""
    if record.deleted:
        context.report("skip", record)
        return
    copy = _org_unit_roles.decode(record.sent.value).org_unit
    if not has_entry(context, record.uid) and copy is not None:
        ensure_org_unit(context, copy.get("parentUid"))
        add_entry(context, record.uid, "ORG_UNIT", copy, number=record.key.id, sent=record.sent)
    context.report("SET", record)
    _put(context, record, record.key.owner)


def restore_filter(context: Context, record: Record) -> None:
    """The whole filter of a mailbox or of the domain."""
    if record.deleted:
        context.report("skip", record)
        return
    if not _filters.decode(record.sent.value).is_domain:
        _need_entry(context, record, record.uid)
    context.report("SET", record)
    _put(context, record, record.uid)


def restore_resource_type(context: Context, record: Record) -> None:
    """A type of resources; deleting it deletes every resource of the type first. An invented one is replaced."""
    if record.deleted:
        context.report("DELETE", record)
        for item in context.store.items(context.domain):
            if f'"typeIdentifier":"{record.uid}"'.encode() in item.value:
                delete_entry(context, item.uid)
        context.store.delete_sides(type="resourceTypes", uid=record.uid)
        return
    context.report("SET", record)
    context.store.delete_sides(type="resourceTypes", uid=record.uid)
    _put(context, record, record.key.owner)


def restore_mapi(context: Context, record: Record) -> None:
    """The replica of a mailbox, and its folders, which are ignored while there is no replica."""
    key = record.key
    if record.deleted:
        context.report("DELETE", record)
        context.store.delete_side(key.type, key.owner, record.uid)
    elif record.uid != REPLICA and not context.store.has_side(key.type, key.owner, REPLICA):
        context.report("skip", record)
    else:
        context.report("SET", record)
        _put(context, record, key.owner)


def _need_entry(context: Context, record: Record, uid: str) -> None:
    if not has_entry(context, uid):
        raise RestoreError(
            f"a {record.key.type} record of an entry that does not exist", evidence=f"{record.place} {uid}"
        )


def _put(context: Context, record: Record, owner: str, value: bytes | None = None) -> None:
    sent = record.sent
    context.store.put_side(
        Side(
            type=record.key.type,
            owner=owner,
            uid=record.uid,
            domain=context.domain,
            value=bytes(sent.value) if value is None else value,
            value_class=record.key.value_class or "",
            created=sent.created,
            updated=sent.updated,
        )
    )


RESTORERS: dict[str, Callable[[Context, Record], None]] = {
    "memberships": restore_membership,
    "role": restore_role,
    "ou-roles": restore_org_unit_role,
    "mailfilters": restore_filter,
    "mailboxIdentity": restore_plain,
    "userMailIdentities": restore_plain,
    "userAccounts": restore_plain,
    "mailflow": restore_plain,
    "resourceTypes": restore_resource_type,
    "mapi_artifacts": restore_mapi,
}
