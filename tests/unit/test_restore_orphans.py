from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bmswitch.lab.restore import orphans
from bmswitch.lab.restore.context import Reporter
from bmswitch.lab.restore.owners import Owners
from bmswitch.lab.store import Store
from bmswitch.model.errors import CloneError
from bmswitch.model.records import (
    CORE_TOKEN_CLASS,
    SERVER_CLASS,
    Envelope,
    Operation,
    RecordKey,
    encode_envelope,
    encode_key,
)

BLUE, GREEN = "bluemind-blue", "bluemind-green"
Raw = tuple[bytes | None, bytes | None, int, int]


def record(kind: str, uid: str, value: Any, offset: int, value_class: str = "", *, number: int = 8) -> Raw:
    key = RecordKey(kind, "system", f"{kind}_{BLUE}", number, value_class, Operation.CREATE)
    envelope = Envelope(
        value=msgspec.Raw(msgspec.json.encode(value)),
        uid=uid,
        internal_id=number,
        version=3,
        value_class=value_class,
    )
    return encode_key(key), encode_envelope(envelope), 0, offset


def sequence(highest: int, offset: int = 90) -> Raw:
    value = {"defaultDataSourceSeq": 78, "mailboxDataSourceSeq": {"bm-master": highest}}
    return record("container_item_id_seq", "container_item_id_seq", value, offset)


def server(uid: str, address: str, offset: int, *tags: str) -> Raw:
    return record("installation", uid, {"ip": address, "tags": list(tags)}, offset, SERVER_CLASS)


def sysconf(offset: int, **values: str) -> Raw:
    return record("sysconf", "sysconf", {"values": values}, offset)


class Site:
    def __init__(
        self, *, exact: bool = False, servers: dict[str, str] | None = None, **overrides: str
    ) -> None:
        self.store = Store(":memory:")
        self.log: list[str] = []
        self.touched: list[str] = []
        self.tracker = orphans.Tracker(self.store, self.log.append, exact=exact)
        self.target = orphans.Target(
            installation_id=GREEN,
            servers=servers or {},
            sysconf=overrides,
            exact=exact,
            configured=self.touched.append,
        )

    def restore(self, *records: Raw) -> orphans.Found:
        grouped = orphans.decode(records)
        return orphans.restore(self.store, grouped, self.tracker, self.target, Reporter(self.log.append))

    def address(self, uid: str) -> str:
        item = self.store.item(GREEN, uid)
        assert item is not None
        return str(msgspec.json.decode(item.value)["ip"])


def test_mapped_servers_get_their_new_address_and_others_keep_blues_and_are_configured() -> None:
    site = Site(servers={"bm-master": "10.0.0.2"})
    site.restore(
        server("bm-master", "10.0.0.1", 0, "bm/core"),
        server("bm-edge", "10.0.0.9", 1, "bm/nginx"),
        sequence(1),
    )
    assert (site.address("bm-master"), site.address("bm-edge")) == ("10.0.0.2", "10.0.0.9")
    assert site.touched == ["10.0.0.9"]


def test_the_last_record_of_a_server_wins_and_core_comes_first() -> None:
    site = Site()
    site.restore(
        server("edge", "10.0.0.3", 0),
        server("core", "10.0.0.1", 1, "bm/core"),
        server("edge", "10.0.0.4", 2),
        sequence(1),
    )
    assert site.touched == ["10.0.0.1", "10.0.0.4"]


def test_configured_machines_are_written_to_the_actions_log(tmp_path: Path) -> None:
    write: Callable[[str], None] = orphans.configured_log(str(tmp_path))
    write("10.0.0.1")
    write("10.0.0.2")
    assert (tmp_path / "actions.log").read_text() == "configured 10.0.0.1\nconfigured 10.0.0.2\n"


def test_without_an_id_sequence_there_is_no_clone() -> None:
    site = Site()
    with pytest.raises(CloneError, match="container_item_id_seq"):
        site.restore(server("core", "10.0.0.1", 1))
    assert site.store.container(GREEN) is None


def test_the_sequence_is_a_million_ahead_and_moves_again_after_nine_hundred_thousand() -> None:
    site = Site()
    site.restore(sequence(100), sequence(200, 91))
    assert site.store.id_sequence() == 1_000_200
    for highest, expected in ((900_199, 1_000_200), (900_200, 1_900_200), (5, 1_900_200)):
        value = sequence(highest)[1]
        assert value is not None
        site.tracker.feed(value)
        assert site.store.id_sequence() == expected
    assert any("Leaving item_id_seq alone" in line for line in site.log)


def test_a_bootstrap_continues_the_sequence_where_it_was() -> None:
    site = Site(exact=True)
    site.restore(sequence(200))
    assert site.store.id_sequence() == 200


def test_domains_with_a_topic_and_their_settings() -> None:
    site = Site()
    found = site.restore(
        record("domains", "global.virt", {"name": "global.virt"}, 0, orphans.DOMAIN_CLASS, number=1),
        record("domains", "lab.test", {"name": "lab.test"}, 1, orphans.DOMAIN_CLASS, number=9),
        record("domains", "lab.test", {"domainUid": "lab.test", "settings": {"lang": "fr"}}, 2, orphans.DOMAIN_SETTINGS_CLASS, number=9),
        record("domains", "lab.test", {"lang": "fr"}, 3, "java.util.HashMap", number=9),
        sequence(1),
    )  # fmt: skip
    assert found.domains == {"lab.test"}
    assert "Dealt with 1 domain(s)" in site.log
    directory, settings = (
        site.store.container("lab.test"),
        site.store.side("domain_settings", "lab.test", "lab.test"),
    )
    assert directory is not None
    assert (directory.type, directory.owner) == ("dir", "system")
    assert settings is not None
    assert b'"lang":"fr"' in settings.value
    item = site.store.item(f"domains_{GREEN}", "lab.test")
    assert item is not None
    assert item.id == 9


def test_sysconf_merges_the_last_record_over_what_is_there_and_overrides_win() -> None:
    site = Site(external_url="green.lab.test")
    for _ in range(2):
        site.restore(
            sysconf(0, external_url="old"), sysconf(1, external_url="blue.lab.test", host="h"), sequence(1)
        )
    side = site.store.side("sysconf", "system", "sysconf")
    assert side is not None
    assert msgspec.json.decode(side.value) == {"values": {"external_url": "green.lab.test", "host": "h"}}


def test_the_core_token_with_the_highest_offset_counts() -> None:
    site = Site()
    tokens = [
        record("installation", "core_tok", {"key": f"token-{n}"}, n, CORE_TOKEN_CLASS, number=-1)
        for n in (2, 7, 5)
    ]
    assert site.restore(*tokens, sequence(1)).token == "token-7"


def test_deletions_and_null_values_of_orphans_are_not_interpreted() -> None:
    site = Site()
    key = RecordKey("installation", "system", BLUE, 8, SERVER_CLASS, Operation.DELETE)
    gone = (encode_key(key), b'{"uid":"core"}', 0, 5)
    site.restore(server("core", "10.0.0.1", 1), gone, (encode_key(key), None, 0, 6), sequence(1))
    assert site.address("core") == "10.0.0.1"


def test_owners_are_known_from_create_until_delete_and_never_from_update() -> None:
    owners = Owners()

    def feed(uid: str, operation: Operation, kind: str = "dir") -> None:
        key = RecordKey(kind, "system", "lab.test", 1, None, operation)
        owners.feed(encode_key(key), msgspec.json.encode({"uid": uid}))

    feed("u1", Operation.CREATE)
    feed("u2", Operation.UPDATE)
    feed("u3", Operation.CREATE, "memberships")
    owners.feed(b"broken", b"{}")
    owners.feed(None, None)
    assert owners.knows("system")
    assert owners.knows("u1/older syntax")
    assert not owners.knows("u2")
    assert not owners.knows("u3")
    feed("u1", Operation.DELETE)
    assert not owners.knows("u1")
