"""The barrier: what was written on blue before it is on green when it has passed, in every partition of every domain.

One nonce goes to each probe entry through blue's own API; green must show all of them. So blue's asynchronous producer,
the mirror and green's restorer have all gone beyond it (traffic-and-objects.md C, clone-and-api.md 2.9).
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bmswitch.bluemind.client import Core
from bmswitch.model.barrier import PARTITIONS, new_nonce, probe_uids
from bmswitch.model.errors import UnknownError

_DOMAINS_AT_ONCE = 4


def ensure_barrier(blue: Core, domains: Sequence[str], *, partitions: int = PARTITIONS) -> int:
    """Creates the probe entries of each domain on blue; how many were new. Needed once, before any barrier."""
    return sum(blue.ensure_probes(domain, probe_uids(partitions)) for domain in domains)


def write_barrier(blue: Core, domains: Sequence[str], nonce: str, *, partitions: int = PARTITIONS) -> None:
    """Writes the nonce to every probe entry of every domain; returns when blue acknowledged all of them."""
    uids = probe_uids(partitions)
    with ThreadPoolExecutor(min(_DOMAINS_AT_ONCE, max(1, len(domains)))) as pool:
        for done in [pool.submit(blue.write_nonce, domain, uids, nonce) for domain in domains]:
            done.result()


def barrier_passed(green: Core, domains: Sequence[str], nonce: str, *, partitions: int = PARTITIONS) -> int:
    """How many probe entries do not show the nonce on green yet; 0 means that the barrier has passed."""
    uids = probe_uids(partitions)
    return sum(green.nonces_missing(domain, uids, nonce) for domain in domains)


def wait_barrier(
    green: Core,
    domains: Sequence[str],
    nonce: str,
    *,
    timeout: float,
    poll: float = 0.02,
    partitions: int = PARTITIONS,
) -> float:
    """Waits until the barrier has passed; the seconds it took.

    Raises:
        UnknownError: not within `timeout` seconds.
    """
    start = time.monotonic()
    while True:
        missing = barrier_passed(green, domains, nonce, partitions=partitions)
        waited = time.monotonic() - start
        if missing == 0:
            return waited
        if waited >= timeout:
            raise UnknownError(
                f"the barrier has not passed on green within {timeout:g} s",
                evidence=f"{missing} of {partitions * len(domains)} partitions do not show it",
                next_command="bmswitch status: look at the lag of the mirror and of green's clone",
            )
        time.sleep(min(poll, timeout - waited))


def run_barrier(
    blue: Core, green: Core, domains: Sequence[str], *, timeout: float, partitions: int = PARTITIONS
) -> float:
    """Writes a fresh nonce on blue and waits for it on green; the seconds it took altogether."""
    start, nonce = time.monotonic(), new_nonce()
    write_barrier(blue, domains, nonce, partitions=partitions)
    wait_barrier(
        green, domains, nonce, timeout=max(0.0, timeout - (time.monotonic() - start)), partitions=partitions
    )
    return time.monotonic() - start
