"""Items of real containers: cards, events, tasks, notes, tags, devices, views, subscriptions, hierarchy, web data.

The generic algorithm of clone-and-api.md 3.2 with the rules of 3.3: which containers are made on the spot, which ids and
versions survive.
"""

from collections.abc import Callable

import msgspec

from bmswitch.lab.restore.context import Context, Record, RestoreError
from bmswitch.lab.store import Item
from bmswitch.model.records import SYSTEM


class Rule(msgspec.Struct, frozen=True):
    """How one record type is restored.

    `placeholder`: name of a container made for a record of a missing one; None: only a default container (`default`, with
    the owner put in) is made, as BlueMind's hooks do when the user is created. `dates`: version and dates are kept.
    `ids`: the item id is kept.
    """

    placeholder: str | None = None
    default: str = ""
    dates: bool = True
    ids: bool = True


RULES: dict[str, Rule] = {
    "addressbook": Rule(placeholder="book-{uid}"),
    "calendar": Rule(placeholder="usercal-{uid}"),
    "todolist": Rule(placeholder="todo-{uid}"),
    "notes": Rule(default="notes:default_{owner}"),
    "tags": Rule(default="tags_{owner}"),
    "device": Rule(default="device:{owner}"),
    "smime_cacerts": Rule(default="smime_cacerts:domain_{domain}"),
    "calendarview": Rule(default="calendarview:{owner}"),
    "deferredaction": Rule(default="deferredaction-{owner}"),
    "webappdata": Rule(default="webappdata:{owner}", ids=False, dates=False),
    "owner_subscriptions": Rule(placeholder="{uid}"),
    "container_flat_hierarchy": Rule(placeholder="{uid}", dates=False),
}


def restore(context: Context, record: Record) -> None:
    """One item record of a type in `RULES`."""
    rule = RULES[record.key.type]
    container = record.key.uid
    if record.deleted:
        _delete(context, record)
        return
    _need_container(context, record, rule)
    known = context.store.item_id(container, record.uid)
    kept = rule.ids or context.exact or known == record.key.id
    if known is not None and known != record.key.id:
        context.store.delete_item(container, record.uid)
        known = None
    context.report("CREATE" if known is None else "UPDATE", record)
    put(
        context,
        record,
        container,
        dates=rule.dates,
        number=record.key.id if kept else context.store.next_id(),
    )


def put(
    context: Context,
    record: Record,
    container: str,
    *,
    dates: bool,
    number: int | None = None,
    value: bytes | None = None,
) -> None:
    """Write the record's item. Without `dates` version and dates are green's own; `number` replaces the logged id."""
    sent, store = record.sent, context.store
    if dates or context.exact:
        version, created, updated = sent.version, sent.created, sent.updated
        store.set_container_version(container, version)
    else:
        version, created = store.next_version(container), context.now()
        updated = created
    store.put_item(
        container,
        Item(
            uid=record.uid,
            id=record.key.id if number is None else number,
            version=version,
            value=bytes(sent.value) if value is None else value,
            value_class=sent.value_class or "",
            display_name=sent.display_name,
            external_id=sent.external_id,
            created_by=sent.created_by if context.exact else SYSTEM,
            updated_by=sent.updated_by if context.exact else SYSTEM,
            created=created,
            updated=updated,
            flags=sent.flags,
        ),
    )


def _need_container(context: Context, record: Record, rule: Rule) -> None:
    key = record.key
    if context.has_container(key.uid):
        return
    names = {"uid": key.uid, "owner": key.owner, "domain": context.domain}
    if rule.placeholder is not None:
        context.ensure_container(key.uid, key.type, key.owner, rule.placeholder.format_map(names))
    elif key.uid == rule.default.format_map(names) or key.type == "deferredaction":
        context.ensure_container(key.uid, key.type, key.owner)
    else:
        raise RestoreError("the container of a record does not exist", evidence=f"{record.place} {key.uid}")


def _delete(context: Context, record: Record) -> None:
    """A deletion; unknown containers and items are fine. A clone keeps removed hierarchy nodes (clone-and-api.md 3.3)."""
    context.report("DELETE", record)
    if record.key.type == "container_flat_hierarchy" and not context.exact:
        return
    if context.has_container(record.key.uid):
        context.store.delete_item(record.key.uid, record.uid)


RESTORERS: dict[str, Callable[[Context, Record], None]] = dict.fromkeys(RULES, restore)
