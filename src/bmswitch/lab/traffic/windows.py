"""When which side executed writes, from the ledger: the time in which nobody wrote, and the time in which both did.

A write was executed on the side that answered it, no later than its answer; what was on the way back counts as not yet done, which
is a few milliseconds here. So a gap is known to that. Pure.
"""

from collections.abc import Iterable

import msgspec

from bmswitch.lab.traffic.ledger import Entry

SETTLED = 1.0
"""Seconds for which the other side must have been quiet, in the middle of a run: there and back takes two holds and a soak."""
ALL = "all"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One hand-over. Moments are epoch seconds of the last answer of the one side and of the first of the other.

    Exactly one of `gap_ms` (nobody wrote) and `overlap_ms` (both wrote; must be 0) is above 0.
    """

    protocol: str
    source: str
    target: str
    last_on_source: float
    first_on_target: float
    gap_ms: float
    overlap_ms: float


class _Stay(msgspec.Struct):
    """One side alone answered from `begun` to `ended`."""

    side: str
    begun: float
    ended: float


def windows(entries: Iterable[Entry]) -> list[Window]:
    """The hand-overs of all protocols together, then of each."""
    moments: dict[str, list[tuple[float, str]]] = {ALL: []}
    for entry in entries:
        if entry.outcome == "acknowledged" and entry.side:
            moments[ALL].append((entry.answered, entry.side))
            moments.setdefault(entry.protocol, []).append((entry.answered, entry.side))
    return [window for protocol, seen in moments.items() for window in _handovers(protocol, sorted(seen))]


def _handovers(protocol: str, seen: list[tuple[float, str]]) -> list[Window]:
    stays = _stays(seen)
    found: list[Window] = []
    before = 0
    for now in range(1, len(stays)):
        if now < len(stays) - 1 and stays[now + 1].begun - stays[now - 1].ended < SETTLED:
            continue
        found.append(_window(protocol, stays[before : now + 1]))
        before = now
    return found


def _stays(seen: list[tuple[float, str]]) -> list[_Stay]:
    stays: list[_Stay] = []
    for at, side in seen:
        if stays and stays[-1].side == side:
            stays[-1].ended = at
        else:
            stays.append(_Stay(side, at, at))
    return stays


def _window(protocol: str, stays: list[_Stay]) -> Window:
    """From a settled stay to the next one; what lies between is both sides answering in turn."""
    source = stays[0].side
    target = next(stay.side for stay in stays[1:] if stay.side != source)
    first = next(stay.begun for stay in stays[1:] if stay.side != source)
    last = max(stay.ended for stay in stays[:-1] if stay.side == source)
    if stays[-1].side == source:
        last = max(stay.ended for stay in stays if stay.side == target)
    gap = round((first - last) * 1000, 1)
    return Window(
        protocol=protocol,
        source=source,
        target=target,
        last_on_source=last,
        first_on_target=first,
        gap_ms=max(0.0, gap),
        overlap_ms=max(0.0, -gap),
    )
