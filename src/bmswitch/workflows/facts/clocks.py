"""How far the clocks of other machines are from ours, by the `Date` header of their answers."""

import time
from concurrent.futures import Executor
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from bmswitch.model.config import Config, Tls
from bmswitch.model.guards.facts import BucketFacts, ClockFacts, SideFacts
from bmswitch.workflows.sites import trusting, verification
from bmswitch.workflows.soak import STATE

_TIMEOUT = 3.0
_HALF_RESOLUTION = 0.5
"""The header tells whole seconds, cut off: on average half a second has passed since."""


def clock_facts(
    config: Config, pool: Executor, source: SideFacts, target: SideFacts, bucket: BucketFacts
) -> list[ClockFacts]:
    """Both cores' and the bucket's clocks, asked side by side; who did not answer before is not asked again."""
    asked = (
        *((side.colour, config.site(side.colour).url.rstrip("/") + STATE, config.site(side.colour).tls, side.core_error)
          for side in (source, target)),
        ("the bucket", config.bucket.endpoint, config.bucket.tls, bucket.error),
    )  # fmt: skip

    def read(one: tuple[str, str, Tls, str]) -> ClockFacts:
        name, url, tls, error = one
        return ClockFacts(name, None, error) if error else read_clock(name, url, verify=verification(tls))

    return list(pool.map(read, asked))


def read_clock(name: str, url: str, *, verify: bool | str) -> ClockFacts:
    """The clock behind `url`, whatever the answer is: refusals have a date too. Never raises."""
    sent = time.time()
    try:
        answer = httpx.get(url, timeout=_TIMEOUT, verify=trusting(verify), trust_env=False)
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
