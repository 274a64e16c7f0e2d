import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmswitch.model.murmur import default_folder_uid, murmur2, murmur2_partition, murmur3_128
from bmswitch.model.partition import java_hash, partition_of

VECTORS = {
    "bm-master": 36,
    "global.virt": 32,
    "core_tok": 16,
    "sysconf": 15,
    "container_item_id_seq": 41,
    "f8de2c4a.internal": 38,
    "f8de2c4a.internal_user_group": 48,
    "addressbook_f8de2c4a.internal": 8,
    "seppuku": 13,
    "cli-created-d095c2ea-2d5f-31c0-9224-30b8143818c1": 62,
}


@pytest.mark.parametrize(("token", "partition"), VECTORS.items())
def test_partitions_match_bluemind(token: str, partition: int) -> None:
    assert partition_of(token, 64) == partition


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("a", 97), ("seppuku", 1982139277), ("sysconf", -1737867407), ("é😀", 408_145)],
)
def test_the_string_hash_is_java_s(text: str, expected: int) -> None:
    if text == "é😀":  # two UTF-16 units for the face: 0xD83D, 0xDE00
        expected = (0xE9 * 31 + 0xD83D) * 31 + 0xDE00
    assert java_hash(text) == expected


@given(st.text(), st.integers(1, 1024))
def test_a_partition_is_java_s_abs_of_the_remainder(token: str, partitions: int) -> None:
    h = java_hash(token)
    remainder = h - int(h / partitions) * partitions  # Java's % truncates towards zero
    assert partition_of(token, partitions) == abs(remainder)


def test_kafka_s_murmur2_matches_its_own_test_vectors() -> None:
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF
    assert murmur2_partition("system", 8) == 6


def test_default_folders_have_derived_uids() -> None:
    mailbox = "user.cli-created-d095c2ea-2d5f-31c0-9224-30b8143818c1"
    assert default_folder_uid(mailbox, "f8de2c4a.internal", "INBOX") == "bf51ccfa-5bb0-e9d3-7364-d96450d883d9"


def test_murmur3_matches_the_published_vector_of_the_empty_text_and_a_long_one() -> None:
    assert murmur3_128(b"") == bytes(16)
    fox = b"The quick brown fox jumps over the lazy dog"
    assert murmur3_128(fox)[::-1].hex() == "7a433ca9c49a9347e34bbc7bbc071b6c"
