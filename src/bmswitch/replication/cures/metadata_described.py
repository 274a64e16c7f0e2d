"""Prevents that green's clone ends at the rights or settings of a container that is not there yet.

Until March 2023 such a record named its container and said nothing else about it (change-log.md 5.7; bugs 7 and 8 of change-log.md 10):
a clone can set nothing on a container that it does not have, and make none. What kind a container is stands in its uid (change-log.md 5.4),
its owner in the key, its domain in the topic. So a descriptor is put in, and a clone makes the container.
"""

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import ContainerMetadata
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind, parse

_TODAY = b'"contDesc":{'
_KINDS = {
    "mailbox:acls-": "mailboxacl",
    "mbox_records_": "mailbox_records",
    "subtree_": "replicated_mailboxes",
    "book:": "addressbook",
    "addressbook_": "addressbook",
    "calendar:": "calendar",
    "calendarview:": "calendarview",
    "todolist:": "todolist",
    "notes:": "notes",
    "tags_": "tags",
    "device:": "device",
    "webappdata:": "webappdata",
    "freebusy:": "freebusy",
    "deferredaction-": "deferredaction",
    "owner_subscriptions_": "owner_subscriptions",
    "container_flat_hierarchy_": "container_flat_hierarchy",
    "smime_cacerts:": "smime_cacerts",
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_payloads = msgspec.json.Decoder(ContainerMetadata)


class MetadataDescribed:
    """Puts a container's descriptor into a record that has none. `left` counts those whose container's kind is not known."""

    kinds = frozenset({TopicKind.DOMAIN, TopicKind.PRESYNC})
    types = frozenset({"containers_meta"})
    when = "always"
    without = (
        "rights and settings last changed before March 2023 end the clone when their container comes later"
    )

    def __init__(self) -> None:
        self.left = 0

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record in today's form. Raises RecordError when it is no JSON inside."""
        value = record.value
        if value is None or _TODAY in value:
            return [record]
        key = decode_key(record.key)
        if key.operation is Operation.DELETE:
            return [record]
        try:
            envelope = _fields.decode(value)
            payload = _payloads.decode(envelope["value"])
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise RecordError("a container's metadata are not understood", evidence=str(error)) from error
        uid = payload.container_uid or decode_item_uid(value).removesuffix("_settings")
        kind = next((kind for prefix, kind in _KINDS.items() if uid.startswith(prefix)), None)
        parsed = parse(record.topic)
        if bytes(payload.cont_desc) != b"null":
            return [record]
        if kind is None or parsed is None:
            self.left += 1
            return [record]
        described = _described(
            payload, _descriptor(uid, kind, key, parsed.domain, envelope.get("displayName"))
        )
        envelope["value"] = msgspec.Raw(described)
        return [msgspec.structs.replace(record, value=msgspec.json.encode(envelope))]


def _described(payload: ContainerMetadata, descriptor: dict[str, object]) -> bytes:
    """Today's payload: a half that is missing stays null, which a clone leaves alone."""
    return msgspec.json.encode({"contDesc": descriptor, "acls": payload.acls, "settings": payload.settings})


def _descriptor(
    uid: str, kind: str, key: RecordKey, domain: str, shown: msgspec.Raw | None
) -> dict[str, object]:
    """What is known of a container. A default one is named after its owner; it is there already when its owner is."""
    name = msgspec.json.decode(shown) if shown is not None else None
    return {
        "uid": uid,
        "name": name if isinstance(name, str) and name else uid,
        "owner": key.owner,
        "type": kind,
        "defaultContainer": uid.endswith(key.owner),
        "readOnly": False,
        "domainUid": domain,
        "ownerDisplayname": None,
        "ownerDirEntryPath": None,
        "settings": {},
        "deleted": False,
        "datalocation": None,
        "internalId": 0,
    }
