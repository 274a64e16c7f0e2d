"""The ledger's fold and the verdict on it, without any installation."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmswitch.lab.traffic.check import Verdict, judge
from bmswitch.lab.traffic.ledger import Entry, Outcome, fold, read_ledger
from bmswitch.lab.traffic.serving import State

EVENT = "calendars/calendar:Default:load-00/e1"
MAIL = "mail/load-00/INBOX/w1-1"


def entry(name: str, expected: str, outcome: Outcome = "acknowledged", number: int = 1) -> Entry:
    return Entry(
        id=f"w1-{number}",
        protocol="http",
        kind="any",
        object=name,
        expected=expected,
        scheduled=1.0,
        sent=1.0,
        answered=2.0,
        outcome=outcome,
    )


def verdict(entries: list[Entry], found: dict[str, list[str]]) -> Verdict:
    state = State()
    for name, copies in found.items():
        for copy in copies:
            if name.startswith("mail/"):
                state.add_mail(name, copy.split())
            else:
                state.add(name, copy)
    return judge(fold(entries), state)


def test_the_newest_acknowledged_write_counts() -> None:
    entries = [entry(EVENT, "present:w1-1", number=1), entry(EVENT, "present:w1-2", number=2)]
    good = verdict(entries, {EVENT: ["present:w1-2"]})
    assert (good.clean, good.acknowledged, good.checked, good.superseded) == (True, 2, 1, 1)
    stale = verdict(entries, {EVENT: ["present:w1-1"]})
    assert (stale.lost, stale.first_lost[0].write, stale.first_lost[0].found) == (1, "w1-2", ["present:w1-1"])


def test_a_missing_object_is_lost_and_a_resurrected_one_too() -> None:
    assert verdict([entry(EVENT, "present:w1-1")], {}).lost == 1
    deleted = [entry(EVENT, "present:w1-1"), entry(EVENT, "absent", number=2)]
    assert verdict(deleted, {}).clean
    assert verdict(deleted, {EVENT: ["present:w1-1"]}).lost == 1


def test_an_unknown_write_may_or_may_not_have_happened() -> None:
    entries = [entry(EVENT, "present:w1-1"), entry(EVENT, "present:w1-2", "unknown", 2)]
    happened = verdict(entries, {EVENT: ["present:w1-2"]})
    assert (happened.clean, happened.unknown, happened.unknown_present) == (True, 1, 1)
    did_not = verdict(entries, {EVENT: ["present:w1-1"]})
    assert (did_not.clean, did_not.unknown, did_not.unknown_present) == (True, 1, 0)
    assert verdict(entries, {}).lost == 1


def test_an_unknown_creation_alone_is_never_lost_but_can_be_doubled() -> None:
    entries = [entry(MAIL, "once", "unknown")]
    assert verdict(entries, {}).clean
    once = verdict(entries, {MAIL: [""]})
    assert (once.clean, once.unknown_present, once.checked) == (True, 1, 0)
    assert verdict(entries, {MAIL: ["", ""]}).duplicated == 1


def test_a_refused_write_that_is_there_is_told() -> None:
    found = verdict([entry(MAIL, "once", "refused")], {MAIL: [""]})
    assert (found.clean, found.refused, found.refused_present) == (True, 1, 1)


def test_flags_and_presence_of_a_mail_are_judged_apart() -> None:
    entries = [entry(MAIL, "once"), entry(MAIL, "flags:\\Flagged \\Seen", number=2)]
    assert verdict(entries, {MAIL: ["\\Seen \\Flagged"]}).clean
    wrong = verdict(entries, {MAIL: ["\\Seen"]})
    assert (wrong.lost, wrong.first_lost[0].write) == (1, "w1-2")
    assert verdict(entries, {}).lost == 2


def test_no_flags_is_a_state_too() -> None:
    entries = [entry(MAIL, "once"), entry(MAIL, "flags:", number=2)]
    assert verdict(entries, {MAIL: [""]}).clean
    assert verdict(entries, {MAIL: ["\\Seen"]}).lost == 1


def test_only_the_first_twenty_are_named() -> None:
    entries = [entry(f"calendars/c/e{n}", "present:x", number=n) for n in range(30)]
    found = verdict(entries, {})
    assert (found.lost, len(found.first_lost)) == (30, 20)


def test_a_line_cut_by_a_kill_is_left_out_and_a_damaged_one_is_not_hidden(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    lines = msgspec.json.Encoder().encode_lines([entry(EVENT, "absent"), entry(MAIL, "once")])
    path.write_bytes(lines + b'{"id":"w1-3","proto')
    assert [each.object for each in read_ledger(path)] == [EVENT, MAIL]
    path.write_bytes(b"damaged\n" + lines)
    with pytest.raises(msgspec.DecodeError):
        list(read_ledger(path))


@given(
    outcomes=st.lists(st.sampled_from(["acknowledged", "refused", "unknown"]), min_size=1, max_size=12),
    executed=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_an_honest_installation_is_never_accused(outcomes: list[Outcome], executed: list[bool]) -> None:
    """Acknowledged writes happened, refused ones did not, unknown ones may have: whatever follows is clean."""
    entries, now = [], None
    for number, outcome in enumerate(outcomes):
        wanted = f"present:w1-{number}"
        entries.append(entry(EVENT, wanted, outcome, number))
        if outcome == "acknowledged" or (outcome == "unknown" and executed[number]):
            now = wanted
    assert verdict(entries, {EVENT: [now]} if now else {}).clean
