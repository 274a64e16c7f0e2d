"""When the copy stands back for the side that serves: what was measured there against the limits of the configuration."""

from collections.abc import Iterator

import msgspec

from bmswitch.model.config import Throttle


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the side that serves; only what has a limit is asked for.

    `cpu` is the busy share of each machine, `latency` the seconds of each frontend's greeting, `groups` the records by which each
    consumer group is behind, `copies_behind` the partitions with a copy out of step. `unread` says what could not be read, and why.
    """

    cpu: dict[str, float] = {}
    latency: dict[str, float] = {}
    groups: dict[str, int] = {}
    copies_behind: int = 0
    unread: list[str] = []


def reason(signs: Signs, limits: Throttle) -> str:
    """The first sign beyond its limit with both numbers; empty when all is well.

    What has a limit and can not be read counts as beyond it: the side that serves may be in trouble.
    """
    return next(_beyond(signs, limits), "")


def _beyond(signs: Signs, limits: Throttle) -> Iterator[str]:
    yield from signs.unread
    for machine, busy in signs.cpu.items():
        if limits.cpu and busy > limits.cpu:
            yield f"{machine} is {busy:.0%} busy, limit {limits.cpu:.0%}"
    for frontend, seconds in signs.latency.items():
        if limits.latency and seconds > limits.latency:
            yield f"{frontend} took {seconds:.2f} s to greet, limit {limits.latency:g} s"
    for group, behind in signs.groups.items():
        if behind > limits.groups.get(group, behind):
            yield f"consumer group {group} is {behind} records behind, limit {limits.groups[group]}"
    if limits.copies_in_step and signs.copies_behind:
        yield f"{signs.copies_behind} partitions have a copy out of step"
