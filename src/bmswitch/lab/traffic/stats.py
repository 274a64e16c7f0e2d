"""What the clients felt: counts, latencies, the longest silence, a second by second timeline.

Latency is measured from the moment at which a request was scheduled, so a queue in the client or in a proxy's hold is
seen. Everything is bounded: latencies in buckets of 2 %, the timeline in its newest hour, reasons in the first 20.
"""

import math
import time
from collections import deque
from typing import Literal, get_args

import msgspec

from bmswitch.lab.traffic.ledger import Outcome, Protocol

_BUCKETS_PER_E = 50
_LOWEST_MS = 0.05
_TIMELINE_SECONDS = 3600
_REASONS = 20


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from the scheduled time to the answer. Percentiles are within 2 %, `max` is exact."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Second(msgspec.Struct):
    """One second of the run: epoch second, answers, failures, worst latency of an answer in milliseconds."""

    at: int
    answered: int = 0
    failed: int = 0
    worst_ms: float = 0.0


class Requests(msgspec.Struct):
    """Requests by protocol as sent, and what else happened to them.

    `failed` is what a user would have noticed. `unknown` got no answer at all. `retried`, `reconnects` and `relogins`
    are what every client does by itself; `cut` are the reconnects after a session that ended without `* BYE` or 421.
    `dropped` is the load's own fault: too many requests were outstanding.
    """

    http: int = 0
    imap: int = 0
    smtp: int = 0
    failed: int = 0
    unknown: int = 0
    retried: int = 0
    reconnects: int = 0
    cut: int = 0
    relogins: int = 0
    dropped: int = 0


KeptKind = Literal["idle", "websocket", "longpoll"]


class Kept(msgspec.Struct):
    """What happened to the sessions of one kind that stay open all the time.

    `ended` sessions were told so by the server (`* BYE`, close code 1001 or 1012, an empty answer), `cut` ones were not.
    `writes` went through them and were acknowledged. `on` is how many there are on each side now; a long poll shows its side
    with its answer only.
    """

    opened: int = 0
    ended: int = 0
    cut: int = 0
    writes: int = 0
    on: dict[str, int] = {}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run, written as `<ledger>.summary.json`.

    `longest_pause_ms` is the longest wait of one request from its scheduled time to its answer; `longest_gap_ms` the
    longest time in which no request at all was answered, with its start in epoch seconds. `cpu_share` is the share
    of one core that the load itself used.
    """

    schema: int = 1
    started_at: float
    seconds: float
    rate: float
    requests: Requests
    writes: dict[Outcome, int]
    latency: dict[Protocol, Latency]
    longest_pause_ms: float
    longest_pause_at: float
    longest_gap_ms: float
    longest_gap_at: float
    idle_sessions: int
    kept: dict[KeptKind, Kept]
    notifications: int
    cpu_share: float
    failures: dict[str, int]
    timeline: list[Second]


class Histogram:
    """Latencies in logarithmic buckets."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.max_ms = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one latency."""
        bucket = int(math.log(max(milliseconds, _LOWEST_MS) / _LOWEST_MS) * _BUCKETS_PER_E)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.max_ms = max(self.max_ms, milliseconds)

    def quantile(self, share: float) -> float:
        """The latency below which `share` (0 to 1) of all lie; 0 when there is none."""
        if not self.count:
            return 0.0
        rank = math.ceil(share * self.count)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(self.max_ms, _LOWEST_MS * math.exp((bucket + 0.5) / _BUCKETS_PER_E))
        return self.max_ms

    def result(self) -> Latency:
        """Count, median, 99th percentile and maximum."""
        return Latency(
            count=self.count,
            p50_ms=round(self.quantile(0.5), 2),
            p99_ms=round(self.quantile(0.99), 2),
            max_ms=round(self.max_ms, 2),
        )


class Stats:
    """Counters of one run. Moments given to it are of the monotonic clock."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.started_wall = time.time()
        self.started = time.monotonic()
        self.notifications = 0
        self.kept: dict[KeptKind, Kept] = {kind: Kept(on={}) for kind in get_args(KeptKind)}
        self.longest_pause_ms = 0.0
        self.longest_pause_at = 0.0
        self.longest_gap_ms = 0.0
        self.longest_gap_at = 0.0
        self._last_answer = self.started
        self._stopped = 0.0
        self._histograms: dict[Protocol, Histogram] = {
            "http": Histogram(),
            "imap": Histogram(),
            "smtp": Histogram(),
        }
        self._timeline: deque[Second] = deque(maxlen=_TIMELINE_SECONDS)
        self._failures: dict[str, int] = {}
        self._cpu = time.process_time()

    def wall(self, monotonic: float) -> float:
        """Epoch seconds of a moment of the monotonic clock."""
        return self.started_wall + monotonic - self.started

    def sent(self, protocol: Protocol) -> None:
        """One request was scheduled."""
        setattr(self.requests, protocol, getattr(self.requests, protocol) + 1)

    def answered(self, protocol: Protocol, scheduled: float) -> None:
        """One request was answered as its client wished."""
        now = time.monotonic()
        self._close_gap(now)
        milliseconds = (now - scheduled) * 1000
        self._histograms[protocol].add(milliseconds)
        if milliseconds > self.longest_pause_ms:
            self.longest_pause_ms, self.longest_pause_at = milliseconds, self.wall(scheduled)
        second = self._second(now)
        second.answered += 1
        second.worst_ms = max(second.worst_ms, round(milliseconds, 1))

    def failed(self, protocol: Protocol, reason: str) -> None:
        """One request was refused, or its connection was."""
        self.requests.failed += 1
        self._second(time.monotonic()).failed += 1
        self._reason(f"{protocol}: {reason}")

    def unknown(self, protocol: Protocol, reason: str) -> None:
        """One request got no answer: neither done nor refused."""
        self.requests.unknown += 1
        self._reason(f"{protocol}: unknown: {reason}")

    def dropped(self) -> None:
        """One request was never sent because too many had no answer yet; that is a failure too."""
        self.requests.dropped += 1
        self.requests.failed += 1
        self._second(time.monotonic()).failed += 1
        self._reason("load: too many outstanding requests")

    def kept_opened(self, kind: KeptKind, side: str) -> None:
        """A session that stays open is there."""
        kept = self.kept[kind]
        kept.opened += 1
        kept.on[side] = kept.on.get(side, 0) + 1

    def kept_ended(self, kind: KeptKind, side: str, *, polite: bool) -> None:
        """It has ended; its client opens it again at once."""
        kept = self.kept[kind]
        kept.ended += polite
        kept.cut += not polite
        kept.on[side] -= 1
        self.requests.reconnects += 1
        self.requests.cut += not polite

    def stop(self) -> None:
        """No request is sent any more: silence from now on is no gap."""
        now = time.monotonic()
        self._close_gap(now)
        self._stopped = now

    def begin(self) -> None:
        """The first request is sent now: preparations before do not count."""
        self.started_wall, self.started = time.time(), time.monotonic()
        self._last_answer = self.started
        self._cpu = time.process_time()

    def line(self) -> str:
        """The newest second that is over, and the totals, for a status line."""
        now = int(self.wall(time.monotonic()))
        last = next((second for second in reversed(self._timeline) if second.at < now), Second(at=now))
        totals, http = self.requests, self._histograms["http"]
        return (
            f"{time.monotonic() - self.started:5.0f} s  answered {last.answered:4}/s  worst {last.worst_ms:6.0f} ms  "
            f"http p99 {http.quantile(0.99):5.1f} ms  longest {self.longest_pause_ms:5.0f} ms  failed {totals.failed}  "
            f"unknown {totals.unknown}  reconnects {totals.reconnects}  relogins {totals.relogins}"
        )

    def summary(self, *, rate: float, writes: dict[Outcome, int], idle_sessions: int) -> Summary:
        """Everything so far."""
        now = self._stopped or time.monotonic()
        self._close_gap(now)
        seconds = now - self.started
        return Summary(
            started_at=round(self.started_wall, 3),
            seconds=round(seconds, 3),
            rate=rate,
            requests=self.requests,
            writes=dict(writes),
            latency={protocol: histogram.result() for protocol, histogram in self._histograms.items()},
            longest_pause_ms=round(self.longest_pause_ms, 2),
            longest_pause_at=round(self.longest_pause_at, 3),
            longest_gap_ms=round(self.longest_gap_ms, 2),
            longest_gap_at=round(self.longest_gap_at, 3),
            idle_sessions=idle_sessions,
            kept={
                kind: msgspec.structs.replace(kept, on={side: n for side, n in kept.on.items() if n})
                for kind, kept in self.kept.items()
            },
            notifications=self.notifications,
            cpu_share=round((time.process_time() - self._cpu) / max(seconds, 0.001), 3),
            failures=dict(self._failures),
            timeline=list(self._timeline),
        )

    def _close_gap(self, now: float) -> None:
        if self._stopped:
            return
        gap = (now - self._last_answer) * 1000
        if gap > self.longest_gap_ms:
            self.longest_gap_ms, self.longest_gap_at = gap, self.wall(self._last_answer)
        self._last_answer = now

    def _second(self, now: float) -> Second:
        at = int(self.wall(now))
        if not self._timeline or self._timeline[-1].at < at:
            self._timeline.append(Second(at=at))
        return self._timeline[-1]

    def _reason(self, reason: str) -> None:
        if reason in self._failures or len(self._failures) < _REASONS:
            self._failures[reason] = self._failures.get(reason, 0) + 1
