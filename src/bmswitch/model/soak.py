"""What the soak has seen, judged: pure. Each frontend is judged on its own: a dead one must not hide behind healthy ones."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from bmswitch.model.config import Soak

Protocol = Literal["http", "imap", "smtp"]
_NAMED = 3


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of one frontend. `ms` is from the connection until all was read back; `said` is empty when it went well."""

    node: str
    protocol: Protocol
    frontend: str
    ms: float
    said: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All attempts on one frontend. `row` is the longest row of failures, `said` what the last failure was.

    Latencies are of the attempts that went well, in milliseconds; 0 when none did.
    """

    node: str
    protocol: Protocol
    frontend: str
    attempts: int
    failures: int
    row: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    said: str = ""

    @property
    def place(self) -> str:
        """`edge-1 imap mail.example.net:143`."""
        return f"{self.node} {self.protocol} {self.frontend}"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How the soak went; `soak.json`. `canary`: a person's whole round was probed, not greetings only.

    `stayed` sessions were still open on the side that no longer serves when the soak began; those that are at its end are a
    breach. `breaches` is empty when all is well.
    """

    seconds: float
    canary: bool
    frontends: list[Figures]
    stayed: int
    breaches: list[str]


def figures(attempts: Sequence[Attempt]) -> list[Figures]:
    """Attempts, oldest first, by frontend."""
    places: dict[tuple[str, Protocol, str], list[Attempt]] = {}
    for attempt in attempts:
        places.setdefault((attempt.node, attempt.protocol, attempt.frontend), []).append(attempt)
    return [_figures(found) for found in places.values()]


def over_at_once(found: Sequence[Figures], limits: Soak) -> list[str]:
    """What need not wait for the end of the soak: too many failures in a row."""
    return [
        f"{each.place}: {each.row} failures in a row: {each.said}"
        for each in found
        if each.row >= limits.failures_in_a_row
    ]


def over_at_end(found: Sequence[Figures], limits: Soak) -> list[str]:
    """Every threshold that was passed, each named with its figure."""
    breaches = over_at_once(found, limits)
    for each in found:
        share = each.failures / each.attempts
        if share > limits.failure_share and each.row < limits.failures_in_a_row:
            breaches.append(f"{each.place}: {each.failures} of {each.attempts} attempts failed: {each.said}")
        if each.p95_ms > limits.latency_p95 * 1000:
            breaches.append(f"{each.place}: 95 % took up to {each.p95_ms:.0f} ms")
    return breaches


def summary(breaches: Sequence[str]) -> str:
    """The first breaches in one line."""
    more = f"; and {len(breaches) - _NAMED} more" if len(breaches) > _NAMED else ""
    return "; ".join(breaches[:_NAMED]) + more


def _figures(attempts: Sequence[Attempt]) -> Figures:
    first = attempts[0]
    row = longest = 0
    for attempt in attempts:
        row = row + 1 if attempt.said else 0
        longest = max(longest, row)
    good = sorted(attempt.ms for attempt in attempts if not attempt.said)
    failed = [attempt.said for attempt in attempts if attempt.said]
    return Figures(
        node=first.node,
        protocol=first.protocol,
        frontend=first.frontend,
        attempts=len(attempts),
        failures=len(failed),
        row=longest,
        p50_ms=_quantile(good, 0.5),
        p95_ms=_quantile(good, 0.95),
        p99_ms=_quantile(good, 0.99),
        said=failed[-1] if failed else "",
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[math.ceil(share * len(ordered)) - 1], 1) if ordered else 0.0
