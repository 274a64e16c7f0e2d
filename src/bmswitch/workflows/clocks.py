"""How far the clocks of other machines are from ours, by the `Date` header of their answers."""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from bmswitch.model.preflight import ClockFacts

_TIMEOUT = 3.0
_HALF_RESOLUTION = 0.5
"""The header tells whole seconds, cut off: on average half a second has passed since."""


def read_clock(name: str, url: str, *, verify: bool | str) -> ClockFacts:
    """The clock behind `url`, whatever the answer is: refusals have a date too. Never raises."""
    sent = time.time()
    try:
        answer = httpx.get(url, timeout=_TIMEOUT, verify=verify, trust_env=False)
    except (httpx.HTTPError, OSError) as error:
        return ClockFacts(name, None, type(error).__name__)
    return ClockFacts(name, ahead_of(answer.headers.get("Date", ""), sent, time.time()))


def ahead_of(date: str, sent: float, received: float) -> float | None:
    """Seconds by which an HTTP date is ahead of our clock (epoch seconds around the call); None when there is none."""
    try:
        told = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    theirs = told if told.tzinfo else told.replace(tzinfo=UTC)
    return theirs.timestamp() + _HALF_RESOLUTION - (sent + received) / 2
