"""Internal mail calls: folders, records, bodies. As in BlueMind they check no permission (clone-and-api.md 4.1)."""

import msgspec

from bmswitch.lab.rest.router import VOID, Call, Json, Router, Void
from bmswitch.lab.rest.views import Ack, ItemValue, Total, item_value
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.shapes_mail import MailboxRecord, MailboxReplica
from bmswitch.lab.store import Item

_FOLDERS = "/internal-api/db_replicated_mailboxes_by_container/{c}"
_RECORDS = "/internal-api/db_mailbox_records/{folder}"
_BODIES = "/internal-api/db_message_bodies/{partition}"

_decode = msgspec.json.Decoder(MailboxRecord).decode
_encode = msgspec.json.encode


class _WithId(msgspec.Struct, rename="camel"):
    """One record of `_slice`."""

    item_id: int
    value: msgspec.Raw


class _Binding(msgspec.Struct, rename="camel"):
    """One record of `_imapBindings`."""

    item_id: int
    imap_uid: int
    body_guid: str


class _FlagFilter(msgspec.Struct, rename="camel"):
    """ItemFlagFilter."""

    must: list[str] = []
    must_not: list[str] = []


def add_routes(router: Router) -> None:
    """Reads for the proof, and the writes that REST offers."""
    router.add("GET", _FOLDERS + "/_allReplicas", _folders)
    router.add("GET", _FOLDERS + "/_all", _folders)
    router.add("GET", _FOLDERS + "/{uid}/complete", _folder)
    router.add("POST", _FOLDERS + "/{uid}", _update_folder)
    router.add("DELETE", _FOLDERS + "/{uid}", _delete_folder)
    router.add("POST", _FOLDERS + "/_mgetById", _folders_by_id)
    router.add("GET", _RECORDS + "/_all", _records)
    router.add("POST", _RECORDS + "/_slice", _slice)
    router.add("POST", _RECORDS + "/_mgetById", _by_id)
    router.add("POST", _RECORDS + "/_imapBindings", _bindings)
    router.add("POST", _RECORDS + "/_count", _count)
    router.add("GET", _RECORDS + "/_weight", _weight)
    router.add("GET", _RECORDS + "/{uid}/complete", _record)
    router.add("GET", _RECORDS + "/{imap}/completeByImapUid", _record_by_imap_uid)
    router.add("GET", _RECORDS + "/eml/{imap}", _eml)
    router.add("GET", "/api/mail_items/{folder}/eml/{imap}", _eml)
    router.add("POST", _BODIES + "/_missing", _missing)
    router.add("POST", _BODIES + "/_multiple", _multiple)
    router.add("GET", _BODIES + "/{guid}/complete", _body)
    router.add("GET", _BODIES + "/{guid}/exists", lambda call: _find_body(call, call["guid"]) is not None)
    router.add("GET", "/api/mailboxes/{d}/{owner}/_quota", _quota)


def _folders(call: Call) -> list[ItemValue]:
    call.services.items.container(call["c"])
    return [item_value(item) for item in call.services.store.items(call["c"])]


def _folder(call: Call) -> ItemValue | None:
    item = call.services.store.item(call["c"], call["uid"])
    return None if item is None else item_value(item)


def _folders_by_id(call: Call) -> list[ItemValue]:
    found = (call.services.store.item_by_id(call["c"], number) for number in call.json(list[int]))
    return [item_value(item) for item in found if item is not None]


def _update_folder(call: Call) -> Ack:
    container = call.services.items.container(call["c"])
    item = call.services.mailboxes.update(container, call["uid"], call.json(MailboxReplica), by=call.author)
    return Ack(version=item.version, timestamp=call.services.context.now())


def _delete_folder(call: Call) -> Void:
    call.services.mailboxes.delete_folder(call.services.items.container(call["c"]), call["uid"])
    return VOID


def _container(call: Call) -> str:
    return call.services.items.container(f"mbox_records_{call['folder']}").uid


def _records(call: Call) -> list[ItemValue]:
    return [item_value(item) for item in call.services.store.items(_container(call))]


def _wanted(call: Call) -> list[Item]:
    uid = _container(call)
    found = (call.services.store.item_by_id(uid, number) for number in call.json(list[int]))
    return [item for item in found if item is not None]


def _slice(call: Call) -> list[_WithId]:
    return [_WithId(item.id, msgspec.Raw(item.value)) for item in _wanted(call)]


def _by_id(call: Call) -> list[ItemValue]:
    return [item_value(item) for item in _wanted(call)]


def _bindings(call: Call) -> list[_Binding]:
    found = [(item, _decode(item.value)) for item in _wanted(call)]
    return [_Binding(item.id, record.imap_uid, record.message_body) for item, record in found]


def _count(call: Call) -> Total:
    wanted = call.json(_FlagFilter) if call.body else _FlagFilter()
    must, must_not = set(wanted.must), set(wanted.must_not)
    items = call.services.store.descriptors(_container(call))
    return Total(total=sum(1 for item in items if must <= set(item.flags) and not must_not & set(item.flags)))


def _weight(call: Call) -> Total:
    folder = call.services.mail.messages(call["folder"])
    return Total(total=sum(message.size for message in folder))


def _record(call: Call) -> ItemValue | None:
    item = call.services.store.item(_container(call), call["uid"])
    return None if item is None else item_value(item)


def _record_by_imap_uid(call: Call) -> ItemValue | None:
    item = call.services.store.item(_container(call), f"{call['imap']}.")
    return None if item is None else item_value(item)


async def _eml(call: Call) -> bytes:
    item = call.services.items.get(_container(call), f"{call['imap']}.")
    return await call.services.mail.fetch_raw(_decode(item.value).message_body)


def _find_body(call: Call, guid: str) -> bytes | None:
    sides = call.services.store.sides("message_bodies", uid=guid)
    return sides[0].value if sides else None


def _missing(call: Call) -> list[str]:
    return [guid for guid in call.json(list[str]) if _find_body(call, guid) is None]


def _multiple(call: Call) -> Json:
    found = (_find_body(call, guid) for guid in call.json(list[str]))
    return Json(b"[" + b",".join(value for value in found if value is not None) + b"]")


def _body(call: Call) -> Json:
    value = _find_body(call, call["guid"])
    if value is None:
        raise NotFound(f"body {call['guid']} not found")
    return Json(value)


def _quota(call: Call) -> dict[str, int | None]:
    """Used kibibytes of a mailbox."""
    folders = call.services.mail.folders(call["owner"])
    used = sum(message.size for folder in folders for message in call.services.mail.messages(folder.uid))
    return {"used": used // 1024, "quota": None}
