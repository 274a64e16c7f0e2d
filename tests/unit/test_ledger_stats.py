"""Latencies, gaps and the shapes that the load writes."""

import math
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmswitch.lab.traffic.people import people
from bmswitch.lab.traffic.shapes import content_of, load_id_of, mail_content, value_of
from bmswitch.lab.traffic.stats import Histogram, Stats


@given(st.lists(st.floats(min_value=0.1, max_value=60_000), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_quantiles_are_within_two_percent(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.02)
    assert histogram.result().max_ms == pytest.approx(max(values), abs=0.01)


def test_an_empty_histogram_is_zero() -> None:
    assert Histogram().quantile(0.5) == 0


def test_latency_counts_from_the_scheduled_moment_and_silence_is_a_gap() -> None:
    stats = Stats()
    stats.begin()
    stats.sent("http")
    stats.answered("http", time.monotonic() - 2.0)
    stats.stop()
    summary = stats.summary(rate=1, writes={}, idle_sessions=0)
    assert summary.longest_pause_ms == pytest.approx(2000, abs=200)
    assert summary.latency["http"].max_ms == pytest.approx(2000, abs=200)
    assert summary.longest_gap_ms < 1000
    assert summary.requests.http == 1
    assert [second.answered for second in summary.timeline] == [1]


def test_only_twenty_reasons_are_kept_but_all_failures_are_counted() -> None:
    stats = Stats()
    for number in range(30):
        stats.failed("imap", f"reason {number}")
    stats.failed("imap", "reason 0")
    summary = stats.summary(rate=1, writes={}, idle_sessions=0)
    assert summary.requests.failed == 31
    assert len(summary.failures) == 20
    assert summary.failures["imap: reason 0"] == 2


def test_what_is_written_shows_the_id_of_its_write() -> None:
    for kind in ("calendars", "addressbooks"):
        assert content_of(kind, msgspec.Raw(value_of(kind, "u", "w1-7"))) == "w1-7"
    mail = mail_content("w1a-7", "a@x", "b@x", 3000)
    assert 2900 < len(mail) < 3500
    message_id = mail.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
    assert load_id_of(message_id) == "w1a-7"
    assert load_id_of("<someone@else>") == ""


def test_a_person_does_not_show_its_secrets() -> None:
    person = people("lab.test", 1, "load-secret")[0]
    person.token = "load-token"
    assert "load-secret" not in repr(person)
    assert "load-token" not in repr(person)
