"""The table of record types, and what the chain does with those that are not in it."""

import msgspec
import pytest

from bmswitch.model import topics
from bmswitch.model.record_types import PAYLOADS, RECORD_TYPES, is_known
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_envelope, decode_key, encode_key
from bmswitch.replication import chain as chain_module
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.legacy_records import LegacyRecords
from bmswitch.replication.cures.uidvalidity import UidValidity

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
TOPIC = topics.domain(IID, "x.lan")


def record(type_: str, value_class: str | None, *, old: bool = False) -> LogRecord:
    key = encode_key(RecordKey(type_, "u1", "c1", 7, value_class, Operation.CREATE))
    if old:
        key = key.replace(b'"operation":"CREATE"', b'"created":true')
    return LogRecord(
        TOPIC, 3, 9, 1, key, b'{"value":{"fullName":"INBOX"},"uid":"i1","internalId":7,"version":1}'
    )


def passed(chain: Chain, one: LogRecord) -> list[LogRecord] | None:
    return chain(one, decode_key(one.key))


def test_there_are_43_types_of_today_and_no_pair_twice() -> None:
    pairs = [(one.type, one.value_class) for one in RECORD_TYPES]
    assert len(set(pairs)) == len(pairs)
    assert sum(not one.legacy for one in RECORD_TYPES) == 43
    assert PAYLOADS.keys() <= set(pairs)


def test_a_type_that_nobody_knows_passes_is_counted_and_named() -> None:
    chain = Chain([LegacyRecords()])
    for one in (record("holograms", "a.B"), record("holograms", "a.B"), record("calendar", "a.Newer")):
        assert passed(chain, one) is None
    assert passed(chain, record("calendar", None)) is None
    assert chain.unknown == {("holograms", "a.B"): 2, ("calendar", "a.Newer"): 1}


def test_names_of_unknown_types_are_bounded_and_their_number_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_module, "NAMED", 2)
    chain = Chain([])
    for name in ("a", "b", "c", "d", "a"):
        passed(chain, record(name, "x.Y"))
    assert chain.unknown == {("a", "x.Y"): 2, ("b", "x.Y"): 1, ("others", None): 2}


def test_a_legacy_key_of_any_type_is_brought_up_to_date_and_then_cured_as_its_type() -> None:
    replica = "net.bluemind.backend.mail.replica.api.MailboxReplica"
    chain = Chain([LegacyRecords(), UidValidity()])
    out = passed(chain, record("replicated_mailboxes", replica, old=True))
    assert out is not None
    assert [one.key for one in out] == [
        encode_key(RecordKey("replicated_mailboxes", "u1", "c1", 7, replica, Operation.CREATE)),
        encode_key(RecordKey("replicated_mailboxes", "u1", "c1", 7, replica, Operation.UPDATE)),
    ]
    cards = passed(chain, record("addressbook", "net.bluemind.addressbook.api.VCard", old=True))
    assert cards is not None
    assert b'"operation":"CREATE"' in cards[0].key
    assert chain.unknown == {}


def test_without_its_cure_a_legacy_key_passes_as_it_is() -> None:
    one = record("addressbook", "net.bluemind.addressbook.api.VCard", old=True)
    assert passed(Chain([]), one) == [one]


@pytest.mark.parametrize("pair", PAYLOADS, ids=lambda pair: f"{pair[0]}")
def test_what_is_looked_into_ignores_what_it_does_not_know(pair: tuple[str, str | None]) -> None:
    fields = {
        "entry": {"kind": "USER", "more": 1},
        "defaultDataSourceSeq": 3,
        "fullName": "INBOX",
        "more": {},
    }
    envelope = decode_envelope(
        msgspec.json.encode({"value": fields, "uid": "u", "internalId": 1, "version": 1})
    )
    assert isinstance(msgspec.json.decode(envelope.value, type=PAYLOADS[pair]), PAYLOADS[pair])


def test_a_deletion_that_knows_no_class_is_of_its_key_s_type() -> None:
    assert is_known(("calendar", None))
    assert not is_known(("holograms", None))
