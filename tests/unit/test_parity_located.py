import pytest

from bmswitch.model.causes import CAUSES, likely_cause
from bmswitch.model.differences import Difference, LogPlace, Place, difference
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.parity.located import Newest, told, wanted_partitions

D = "lab.test"
TOPIC = "0123456789abcdef0123456789abcdef-" + D
NOTES = Place(D, "u1", "notes:default_u1", "notes")


def record(offset: int, operation: Operation, *, uid: str = "n", kind: str = "notes") -> LogRecord:
    key = RecordKey(kind, "u1", "notes:default_u1", 5, "c", operation)
    return LogRecord(TOPIC, 3, offset, 0, encode_key(key), b'{"uid":"%b"}' % uid.encode())


def missing(side: str = "source", place: Place = NOTES, item: str = "n") -> Difference:
    return difference(place, item, side, "missing")  # type: ignore[arg-type]


def test_the_newest_record_of_a_differing_item_is_kept() -> None:
    newest = Newest([missing()])
    for offset, operation in ((1, Operation.CREATE), (7, Operation.UPDATE)):
        newest.take(record(offset, operation))
    newest.take(record(9, Operation.UPDATE, uid="other"))
    (found,) = told([missing()], newest)
    assert found.record == LogPlace(TOPIC, 3, 7, "UPDATE")


def test_a_log_without_a_record_says_that_the_source_never_logged_it() -> None:
    (found,) = told([missing()], Newest([missing()]))
    assert found.record is None
    assert "never logged" in (found.cause or "")


def test_a_log_that_was_not_read_says_nothing_of_it() -> None:
    (found,) = told([missing()], None)
    assert "never logged" not in (found.cause or "")


def test_only_the_partitions_of_the_owners_are_read() -> None:
    topics = {TOPIC: 64, "0123456789abcdef0123456789abcdef-__orphans__": 64}
    wanted = wanted_partitions([missing()], topics)
    assert wanted == {TOPIC: {partition_of("u1"), partition_of("n")}}
    members = missing("both", Place(D, "g1", "", "side"), "members")
    assert wanted_partitions([members], topics) == {TOPIC: set(range(64))}


@pytest.mark.parametrize(
    ("found", "log", "words"),
    [
        (missing("target"), "DELETE", "DELETE did not arrive"),
        (missing("target"), "", "made by the target itself"),
        (missing("source"), "DELETE", "made again without a record"),
        (missing("source"), "UPDATE", "swallowed"),
        (difference(NOTES, "n", "both", "id"), "UPDATE", "not restored"),
        (difference(NOTES, "n", "both", "body"), "", "never logged this change"),
        (difference(NOTES, "n", "both", "body"), "UPDATE", "newest record did not arrive"),
        (missing("source", Place(D, "u1", "mbox_records_x", "mailbox_records")), "UPDATE", "skipped"),
        (difference(Place(D, "u1", "", "side"), "mail filter", "both", "rules[]"), None, "rebuilds"),
        (
            difference(Place(D, "u1", "s", "replicated_mailboxes"), "f", "both", "uidValidity"),
            "CREATE",
            "`uidvalidity`",
        ),
    ],
)
def test_the_likely_cause_is_named(found: Difference, log: str | None, words: str) -> None:
    assert words in (likely_cause(found, log) or "")


def test_every_cause_cites_its_source() -> None:
    assert all(".md " in cause.said for cause in CAUSES)
