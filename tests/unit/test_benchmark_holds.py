"""Where the milliseconds of a hold are said to have gone."""

from typing import Any

from benchmarks.endurance import table
from benchmarks.holds import OWN, figures_of, hold_of, quantile


def line(at_ms: int, kind: str, verb: str = "", phase: str = "", took: int = 0) -> dict[str, Any]:
    row: dict[str, Any] = {"at_ms": at_ms, "kind": kind, "verb": verb, "phase": phase}
    return row | {"result": {"answer": "yes", "facts": {"took_ms": took}}} if kind == "effect" else row


def effect(begun: int, took: int, verb: str, phase: str) -> list[dict[str, Any]]:
    return [line(begun, "intent", verb, phase), line(begun + took + 1, "effect", verb, phase, took)]


SWITCH = [
    line(0, "start"),
    *effect(10, 4, "hold", "hold"),
    *effect(18, 5, "kick", "kick"),
    line(26, "phase", phase="drain"),
    *effect(50, 0, "drain", "drain"),
    *effect(55, 40, "barrier", "barrier"),
    *effect(100, 10, "demote-source", "fence"),
    *effect(115, 280, "settle", "fence"),
    *effect(400, 8, "prove", "prove"),
    *effect(410, 30, "stop-source", "stop-old"),
    *effect(445, 9, "promote-target", "promote"),
    *effect(456, 6, "probe-target", "promote"),
    *effect(465, 3, "flip-target", "flip"),
    *effect(470, 2, "release", "release"),
    *effect(475, 5000, "soak", "soak"),
]


def test_what_no_effect_took_is_our_own() -> None:
    hold = hold_of(SWITCH)
    assert hold is not None
    assert hold.ms == 473 - 10
    assert hold.parts["proxy"] == 4 + 3 + 2
    assert hold.parts["drain"] == 24
    assert hold.parts["linger_and_barrier"] == 280
    assert hold.parts["promote"] == 15
    assert sum(hold.parts.values()) == hold.ms
    assert hold.parts[OWN] == 463 - (9 + 5 + 24 + 40 + 10 + 280 + 8 + 30 + 15)


def test_only_the_newest_attempt_counts_and_one_without_release_has_no_hold() -> None:
    assert hold_of([*SWITCH, line(9000, "start"), *effect(9010, 4, "hold", "hold")]) is None
    assert hold_of([]) is None


def test_a_renewed_hold_does_not_count_twice() -> None:
    hold = hold_of([*SWITCH[:13], *effect(200, 7, "hold", "fence"), *SWITCH[13:]])
    assert hold is not None
    assert hold.parts["proxy"] == 9


def test_quantiles_are_values_that_were_seen() -> None:
    assert [quantile([5, 1, 3, 2, 4], share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 3, 5, 5]
    assert quantile([], 0.5) == 0


def test_figures_and_table_name_what_was_measured() -> None:
    hold = hold_of(SWITCH)
    assert hold is not None
    figures = {f"haproxy_{k}": v for k, v in figures_of([hold]).items()} | {"haproxy_requests": 1_000_000}
    told = table({"figures": figures, "machine": {"cpus": 2, "system": "x", "python": "3.11"}})
    assert "| requests through | 1,000,000 |" in told
    assert "| hold, median ms | 463 |" in told
    assert figures_of([]) == {"switches": 0}
