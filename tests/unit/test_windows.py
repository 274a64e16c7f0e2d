"""Who wrote when: from the clients' ledger, and from the switch's own journal."""

import msgspec
import pytest
from tests.unit.test_switch_decisions import Table, no

from bmswitch.cli.lab_traffic import _show_checked
from bmswitch.cli.render import console
from bmswitch.lab.supervisor.load import Checked
from bmswitch.lab.traffic.check import judge
from bmswitch.lab.traffic.ledger import Entry, Outcome, Protocol
from bmswitch.lab.traffic.serving import State as Found
from bmswitch.lab.traffic.windows import Window, windows
from bmswitch.model.switch import Powers
from bmswitch.model.switch.windows import windows as windows_of


def wrote(at: float, side: str, protocol: Protocol = "http", outcome: Outcome = "acknowledged") -> Entry:
    return Entry(
        id=f"w-{at}",
        protocol=protocol,
        kind="any",
        object="o",
        expected="absent",
        scheduled=at,
        sent=at,
        answered=at,
        outcome=outcome,
        side=side,
    )


def seen(*entries: Entry, protocol: str = "all") -> list[tuple[str, str, float, float]]:
    found = [window for window in windows(entries) if window.protocol == protocol]
    return [(w.source, w.target, w.gap_ms, w.overlap_ms) for w in found]


def test_the_gap_is_from_the_last_write_on_one_side_to_the_first_on_the_other() -> None:
    entries = [wrote(1.0, "blue"), wrote(10.0, "blue"), wrote(10.75, "green"), wrote(20.0, "green")]
    assert seen(*entries) == [("blue", "green", 750.0, 0.0)]
    (window, _) = windows(entries)
    assert isinstance(window, Window)
    assert (window.last_on_source, window.first_on_target) == (10.0, 10.75)


def test_both_sides_in_turn_are_an_overlap_and_no_gap() -> None:
    sides = [(1.0, "blue"), (9.0, "blue"), (9.1, "green"), (9.2, "blue"), (9.3, "green"), (15.0, "green")]
    assert seen(*(wrote(at, side) for at, side in sides)) == [("blue", "green", 0.0, 100.0)]


def test_a_single_stray_write_on_the_other_side_is_an_overlap() -> None:
    sides = [(1.0, "blue"), (5.0, "blue"), (5.1, "green"), (5.1004, "green"), (5.2, "blue"), (9.0, "blue")]
    assert seen(*(wrote(at, side) for at, side in sides)) == [("blue", "green", 0.0, 0.4)]


def test_there_and_back_are_two_hand_overs() -> None:
    sides = [(1.0, "blue"), (5.0, "blue"), (5.5, "green"), (9.0, "green"), (9.7, "blue"), (12.0, "blue")]
    assert seen(*(wrote(at, side) for at, side in sides)) == [
        ("blue", "green", 500.0, 0.0),
        ("green", "blue", 700.0, 0.0),
    ]


def test_one_write_alone_between_there_and_back_is_no_overlap() -> None:
    assert seen(wrote(1.0, "blue"), wrote(5.0, "blue"), wrote(7.0, "green"), wrote(9.0, "blue")) == [
        ("blue", "green", 2000.0, 0.0),
        ("green", "blue", 2000.0, 0.0),
    ]


def test_each_protocol_has_its_own_and_what_was_not_acknowledged_does_not_count() -> None:
    entries = [
        wrote(1.0, "blue"),
        wrote(2.0, "blue", "imap"),
        wrote(3.0, "green", outcome="unknown"),
        wrote(4.0, "green", "imap"),
        wrote(4.5, "green"),
        wrote(4.6, ""),
    ]
    assert seen(*entries) == [("blue", "green", 2000.0, 0.0)]
    assert seen(*entries, protocol="imap") == [("blue", "green", 2000.0, 0.0)]
    assert seen(*entries, protocol="http") == [("blue", "green", 3500.0, 0.0)]
    assert seen(*entries, protocol="smtp") == []


def test_what_is_printed_fits_80_columns_and_an_overlap_is_not_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [wrote(1.0, "blue"), wrote(1.75, "green"), wrote(1.8, "blue"), wrote(1.9, "green")]
    seen_by_all = msgspec.structs.replace(judge([], Found()), windows=windows(entries))
    assert (seen_by_all.clean, round(seen_by_all.overlap_ms)) == (False, 50)
    _show_checked(console(), Checked("green", seen_by_all))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[-1].split()[-2:] == ["0", "50"]
    assert lines[-1].startswith("http")


def test_one_side_only_has_no_hand_over() -> None:
    assert windows([wrote(1.0, "blue"), wrote(2.0, "blue")]) == []
    assert windows([]) == []


def test_the_journal_bounds_both_windows_of_a_switch() -> None:
    table = Table()
    found = windows_of(table.run())
    assert (found.both_ms, found.fenced_by) == (0, "stop")
    assert 0 < found.nobody_ms < 500
    assert windows_of(Table(Powers(stop=False)).run()).fenced_by == "demote"


def test_a_switch_that_was_put_back_is_bounded_to_the_moment_at_which_the_source_took_a_write_again() -> None:
    table = Table()
    table.answers["prove"] = no()
    found = windows_of(table.run())
    assert (found.both_ms, found.fenced_by) == (0, "")
    assert found.nobody_ms > 0


def test_nothing_was_held_so_there_is_no_window() -> None:
    table = Table()
    table.green = "RUNNING"
    assert windows_of(table.run()).nobody_ms == 0
