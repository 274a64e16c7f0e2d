"""Prevents that settings and roles written by BlueMind of 2021 and early 2022 are missing on green.

No restorer knows the type `roles` (renamed to `role` in March 2022) nor settings as a plain Java map (change-log.md 5.7): the
clone drops them. Their payloads are known, so they are written in today's form. A key of any type that still has the
boolean `created` gets the `operation` that stands for it. What is not certain passes as it is and is counted in `left`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import DOMAIN_SETTINGS_CLASS, ROLE_CLASS, USER_SETTINGS_CLASS
from bmswitch.model.records import (
    LegacyKey,
    LogRecord,
    Operation,
    RecordKey,
    decode_item_uid,
    decode_key,
    encode_key,
)
from bmswitch.model.topics import TopicKind

_MAPS = frozenset({"java.util.HashMap", "java.util.LinkedHashMap"})
_SETTINGS: dict[str, tuple[str, Callable[[str, msgspec.Raw], dict[str, Any]]]] = {
    "dir": (USER_SETTINGS_CLASS, lambda _uid, settings: {"values": settings}),
    "domains": (
        DOMAIN_SETTINGS_CLASS,
        lambda uid, settings: {"domainUid": uid, "settings": settings},
    ),
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_plain = msgspec.json.Decoder(dict[str, str | None])


class LegacyRecords:
    """Writes `roles` as `role`, maps as `UserSettings` or `DomainSettings`, boolean `created` as `operation`."""

    kinds = frozenset({TopicKind.DOMAIN, TopicKind.PRESYNC, TopicKind.ORPHANS})
    types = frozenset({"dir", "domains", "roles"})
    old_keys = True  # and records of any type whose key is a LegacyKey
    when = "always"
    without = (
        "settings and roles last changed before March 2022 are not on green: the clone drops their records"
    )

    def __init__(self) -> None:
        self.left = 0

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record in today's form. Raises RecordError when it is no JSON inside."""
        if record.value is None:
            return [record]
        key = decode_key(record.key)
        if not isinstance(key, LegacyKey) and key.type != "roles" and key.value_class not in _MAPS:
            return [record]
        if key.operation is Operation.DELETE:
            return [record]
        modern = _modern(key, record.value)
        if modern is None:
            self.left += 1
            return [record]
        return [msgspec.structs.replace(record, key=encode_key(modern[0]), value=modern[1])]


def _modern(key: RecordKey, value: bytes) -> tuple[RecordKey, bytes] | None:
    """Key and value in today's form, None where that is not certain."""
    try:
        envelope = _fields.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError("a legacy record is not understood", evidence=str(error)) from error
    if "value" not in envelope:  # how a deletion looked under a boolean key is not known
        return None
    if key.type == "roles":
        same = key.value_class == ROLE_CLASS
        return (msgspec.structs.replace(key, type="role"), value) if same else None
    if key.value_class not in _MAPS:
        return key, value
    return _settings(key, envelope, decode_item_uid(value))


def _settings(key: RecordKey, envelope: dict[str, msgspec.Raw], uid: str) -> tuple[RecordKey, bytes] | None:
    try:
        _plain.decode(envelope["value"])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    value_class, shape = _SETTINGS[key.type]
    envelope["value"] = msgspec.Raw(msgspec.json.encode(shape(uid, envelope["value"])))
    envelope["valueClass"] = msgspec.Raw(msgspec.json.encode(value_class))
    return msgspec.structs.replace(key, value_class=value_class), msgspec.json.encode(envelope)
