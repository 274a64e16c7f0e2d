from pathlib import Path

import pytest

from bmswitch.model.differences import Place
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.parity import ledger
from bmswitch.parity.ledger import Ledger, touched_since

D = "lab.test"
TOPIC = "0123456789abcdef0123456789abcdef-" + D
START = {TOPIC: [10, 20]}


def record(offset: int, uid: str = "n", number: int = 5) -> LogRecord:
    key = RecordKey("notes", "u1", "notes:default_u1", number, "c", Operation.UPDATE)
    return LogRecord(TOPIC, 0, offset, 0, encode_key(key), b'{"uid":"%b"}' % uid.encode())


def filled(path: Path, *, plan: str = "p1") -> Ledger:
    made = Ledger(path, plan, START)
    made.see(record(10))
    made.see(record(11, "m", 6))
    made.flush({(TOPIC, 0): 12})
    return made


def test_what_was_touched_since_the_proof_is_known_and_how_far(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    filled(path).close()
    touched, reached = touched_since(path, "p1", START) or pytest.fail("not trusted")
    assert touched.places == {
        Place(D, "u1", "notes:default_u1", "notes"): {"n": frozenset({5}), "m": frozenset({6})}
    }
    assert reached == {TOPIC: [12, 20]}


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    filled(path).close()
    again = Ledger(path, "p1", {TOPIC: [12, 20]})
    again.see(record(12, "o", 7))
    again.flush({(TOPIC, 0): 13})
    again.close()
    touched, reached = touched_since(path, "p1", START) or pytest.fail("not trusted")
    assert touched.items == 3
    assert reached == {TOPIC: [13, 20]}


@pytest.mark.parametrize("why", ["another plan", "a proof from before it", "no file", "damaged start"])
def test_what_does_not_belong_is_not_trusted(tmp_path: Path, why: str) -> None:
    path = tmp_path / "touched.ndjson"
    if why != "no file":
        filled(path, plan="p2" if why == "another plan" else "p1").close()
    if why == "damaged start":
        raw = path.read_bytes()
        path.write_bytes(raw[:5] + b"x" + raw[6:])
    position = {TOPIC: [9, 20]} if why == "a proof from before it" else START
    assert touched_since(path, "p1", position) is None


def test_a_gap_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    filled(path).close()
    Ledger(path, "p1", {TOPIC: [15, 20]}).close()
    assert touched_since(path, "p1", START) is None
    assert touched_since(path, "p1", {TOPIC: [15, 20]}) is not None


def test_a_torn_or_changed_line_ends_what_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    made = filled(path)
    made.see(record(12, "o", 7))
    made.flush({(TOPIC, 0): 13})
    made.close()
    raw = path.read_bytes()
    for broken in (raw[:-3], raw.replace(b'"o"', b'"x"')):
        path.write_bytes(broken)
        touched, reached = touched_since(path, "p1", START) or pytest.fail("not trusted")
        assert touched.items == 2
        assert reached == {TOPIC: [12, 20]}


def test_an_item_that_changes_often_costs_one_entry(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    made = Ledger(path, "p1", START)
    for offset in range(10, 1000):
        made.see(record(offset))
    made.flush({(TOPIC, 0): 1000})
    made.close()
    assert path.stat().st_size < 500


def test_it_begins_anew_when_it_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_BYTES", 300)
    path = tmp_path / "touched.ndjson"
    made = filled(path)
    for offset in range(12, 20):
        made.see(record(offset, f"x{offset}", offset))
        made.flush({(TOPIC, 0): offset + 1})
    made.close()
    assert path.stat().st_size < 900
    assert touched_since(path, "p1", START) is None
    assert touched_since(path, "p1", {TOPIC: [20, 20]}) is not None


def test_topics_that_are_new_begin_at_their_start(tmp_path: Path) -> None:
    path = tmp_path / "touched.ndjson"
    filled(path).close()
    new = TOPIC.replace(D, "new.test")
    _, reached = touched_since(path, "p1", START | {new: [3]}) or pytest.fail("not trusted")
    assert reached == {TOPIC: [12, 20], new: [3]}
