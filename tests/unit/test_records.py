import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmswitch.model.errors import RecordError
from bmswitch.model.records import (
    Envelope,
    Operation,
    RecordKey,
    decode_envelope,
    decode_item_uid,
    decode_key,
    delete_records,
    encode_envelope,
    encode_key,
    operation_for,
    partition_token,
    synthetic_id,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"))
KEYS = st.builds(RecordKey, TEXT, TEXT, TEXT, INT64, st.none() | TEXT, st.sampled_from(Operation))
DATES = st.none() | st.integers(0, 2**53)
RAW = st.recursive(st.none() | st.booleans() | INT64 | TEXT, st.lists, max_leaves=5).map(
    lambda v: msgspec.Raw(msgspec.json.encode(v))
)
ENVELOPES = st.builds(
    Envelope,
    value=RAW,
    uid=TEXT,
    internal_id=INT64,
    version=INT64,
    display_name=st.none() | TEXT,
    created=DATES,
    updated=DATES,
    flags=st.lists(st.sampled_from(["Seen", "Deleted", "Important"])).map(tuple),
    ids=RAW,
)
KEY = (
    b'{"type":"dir","owner":"system","uid":"f8de2c4a.internal","id":27,'
    b'"valueClass":"net.bluemind.directory.service.DirEntryAndValue","operation":"CREATE"}'
)


@given(KEYS)
def test_a_key_survives_the_wire(key: RecordKey) -> None:
    assert decode_key(encode_key(key)) == key


@given(ENVELOPES)
def test_an_envelope_survives_the_wire_byte_for_byte(envelope: Envelope) -> None:
    wire = encode_envelope(envelope)
    assert encode_envelope(decode_envelope(wire)) == wire
    assert decode_item_uid(wire) == envelope.uid


def test_a_documented_key_decodes_and_encodes_to_the_same_bytes() -> None:
    key = decode_key(KEY)
    assert (key.type, key.id, key.operation) == ("dir", 27, Operation.CREATE)
    assert encode_key(key) == KEY


@pytest.mark.parametrize(
    ("created", "operation"), [(b"true", Operation.CREATE), (b"false", Operation.UPDATE)]
)
def test_a_legacy_key_with_a_boolean_created_is_accepted(created: bytes, operation: Operation) -> None:
    legacy = KEY.replace(b'"operation":"CREATE"', b'"created":' + created)
    assert decode_key(legacy).operation is operation


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"null",
        b"{}",
        KEY[:-1],
        KEY.replace(b"27", b'"27"'),
        KEY.replace(b"dir", b"\xff"),
        KEY.replace(b',"operation":"CREATE"', b""),
    ],
)
def test_a_key_that_is_not_one_is_a_record_error(key: bytes) -> None:
    with pytest.raises(RecordError):
        decode_key(key)


@pytest.mark.parametrize("value", [b"", b"[]", b'{"value":1}', b'{"uid":"a"quote"}', b'{"uid":"\xff"}'])
def test_a_value_that_is_not_one_is_a_record_error(value: bytes) -> None:
    with pytest.raises(RecordError):
        decode_item_uid(value)
    with pytest.raises(RecordError):
        decode_envelope(value)


def test_unknown_fields_of_a_value_are_ignored() -> None:
    wire = b'{"value":{},"uid":"u","internalId":1,"version":2,"newField":[1]}'
    assert decode_envelope(wire).uid == "u"


def test_a_deletion_is_a_delete_and_two_tombstones_on_the_other_keys() -> None:
    deletes = delete_records(decode_key(KEY), "u")
    assert [(decode_key(k).operation, v) for k, v in deletes] == [
        (Operation.DELETE, b'{"uid":"u"}'),
        (Operation.UPDATE, None),
        (Operation.CREATE, None),
    ]
    assert deletes[2][0] == KEY


@pytest.mark.parametrize(
    ("created", "updated", "operation"),
    [(1, 1, "CREATE"), (None, None, "CREATE"), (1, None, "CREATE"), (None, 2, "UPDATE"), (1, 2, "UPDATE")],
)
def test_the_dates_alone_choose_the_operation(
    created: int | None, updated: int | None, operation: str
) -> None:
    assert operation_for(created, updated) == operation


def test_the_owner_chooses_the_partition_unless_it_is_system() -> None:
    key = decode_key(KEY)
    assert partition_token(key, "item") == "item"
    assert partition_token(msgspec.structs.replace(key, owner="leslie"), "item") == "leslie"


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("default", -1063323311728036185),
        ("replica", -6324049549963724595),
        ("32f29e0ac5063c73f8ab1ce6cc9c4c36e353fc19", 7721201661650206333),
    ],
)
def test_synthetic_ids_match_bluemind(uid: str, expected: int) -> None:
    assert synthetic_id(uid) == expected
