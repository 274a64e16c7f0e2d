"""Probe entries of the barrier: one hidden external user per partition of a domain's topic.

A directory entry is owned by `system`, so its partition is chosen by its own uid (change-log.md 2). With one entry in
each partition, one write to each of them passes through the whole topic: nothing else in BlueMind does
(clone-and-api.md 2.9: the `Seppuku` record covers one partition of one topic).
"""

import secrets
from functools import lru_cache

from bmswitch.model.partition import partition_of

PROBE_PREFIX = "bmswitch-probe-"
PARTITIONS = 64
"""Partitions of every topic of the change log (change-log.md 1.2)."""

_PULSE_PREFIX = f"{PROBE_PREFIX}lag-"
PULSES = 8
"""Entries of a domain that a lag is measured with: every eighth partition has one, so each of a clone's readers has some."""

_TRIES = 100_000


@lru_cache(maxsize=8)
def probe_uids(partitions: int = PARTITIONS) -> tuple[str, ...]:
    """Uids of the probe entries, in partition order: `bmswitch-probe-<pp>-<k>` with the smallest k that fits.

    The same for every installation and run, so that probes are found again.
    """
    return tuple(_probe_uid(PROBE_PREFIX, partition, partitions) for partition in range(partitions))


@lru_cache(maxsize=8)
def pulse_uids(partitions: int = PARTITIONS) -> tuple[str, ...]:
    """Uids of the entries that a lag is measured with: others than the barrier's, which must not be written over."""
    spread = range(0, partitions, max(1, partitions // PULSES))
    return tuple(_probe_uid(_PULSE_PREFIX, partition, partitions) for partition in spread)


def _probe_uid(prefix: str, partition: int, partitions: int) -> str:
    for k in range(_TRIES):
        uid = f"{prefix}{partition:02d}-{k}"
        if partition_of(uid, partitions) == partition:
            return uid
    raise ValueError(f"no probe uid for partition {partition} of {partitions}")


def is_probe(uid: str) -> bool:
    """True for the uid of a probe entry: proofs leave these out, as a barrier writes them on purpose."""
    return uid.startswith(PROBE_PREFIX)


def new_nonce() -> str:
    """A text that no earlier barrier has written."""
    return f"bmswitch-{secrets.token_hex(12)}"
