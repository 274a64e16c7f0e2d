"""Keys and values of the change log, byte for byte as BlueMind writes them (change-log.md 3 and 4).

Nothing here does I/O. Decoding fails with `RecordError`; the caller decides whether that parks the record or stops.
"""

from enum import StrEnum

import msgspec

from bmswitch.model.errors import RecordError

SYSTEM = "system"
SEPPUKU_UID = "seppuku"
SEPPUKU_CLASS = "net.bluemind.core.backup.continuous.dto.Seppuku"
SERVER_CLASS = "net.bluemind.server.api.Server"
CORE_TOKEN_CLASS = "net.bluemind.core.backup.continuous.dto.CoreTok"  # noqa: S105 - the name of a Java class

_SIP_KEY = bytes(range(16))
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Operation(StrEnum):
    """What a record says about its item; it is part of the key, so an item owns up to three live keys."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class RecordKey(msgspec.Struct, frozen=True, rename="camel"):
    """Key of one record. `uid` is the container's uid; the item's uid is only in the value (change-log.md 3).

    `id` is the item id in the database, or a hash of the item uid for synthetic types; 0 is never restored.
    """

    type: str
    owner: str
    uid: str
    id: int
    value_class: str | None
    operation: Operation


class LegacyKey(RecordKey, frozen=True):
    """A key as it was written until February 2022: boolean `created` instead of `operation` (change-log.md 5.7)."""


class LogRecord(msgspec.Struct, frozen=True, array_like=True):
    """One record on its way from a source through the cures to a sink. `value` None is a Kafka tombstone."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """Value of a record that creates or updates: 14 fields in the order of the wire (change-log.md 4).

    `value` is the payload as it stands on the wire; dates are epoch milliseconds. Unknown fields are ignored, so
    only what was decoded without them encodes to the same bytes: untouched records must pass as bytes.
    """

    value: msgspec.Raw
    uid: str
    internal_id: int
    version: int
    display_name: str | None = None
    external_id: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    created: int | None = None
    updated: int | None = None
    flags: tuple[str, ...] = ()
    produced_by: str | None = None
    value_class: str | None = None
    ids: msgspec.Raw = msgspec.Raw(b"null")


class _AnyKey(msgspec.Struct, rename="camel"):
    """A key of any age: until February 2022 a boolean `created` stood where `operation` is now (change-log.md 5.7)."""

    type: str
    owner: str
    uid: str
    id: int
    value_class: str | None = None
    operation: Operation | None = None
    created: bool | None = None


class _ItemUid(msgspec.Struct):
    """The only field that every value has, deletions too."""

    uid: str


_keys = msgspec.json.Decoder(RecordKey)
_old_keys = msgspec.json.Decoder(_AnyKey)
_envelopes = msgspec.json.Decoder(Envelope)
_item_uids = msgspec.json.Decoder(_ItemUid)
_encoder = msgspec.json.Encoder()


def decode_key(key: bytes | msgspec.Raw) -> RecordKey:
    """The key's fields. A legacy boolean `created` reads as CREATE or UPDATE, as a LegacyKey. Raises RecordError."""
    try:
        return _keys.decode(key)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _decode_old_key(key)


def _decode_old_key(key: bytes | msgspec.Raw) -> RecordKey:
    try:
        raw = _old_keys.decode(key)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError("a record key is not understood", evidence=str(error)) from error
    if raw.operation is not None:
        return RecordKey(raw.type, raw.owner, raw.uid, raw.id, raw.value_class, raw.operation)
    if raw.created is None:
        raise RecordError("a record key has neither `operation` nor `created`")
    operation = Operation.CREATE if raw.created else Operation.UPDATE
    return LegacyKey(raw.type, raw.owner, raw.uid, raw.id, raw.value_class, operation)


def encode_key(key: RecordKey) -> bytes:
    """Compact JSON, fields in the order of the wire, no escapes for non-ASCII text."""
    return _encoder.encode(key)


def decode_envelope(value: bytes) -> Envelope:
    """The value of a CREATE or UPDATE record. Raises RecordError."""
    try:
        return _envelopes.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError("a record value is not understood", evidence=str(error)) from error


def encode_envelope(envelope: Envelope) -> bytes:
    """Compact JSON of all 14 fields, nulls written."""
    return _encoder.encode(envelope)


def decode_item_uid(value: bytes) -> str:
    """The item uid of any value, also of a deletion's `{"uid": ...}`. Raises RecordError."""
    try:
        return _item_uids.decode(value).uid
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError("a record value has no readable uid", evidence=str(error)) from error


def operation_for(created: int | None, updated: int | None) -> Operation:
    """Which operation a live write gets, from the dates alone (change-log.md 3.1)."""
    return Operation.UPDATE if updated is not None and updated != created else Operation.CREATE


def partition_token(key: RecordKey, item_uid: str) -> str:
    """The text whose hash chooses the partition: the owner, or the item uid when the owner is `system`."""
    return item_uid if key.owner == SYSTEM else key.owner


def delete_records(key: RecordKey, item_uid: str) -> tuple[tuple[bytes, bytes | None], ...]:
    """The three (key, value) pairs of a deletion, in the order of the wire (change-log.md 3.3)."""

    def with_operation(operation: Operation) -> bytes:
        return encode_key(msgspec.structs.replace(key, operation=operation))

    return (
        (with_operation(Operation.DELETE), _encoder.encode(_ItemUid(item_uid))),
        (with_operation(Operation.UPDATE), None),
        (with_operation(Operation.CREATE), None),
    )


def is_seppuku(key: RecordKey) -> bool:
    """True for the record with which a demoted leader says that it wrote its last (clone-and-api.md 2.4)."""
    return key.value_class == SEPPUKU_CLASS


def synthetic_id(uid: str) -> int:
    """SipHash-2-4 of the uid, key bytes 00..0f, as signed 64-bit number (change-log.md 3.2)."""
    data = uid.encode()
    k0, k1 = int.from_bytes(_SIP_KEY[:8], "little"), int.from_bytes(_SIP_KEY[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(data) // 8 * 8
    tail = data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    for block in (*(data[i : i + 8] for i in range(0, whole, 8)), tail):
        word = int.from_bytes(block, "little")
        v[3] ^= word
        _sip_round(v)
        _sip_round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(4):
        _sip_round(v)
    digest = v[0] ^ v[1] ^ v[2] ^ v[3]
    return digest - (1 << 64) if digest >> 63 else digest


def _sip_round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _MASK
    v[1] = _rotl(v[1], 13) ^ v[0]
    v[0] = _rotl(v[0], 32)
    v[2] = (v[2] + v[3]) & _MASK
    v[3] = _rotl(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & _MASK
    v[3] = _rotl(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & _MASK
    v[1] = _rotl(v[1], 17) ^ v[2]
    v[2] = _rotl(v[2], 32)


def _rotl(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _MASK
