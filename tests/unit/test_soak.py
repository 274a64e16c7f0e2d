"""What the soak counts as a breach, and what is left in its report."""

import pytest

from bmswitch.model.config import Soak
from bmswitch.model.soak import Attempt, Protocol, figures, over_at_end, over_at_once, summary

LIMITS = Soak(failures_in_a_row=3, failure_share=0.25, latency_p95=0.1)


def attempts(told: str, *, ms: float = 10.0, protocol: Protocol = "imap", at: str = "a:143") -> list[Attempt]:
    """One attempt per letter: `.` went well, `x` did not."""
    return [
        Attempt(node="p", protocol=protocol, frontend=at, ms=ms, said="no greeting" if one == "x" else "")
        for one in told
    ]


@pytest.mark.parametrize(
    ("told", "at_once", "at_end"),
    [
        ("........", 0, 0),
        ("x.......", 0, 0),
        ("x.x.....", 0, 0),
        ("x.x.x...", 0, 1),
        ("..xx..xx", 0, 1),
        (".....xxx", 1, 1),
        ("xxx..........", 1, 1),
        ("x", 0, 1),
    ],
)
def test_failures_in_a_row_or_too_many_of_them_are_a_breach(told: str, at_once: int, at_end: int) -> None:
    seen = figures(attempts(told))
    assert len(over_at_once(seen, LIMITS)) == at_once
    assert len(over_at_end(seen, LIMITS)) == at_end


def test_each_frontend_is_judged_alone() -> None:
    seen = figures(attempts("." * 60) + attempts("xxx", at="b:143") + attempts("...", protocol="smtp"))
    breaches = over_at_end(seen, LIMITS)
    assert breaches == ["p imap b:143: 3 failures in a row: no greeting"]


@pytest.mark.parametrize(("slow", "breaches"), [(1, []), (3, ["p imap a:143: 95 % took up to 400 ms"])])
def test_slowness_counts_from_the_95th_percentile(slow: int, breaches: list[str]) -> None:
    seen = figures(attempts("." * (40 - slow)) + attempts("." * slow, ms=400.0))
    assert over_at_end(seen, LIMITS) == breaches


def test_figures_are_of_what_went_well() -> None:
    each = figures([*attempts("." * 98, ms=5), *attempts("..", ms=50), *attempts("x", ms=3000)])[0]
    assert (each.attempts, each.failures, each.row) == (101, 1, 1)
    assert (each.p50_ms, each.p95_ms, each.p99_ms) == (5.0, 5.0, 50.0)


def test_a_frontend_that_never_worked_has_no_latency() -> None:
    each = figures(attempts("xx"))[0]
    assert (each.p50_ms, each.p99_ms, each.said) == (0.0, 0.0, "no greeting")


def test_a_long_list_of_breaches_is_told_in_short() -> None:
    assert summary([]) == ""
    assert summary(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"
