"""Which folders of a side's own log need an UPDATE before the side becomes a clone: compared with a naive model."""

from hypothesis import given
from hypothesis import strategies as st

from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.own_log import created_only

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([*Operation, None]), st.booleans()), max_size=40
)


def record(offset: int, folder: int, operation: Operation, *, value: bytes | None) -> LogRecord:
    key = RecordKey("replicated_mailboxes", "u1", "subtree_u1", folder, "X", operation)
    return LogRecord("t", folder % 2, offset, 0, encode_key(key), value)


@given(STEPS)
def test_a_folder_needs_it_exactly_when_its_last_word_is_a_create(
    steps: list[tuple[int, Operation | None, bool]],
) -> None:
    """`None` stands for a record of another type, which must change nothing; a tombstone says nothing either."""
    records, last = [], dict[int, tuple[Operation, int]]()
    for offset, (folder, operation, tombstone) in enumerate(steps):
        if operation is None:
            other = RecordKey("dir", "u1", "subtree_u1", folder, "X", Operation.DELETE)
            records.append(LogRecord("t", folder % 2, offset, 0, encode_key(other), b"{}"))
            continue
        records.append(record(offset, folder, operation, value=None if tombstone else b"{}"))
        if not tombstone:
            last[folder] = (operation, offset)
    wanted = {(f % 2, at) for f, (operation, at) in last.items() if operation is Operation.CREATE}
    # An UPDATE before a newer CREATE of the same folder was of an older life of it.
    assert created_only(records) == wanted


def test_a_key_that_is_not_understood_is_passed_over() -> None:
    broken = LogRecord("t", 0, 0, 0, b'{"type":"replicated_mailboxes"', b"{}")
    assert created_only([broken]) == set()
