"""A number that nobody counted, with how sure it is: from a sample, a measured rate, or earlier runs."""

import math
from collections.abc import Sequence

import msgspec

_SURE = 2.0
"""Standard errors on both sides: about 95 of 100 such ranges hold the true number."""
_NOTHING = 0.05


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Low, likely and high, in the unit that its field names; `likely` and `high` are None when only a lower bound is known. `how` it was come by."""

    low: float
    likely: float | None
    high: float | None
    how: str

    @property
    def known(self) -> bool:
        """More than a lower bound."""
        return self.likely is not None

    def holds(self, actual: float) -> bool:
        """The actual number was within."""
        return self.low <= actual and (self.high is None or actual <= self.high)


def spread(values: Sequence[float]) -> float:
    """The relative standard error of the mean of a sample; 1 when it is too small to tell."""
    if len(values) < 2 or not (mean := sum(values) / len(values)):
        return 1.0
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values)) / mean


def scaled(likely: float, relative_error: float, how: str, *, floor: float = 0.0) -> Estimate:
    """A likely number with the range that its relative standard error gives, never below `floor`."""
    off = min(_SURE * relative_error, 0.9)
    low, high = likely * (1 - off), likely * (1 + _SURE * relative_error)
    return Estimate(low=max(low, floor), likely=max(likely, floor), high=max(high, floor), how=how)


def at_least(low: float, how: str) -> Estimate:
    """Nothing but a lower bound is known."""
    return Estimate(low=low, likely=None, high=None, how=how)


def lasting(seconds: float) -> str:
    """A duration as people say it: 0.4 s, 45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def ranged(found: Estimate) -> str:
    """A duration in seconds with its range: `about 12 min (10 min to 15 min)`, `at most 5.0 s`, `at least 3.0 s`."""
    if found.likely is not None and found.high is not None:
        return f"about {lasting(found.likely)} ({lasting(found.low)} to {lasting(found.high)})"
    if found.high is not None and found.low < _NOTHING:
        return f"at most {lasting(found.high)}"
    if found.high is not None:
        return f"at most {lasting(found.high)}, at least {lasting(found.low)}"
    return f"at least {lasting(found.low)}"
