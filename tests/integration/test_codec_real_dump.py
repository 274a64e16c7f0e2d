"""Every record of a real BlueMind 5 log decodes, encodes to the same bytes and lands in its recorded partition."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bmswitch.model.murmur import default_folder_uid
from bmswitch.model.partition import partition_of
from bmswitch.model.records import (
    Operation,
    decode_envelope,
    decode_item_uid,
    decode_key,
    encode_envelope,
    encode_key,
    partition_token,
)

DEFAULT = Path(__file__).parents[2] / "../shared/data/bluemind-dump"
DUMP = Path(os.environ.get("BMSWITCH_REAL_LOG") or DEFAULT)

pytestmark = pytest.mark.skipif(not DUMP.is_dir(), reason="no real log: set BMSWITCH_REAL_LOG")


class Line(msgspec.Struct):
    key: msgspec.Raw
    partition: int
    offset: int
    value: msgspec.Raw


def dumped() -> Iterator[Line]:
    for name in ("orphans", "f8de2c4a.internal"):
        with gzip.open(DUMP / f"{name}.jsonl.gz", "rb") as lines:
            for line in lines:
                yield msgspec.json.decode(line, type=Line)


def test_every_record_survives_byte_for_byte_and_lands_in_its_partition() -> None:
    count = 0
    for line in dumped():
        wire, value = bytes(line.key), bytes(line.value)
        key = decode_key(wire)
        assert encode_key(key) == wire
        assert partition_of(partition_token(key, decode_item_uid(value)), 64) == line.partition
        if key.operation is not Operation.DELETE:
            envelope = decode_envelope(value)
            assert encode_envelope(envelope) == value
            assert (envelope.internal_id, envelope.value_class) == (key.id, key.value_class)
        count += 1
    assert count == 2855


def test_default_folders_of_users_have_the_derived_uid() -> None:
    seen = 0
    for line in dumped():
        key = decode_key(bytes(line.key))
        if key.type != "replicated_mailboxes" or ".internal" in key.uid or "!user." not in key.uid:
            continue
        envelope = decode_envelope(bytes(line.value))
        if envelope.display_name == "INBOX":
            assert default_folder_uid(f"user.{key.owner}", "f8de2c4a.internal", "INBOX") == envelope.uid
            seen += 1
    assert seen > 0
