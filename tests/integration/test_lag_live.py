"""The lag between two Kafkas against delays that are known: a valve that is closed, a target that answers late."""

import base64
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.mirror_run import config_for, plan_for
from tests.integration.test_mirror import (
    DOMAIN,
    caught_up,
    domain_records,
    green_kafka,
    key_of,
    pair,
    publish,
    until,
)

from bmswitch.kafka.producer import LogProducer
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RefusedError
from bmswitch.model.records import LogRecord
from bmswitch.replication.lag_watch import EVERY, Watched
from bmswitch.replication.valve import Valve
from bmswitch.workflows.mirroring import Mirroring
from bmswitch.workflows.replicate import refuse_short_life

__all__ = ["green_kafka", "pair"]
SEEN = 0.05
"""Half a look: what the lag is true to."""


def looks(running: Mirroring, enough: Callable[[list[Watched]], bool]) -> list[Watched]:
    """Every look of the watch until there are enough."""
    seen: list[Watched] = []

    def go_on() -> bool:
        now = running.watched
        if not seen or now.at != seen[-1].at:
            seen.append(now)
        return enough(seen)

    until(go_on)
    return seen


def assert_true(seen: list[Watched], before: float, after: float) -> int:
    """One record was written between `before` and `after`: each look that sees it tells its age; how many did.

    A look that comes late on a busy machine is true to half of its own distance, as it says when it looked.
    """
    told = 0
    first_gap = EVERY
    for earlier, look in itertools.pairwise(seen):
        if not look.lag.records:
            continue
        if not earlier.lag.records:
            first_gap = max(EVERY, look.at - earlier.at)
        slack = SEEN + (first_gap - EVERY) + 0.01
        assert look.at - after - slack <= look.lag.seconds <= look.at - before + slack
        told += 1
    return told


def test_the_age_of_a_record_that_waits_before_a_closed_valve(pair: tuple[str, str], tmp_path: Path) -> None:
    valve = Valve()
    running = Mirroring(config_for(str(tmp_path), *pair), plan_for("p1"), lambda: True, valve=valve)
    try:
        publish(pair[0], domain_records(100))
        until(lambda: caught_up(running) and not running.watched.lag.records)
        valve.hold("paused", "known delay")
        looks(running, lambda seen: len(seen) > 4)
        before = time.monotonic()
        publish(pair[0], domain_records(101)[100:])
        after = time.monotonic()
        seen = looks(running, lambda seen: len(seen) > 12)
        assert assert_true(seen, before, after) >= 8
        assert {look.lag.records for look in seen} <= {0, 1}
        assert seen[-1].lag.bytes > 0
        valve.lift("paused")
        until(lambda: running.watched.lag.records == 0)
        assert running.watched.lag.seconds == 0.0
    finally:
        running.stop()


@pytest.mark.parametrize("late", [400])
def test_the_age_of_a_record_that_the_target_has_not_acknowledged(
    pair: tuple[str, str], green_kafka: EmbeddedKafka, tmp_path: Path, late: int
) -> None:
    running = Mirroring(config_for(str(tmp_path), *pair), plan_for("p1"), lambda: True)
    try:
        publish(pair[0], domain_records(100))
        until(lambda: caught_up(running) and not running.watched.lag.records)
        green_kafka.set_round_trip(late)
        looks(running, lambda seen: len(seen) > 2)
        before = time.monotonic()
        publish(pair[0], domain_records(101)[100:])
        after = time.monotonic()
        seen = looks(running, lambda seen: len(seen) > 3 and not seen[-1].lag.records and written(seen))
        assert assert_true(seen, before, after) >= 2
        assert max(look.lag.seconds for look in seen) >= late / 1000 - longest_gap(seen) - SEEN
    finally:
        green_kafka.set_round_trip(0)
        running.stop()


def longest_gap(seen: list[Watched]) -> float:
    """Seconds between two looks: `EVERY`, and more on a busy machine."""
    return max(later.at - look.at for look, later in itertools.pairwise(seen))


def written(seen: list[Watched]) -> bool:
    return any(look.lag.records for look in seen)


@pytest.mark.slow
def test_a_log_that_loses_its_beginning_faster_than_it_is_copied_stops_the_copy(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    """The embedded Kafka keeps 5 MB of a partition: a writer pushes its beginning towards the reader's place."""
    running = Mirroring(config_for(str(tmp_path), *pair), plan_for("p1"), lambda: True, valve=Valve(20))
    writer = LogProducer(Kafka(bootstrap=pair[0]))

    began, sent = time.monotonic(), 700
    writer.send_all(large(sent))

    def lost_in_time() -> bool:
        nonlocal sent
        due = 700 + int(30 * (time.monotonic() - began)) - sent
        sent += due
        writer.send_all(large(due))
        writer.flush()
        refuse_short_life(running.watched, 1.0)
        return False

    try:
        with pytest.raises(RefusedError, match="sooner than they can be copied") as refused:
            until(lost_in_time)
        assert "the catch-up does not end at this speed" in refused.value.evidence
    finally:
        writer.close()
        running.stop()


def large(count: int) -> list[LogRecord]:
    """Records of 5 kB for one partition; they do not compress."""
    values = [b'{"uid":"%s"}' % base64.b64encode(os.urandom(3750)) for _ in range(count)]
    return [LogRecord(DOMAIN, 3, 0, 1, key_of("u", 1), value) for value in values]
