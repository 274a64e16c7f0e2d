"""How far another machine's clock is from ours, by the date of its answer."""

from email.utils import formatdate

import pytest

from bmswitch.workflows.facts.clocks import ahead_of

NOON = 1_700_000_000.0


@pytest.mark.parametrize("ahead", [-3600, -7, 0, 7, 3600])
def test_a_date_says_how_far_its_clock_is_from_ours(ahead: int) -> None:
    found = ahead_of(formatdate(NOON + ahead, usegmt=True), NOON + 0.4, NOON + 0.6)
    assert found == pytest.approx(ahead)


def test_a_slow_answer_was_dated_halfway() -> None:
    assert ahead_of(formatdate(NOON + 1, usegmt=True), NOON, NOON + 3) == pytest.approx(0)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:00:00 GMT"])
def test_no_date_is_not_known(date: str) -> None:
    assert ahead_of(date, NOON, NOON) is None
