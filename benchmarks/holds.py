"""Where each millisecond of a hold went, from the journal of its switch. Pure.

The components are what each effect took (`took_ms`, in whole milliseconds); what is left of the hold between the first
hold's intent and the answer of the release is our own: looks at cores and nodes, decisions, journal, hand-over between
threads. So everything that is not an effect's counts as ours, other programs' share of the processor included.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

OWN = "own"
COMPONENTS: dict[str, tuple[str, ...]] = {
    "proxy": ("hold", "flip-target", "release"),
    "kick": ("kick",),
    "drain": (),
    "barrier": ("barrier",),
    "demote": ("demote-source",),
    "linger_and_barrier": ("settle",),
    "prove": ("prove",),
    "stop": ("stop-source",),
    "revoke": ("revoke-source",),
    "promote": ("promote-target", "probe-target"),
}
"""Effects of each component. The drain has none: it is the time of the looks that must find nothing."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One switch: milliseconds of the whole hold and of each component, with `own` for what is left."""

    ms: int
    parts: dict[str, int]


def last_attempt(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a journal from its newest start on."""
    starts = [number for number, row in enumerate(rows) if row["kind"] == "start"]
    return list(rows[starts[-1] :]) if starts else []


def hold_of(rows: Sequence[dict[str, Any]]) -> Hold | None:
    """The hold of the newest attempt, if it held and released."""
    attempt = last_attempt(rows)
    begun = next((row["at_ms"] for row in attempt if is_intent(row, "hold")), None)
    ended = next((row["at_ms"] for row in attempt if is_answer(row, "release")), None)
    if begun is None or ended is None:
        return None
    took: dict[str, int] = {}
    for row in attempt:
        if row["kind"] == "effect" and row["at_ms"] <= ended:
            took.setdefault(row["verb"], int(row["result"].get("facts", {}).get("took_ms", 0)))
    parts = {name: sum(took.get(verb, 0) for verb in verbs) for name, verbs in COMPONENTS.items()}
    parts["drain"] = _drain(attempt)
    whole = ended - begun
    return Hold(ms=whole, parts={**parts, OWN: whole - sum(parts.values())})


def is_intent(row: dict[str, Any], verb: str) -> bool:
    """The line before an effect."""
    return row["kind"] == "intent" and row.get("verb") == verb


def is_answer(row: dict[str, Any], verb: str) -> bool:
    """The line after an effect."""
    return row["kind"] == "effect" and row.get("verb") == verb


def _drain(attempt: Sequence[dict[str, Any]]) -> int:
    """From the first line of the phase to its effect."""
    entered = next((row["at_ms"] for row in attempt if row.get("phase") == "drain"), None)
    quiet = next((row["at_ms"] for row in attempt if is_intent(row, "drain")), None)
    return quiet - entered if entered is not None and quiet is not None else 0


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all do not exceed; 0 when there is none."""
    ordered = sorted(values)
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)]) if ordered else 0.0


def figures_of(holds: Sequence[Hold]) -> dict[str, float]:
    """Median, 99th percentile and maximum of the hold; median of each component, and the 99th percentile of our own."""
    if not holds:
        return {"switches": 0}
    whole = [hold.ms for hold in holds]
    figures: dict[str, float] = {
        "switches": len(holds),
        "hold_p50_ms": quantile(whole, 0.5),
        "hold_p99_ms": quantile(whole, 0.99),
        "hold_max_ms": max(whole),
    }
    for name in (*COMPONENTS, OWN):
        figures[f"{name}_p50_ms"] = quantile([hold.parts[name] for hold in holds], 0.5)
    figures["own_p99_ms"] = quantile([hold.parts[OWN] for hold in holds], 0.99)
    return figures
