"""Mail: folders, mail records, bodies (clone-and-api.md 3.3 and 3.4)."""

from collections.abc import Callable

import msgspec

from bmswitch.lab.restore.context import Context, Record, RestoreError
from bmswitch.lab.restore.items import put
from bmswitch.lab.store import Container, Side
from bmswitch.model.murmur import default_folder_uid

RECORDS = "mbox_records_"
BODY_CLASS = "net.bluemind.backend.mail.api.MessageBody"
USER_FOLDERS = frozenset({"INBOX", "Sent", "Trash", "Drafts", "Junk", "Outbox", "Templates"})
SHARED_FOLDERS = frozenset({"", "Sent", "Trash"})


class Folder(msgspec.Struct, rename="camel"):
    """What decides about a MailboxReplica."""

    full_name: str
    parent_uid: str | None = None


class MailRecord(msgspec.Struct, rename="camel"):
    """What a MailboxRecord points at."""

    message_body: str | None = None


_folders = msgspec.json.Decoder(Folder)
_records = msgspec.json.Decoder(MailRecord)


def restore_folder(context: Context, record: Record) -> None:
    """One folder. Its uid is recomputed when it is a default one, its id forced, its UIDVALIDITY as BlueMind does."""
    subtree = record.key.uid
    if record.deleted:
        context.report("DELETE", record)
        _remove(context, subtree, context.state.alias(record.uid))
        return
    if "Deleted" in record.sent.flags:
        context.report("FILTER", record)
        return
    folder = _folders.decode(record.sent.value)
    record = _with_derived_uid(context, record, folder)
    owner = record.key.owner.partition("/")[0]
    context.ensure_container(subtree, "replicated_mailboxes", owner)
    known = context.store.item_id(subtree, record.uid)
    if known is not None and known != record.key.id:
        _remove(context, subtree, record.uid)
        known = None
    _ensure_records(context, record.uid, owner)
    context.report("CREATE" if known is None else "UPDATE", record)
    value = _folder_value(context, record, folder, created=known is None)
    put(context, record, subtree, dates=False, value=value)


def restore_record(context: Context, record: Record) -> None:
    """One mail record: skipped when its container is missing, with a placeholder when its body is."""
    container = record.key.uid
    if not context.has_container(container):
        context.report("skip", record)
        return
    if record.deleted:
        context.report("DELETE", record)
        context.store.delete_item(container, record.uid)
        return
    _ensure_body(context, record, _records.decode(record.sent.value).message_body)
    known = context.store.item_id(container, record.uid)
    if known is not None and known != record.key.id:
        context.store.delete_item(container, record.uid)
        known = None
    context.report("CREATE" if known is None else "UPDATE", record)
    put(context, record, container, dates=False)


def restore_body(context: Context, record: Record) -> None:
    """The metadata of one body. Only owners whose mailbox was created in this run have a store (1.8)."""
    owner = record.key.owner.partition("/")[0]
    if record.deleted:
        context.store.delete_side("message_bodies", owner, record.uid)
        return
    if owner not in context.state.mailboxes and not context.exact:
        raise RestoreError("no body store: mailbox unknown to this run", evidence=f"{record.place} {owner}")
    context.report("CREATE", record)
    context.store.put_side(
        Side(
            type="message_bodies",
            owner=owner,
            uid=record.uid,
            domain=context.domain,
            value=bytes(record.sent.value),
            value_class=record.key.value_class or BODY_CLASS,
            created=record.sent.created,
            updated=record.sent.updated,
        )
    )


def restore_search_source(context: Context, record: Record) -> None:
    """The text for the search engine, which the stand-in does not have: counted only."""
    context.report("CREATE", record)


def _remove(context: Context, subtree: str, uid: str) -> None:
    context.store.delete_item(subtree, uid)
    context.drop_container(RECORDS + uid)


def _ensure_records(context: Context, uid: str, owner: str) -> None:
    name = RECORDS + uid
    if not context.has_container(name):
        context.add_container(
            Container(uid=name, type="mailbox_records", owner=owner, domain=context.domain, name=uid)
        )


def _ensure_body(context: Context, record: Record, guid: str | None) -> None:
    owner = record.key.owner.partition("/")[0]
    if guid is None or context.store.has_side("message_bodies", owner, guid):
        return
    context.store.put_side(
        Side(
            type="message_bodies",
            owner=owner,
            uid=guid,
            domain=context.domain,
            value=msgspec.json.encode({"guid": guid, "created": record.sent.created}),
            value_class=BODY_CLASS,
            created=record.sent.created,
            updated=record.sent.updated,
        )
    )


def _with_derived_uid(context: Context, record: Record, folder: Folder) -> Record:
    """Default folders have a uid derived from their name; another one is replaced and remembered (7.2)."""
    _, _, box = record.key.uid.partition("!")
    if box.startswith("user."):
        name, defaults = folder.full_name, USER_FOLDERS
    else:
        name, defaults = folder.full_name.partition("/")[2], SHARED_FOLDERS
    if name not in defaults or not box:
        return record
    uid = default_folder_uid(box, context.domain, name)
    if uid == record.uid:
        return record
    context.state.aliases[record.uid] = uid
    context.state.aliases[RECORDS + record.uid] = RECORDS + uid
    return msgspec.structs.replace(record, uid=uid)


def _folder_value(context: Context, record: Record, folder: Folder, *, created: bool) -> bytes | None:
    """The payload with aliased parent and green's UIDVALIDITY; None when it is stored as it came (3.4)."""
    parent = folder.parent_uid and context.state.alias(folder.parent_uid)
    forced = not context.exact and (created or context.replace_uidvalidity())
    if not forced and parent == folder.parent_uid:
        return None
    value = msgspec.json.decode(record.sent.value)
    value["parentUid"] = parent
    if forced:
        container = context.store.container(RECORDS + record.uid)
        value["uidValidity"] = container.id if container else value["uidValidity"]
    return msgspec.json.encode(value)


RESTORERS: dict[str, Callable[[Context, Record], None]] = {
    "replicated_mailboxes": restore_folder,
    "mailbox_records": restore_record,
    "message_bodies": restore_body,
    "message_bodies_es_source": restore_search_source,
}
