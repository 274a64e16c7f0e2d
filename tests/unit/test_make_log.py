"""The made log: the same for the same seed, understood record by record, with everything that a real one has."""

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from bmswitch.lab.loadlog import installation_of as installation_of_dump
from bmswitch.lab.loadlog import read_dump
from bmswitch.lab.makelog import measured
from bmswitch.lab.makelog.story import Story, installation_of
from bmswitch.lab.makelog.write import to_folder
from bmswitch.model.errors import LabError
from bmswitch.model.partition import partition_of
from bmswitch.model.records import decode_item_uid, decode_key, partition_token

DOMAIN = "made.lan"


def story(users: int = 20, records: int = 12_000, seed: int = 1, sizes: str = "live") -> Story:
    return Story(users, records, seed=seed, domain=DOMAIN, installation=installation_of(seed), sizes=sizes)


def test_the_same_seed_makes_the_same_log_and_another_one_another() -> None:
    first, again, other = (list(story(5, 1500, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) == 1500


def test_each_record_is_whole_and_in_the_partition_of_its_key() -> None:
    for orphans, token, raw, value in story():
        key = decode_key(raw)
        assert orphans == (key.type in {"installation", "domains", "sysconf", "container_item_id_seq"})
        if value is not None:
            envelope = json.loads(value)
            assert partition_of(token) == partition_of(partition_token(key, decode_item_uid(value)))
            assert key.id == envelope.get("internalId", key.id)


def test_it_has_updates_deletions_bursts_old_shapes_and_letters_of_many_bytes() -> None:
    made = list(story())
    kinds = Counter((decode_key(key).type, value is None, key[-8:-2]) for _, _, key, value in made)
    mails, updates = (
        kinds["mailbox_records", False, b"CREATE"],
        kinds["replicated_mailboxes", False, b"UPDATE"],
    )
    assert updates / mails == pytest.approx(measured.FOLDER_UPDATES_A_MAIL, abs=0.05)
    assert kinds["mailbox_records", True, b"UPDATE"] == kinds["mailbox_records", True, b"CREATE"] > 20
    old = [
        key
        for _, _, key, value in made
        if b'"created":' in key or b'"roles"' in key or b"containerUid" in (value or b"")[:30]
    ]
    assert len(old) > 20
    assert any(b"\xe6\x97\xa5\xe6\x9c\xac" in (value or b"") for _, _, _, value in made)
    owners = [token for _, token, key, _ in made if b"message_bodies_es" in key]
    longest = max(
        len(run) for run in "".join("=" if a == b else " " for a, b in itertools.pairwise(owners)).split()
    )
    assert longest >= 15


def test_values_are_as_long_as_in_real_logs() -> None:
    for sizes in ("live", "export"):
        for name, wanted in (
            ("message_bodies", measured.BODY[sizes]),
            ("message_bodies_es_source", measured.SEARCH[sizes]),
        ):
            found = sorted(
                len(v)
                for _, _, key, v in story(2, 2000, sizes=sizes)
                if v and key.startswith(b'{"type":"%b"' % name.encode())
            )
            assert found[len(found) // 2] == pytest.approx(wanted.middle, rel=0.1)


def test_a_folder_of_it_loads_as_a_dump_and_is_never_written_over(tmp_path: Path) -> None:
    made = to_folder(story(3, 800), installation_of(1), DOMAIN, tmp_path / "log", lambda _: None)
    assert made.records == sum(made.topics.values()) == sum(kind.records for kind in made.kinds) == 800
    assert installation_of_dump(tmp_path / "log") == installation_of(1)
    assert len(read_dump(tmp_path / "log" / f"{DOMAIN}.jsonl.gz")) == list(made.topics.values())[1]
    with pytest.raises(LabError):
        to_folder(story(3, 800), installation_of(1), DOMAIN, tmp_path / "log", lambda _: None)
