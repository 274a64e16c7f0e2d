"""What is kept with a committed place, what a successor does with it, and a sink that notices others."""

from collections.abc import Mapping

import pytest

from bmswitch.model.holding import Note, Takeover, read, takeover, written
from bmswitch.model.records import LogRecord
from bmswitch.replication.memory import MemorySink
from bmswitch.replication.sole_writer import SoleWriter


@pytest.mark.parametrize("since", [None, 0, 17])
@pytest.mark.parametrize("end", [None, 0, 99])
def test_a_note_is_read_as_it_was_written(since: int | None, end: int | None) -> None:
    assert read(written(since, end)) == Note(since, end, known=True)


@pytest.mark.parametrize("text", ["", "bmswitch", "- ", "7", "7 8 9", "-1 open", "x open", "3 closed"])
def test_what_is_not_ours_knows_nothing(text: str) -> None:
    assert read(text) == Note()


@pytest.mark.parametrize(
    ("note", "target_end", "wanted"),
    [
        ("", 500, Takeover(40, None, unclean=False)),
        ("- 500", 500, Takeover(40, None, unclean=False)),
        ("- open", 500, Takeover(40, 40, unclean=True)),
        ("10 500", 500, Takeover(40, 10, unclean=False)),
        ("10 500", 503, Takeover(10, 10, unclean=True)),
        ("10 open", 500, Takeover(10, 10, unclean=True)),
        ("60 open", 500, Takeover(40, 40, unclean=True)),
    ],
)
def test_a_successor_begins_before_everything_that_may_still_come_late(
    note: str, target_end: int, wanted: Takeover
) -> None:
    assert takeover(40, read(note), target_end) == wanted


class Target:
    """Ends of one topic of two partitions, moved by hand."""

    def __init__(self) -> None:
        self.ends = [5, 7]

    def __call__(self, topics: Mapping[str, int]) -> dict[str, list[int]]:
        return {name: list(self.ends) for name in topics}


def test_a_record_that_we_did_not_send_is_noticed_once_in_its_own_partition() -> None:
    target = Target()
    writer = SoleWriter(MemorySink([]), target, {"t": 2})
    assert writer.take([("t", 0), ("t", 1)]) == {("t", 0): 5, ("t", 1): 7}
    writer.send([LogRecord("t", 0, i, 1, b"k", b"v") for i in range(3)])
    writer.send([LogRecord("elsewhere", 0, 1, 1, b"k", b"v")])
    target.ends = [8, 7]
    assert writer.foreign() == []
    target.ends = [8, 9]
    assert writer.foreign() == [("t", 1)]
    assert writer.foreign() == []
    assert writer.end(("t", 1)) == 9
    writer.drop([("t", 1)])
    target.ends = [8, 99]
    assert writer.foreign() == []


def test_nothing_is_sent_by_one_that_must_not() -> None:
    written_there: list[LogRecord] = []
    writer = SoleWriter(MemorySink(written_there), Target(), {"t": 2})

    def refuse() -> None:
        raise RuntimeError

    writer.before = refuse
    with pytest.raises(RuntimeError):
        writer.send([LogRecord("t", 0, 1, 1, b"k", b"v")])
    writer.flush()
    assert written_there == []
