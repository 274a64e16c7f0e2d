"""Several worker processes share a copy: none is lost and the newest comes last, whichever of them dies or stands still."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.integration.crew_kit import (
    assert_newest_last,
    at_work,
    copied_all,
    shared,
    shared_config,
    signalled,
    until,
)
from tests.integration.test_mirror import (
    DOMAIN,
    LAYOUT,
    content,
    domain_records,
    green_kafka,
    key_of,
    pair,
    publish,
    server_record,
)

from bmswitch.kafka.producer import LogProducer
from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model.config import Kafka
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord
from bmswitch.workflows import crew
from bmswitch.workflows.mirroring import Mirroring

__all__ = ["green_kafka", "pair"]


def updates(count: int, first: int = 0) -> list[LogRecord]:
    """Many versions of few items, as a real log has them: the newest must win."""
    made = []
    for i in range(first, first + count):
        owner = f"user-{i % 97}"
        value = b'{"uid":"%d","version":%d,"pad":"%s"}' % (i % 97, i, b"x" * (i * 37 % 700))
        made.append(LogRecord(DOMAIN, partition_of(owner), 0, 1_600_000_000_000 + i, key_of(owner, 1), value))
    return made


@contextmanager
def writing(bootstrap: str, a_second: int) -> Iterator[None]:
    """Updates that go on while the block runs."""
    stop = threading.Event()

    def write() -> None:
        producer = LogProducer(Kafka(bootstrap=bootstrap))
        first = 1_000_000
        while not stop.is_set():
            producer.send_all(updates(a_second // 10, first))
            producer.flush()
            first += a_second // 10
            stop.wait(0.1)
        producer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_two_workers_share_the_partitions_and_go_on_from_what_was_committed(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], [server_record(), *domain_records(5000)])
    with shared(shared_config(tmp_path, *pair), 2) as running:
        workers = at_work(running, 2)
        assert sum(worker.owned for worker in workers) == sum(LAYOUT.values())
        until(lambda: copied_all(running))
        until(lambda: running.watched.lag.records == 0)
        assert running.progress.records >= 5001
    # A worker that a busy machine holds up for its session's time loses its partitions: what it had sent comes again.
    before = assert_newest_last(content(pair[0], DOMAIN), content(pair[1], DOMAIN))
    assert not list((tmp_path / "run" / "workers").glob("*-*.json"))
    with shared(shared_config(tmp_path, *pair), 1) as again:
        at_work(again, 1)
        publish(pair[0], updates(100))
        until(lambda: copied_all(again))
    doubled = assert_newest_last(content(pair[0], DOMAIN), content(pair[1], DOMAIN))
    assert doubled - before < 5000, "it went on from what was committed, not from the beginning"


def test_a_killed_worker_is_replaced_and_nothing_is_lost(pair: tuple[str, str], tmp_path: Path) -> None:
    publish(pair[0], updates(3000))
    with shared(shared_config(tmp_path, *pair), 2) as running, writing(pair[0], 1000):
        for _ in range(2):
            victim = at_work(running, 2)[0]
            signalled(victim, signal.SIGKILL)
            until(partial(gone, running, victim.name))
        at_work(running, 2)
    with shared(shared_config(tmp_path, *pair), 1) as running:
        until(lambda: copied_all(running))
    assert_newest_last(content(pair[0], DOMAIN), content(pair[1], DOMAIN))


def gone(running: Mirroring, name: str) -> bool:
    return name not in {worker.name for worker in running.workers}


@pytest.mark.slow
def test_a_frozen_worker_that_wakes_overwrites_nothing(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_SILENT", 600.0)
    publish(pair[0], updates(3000))
    with shared(shared_config(tmp_path, *pair), 2) as running, writing(pair[0], 1000):
        frozen, other = at_work(running, 2)[:2]
        signalled(frozen, signal.SIGSTOP)
        everything = sum(LAYOUT.values())
        until(lambda: owned(running, other.name) == everything)
        signalled(frozen, signal.SIGCONT)
        until(partial(gone, running, frozen.name))
        at_work(running, 2)
    with shared(shared_config(tmp_path, *pair), 1) as running:
        until(lambda: copied_all(running))
    assert_newest_last(content(pair[0], DOMAIN), content(pair[1], DOMAIN))


def owned(running: Mirroring, name: str) -> int:
    return sum(worker.owned for worker in running.workers if worker.name == name)


@pytest.mark.slow
def test_an_old_record_that_is_written_late_is_followed_by_the_newest_again(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    """The worst of a worker that woke, done by hand: what it had queued reaches the target after its successor's records."""
    old = updates(97)
    publish(pair[0], old)
    with shared(shared_config(tmp_path, *pair), 1) as running:
        until(lambda: copied_all(running))
        (victim,) = at_work(running, 1)
        signalled(victim, signal.SIGKILL)
        until(partial(gone, running, victim.name))
        publish(pair[0], updates(97, 97))
        at_work(running, 1)
        until(lambda: copied_all(running))
        publish(pair[1], old[:20])
        until(lambda: sum(worker.repairs for worker in running.workers) > 0)
        until(lambda: copied_all(running) and newest(pair))
    assert newest(pair)


def newest(pair: tuple[str, str]) -> bool:
    before, after = content(pair[0], DOMAIN), content(pair[1], DOMAIN)
    return all(
        {r.key: r.value for r in records} == {r.key: r.value for r in after.get(partition, [])}
        for partition, records in before.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("rate", [300.0])
def test_the_rate_is_that_of_all_workers_together(pair: tuple[str, str], tmp_path: Path, rate: float) -> None:
    publish(pair[0], updates(600))
    began = time.monotonic()
    with shared(shared_config(tmp_path, *pair), 2, rate) as running:
        while not copied_all(running):
            there = sum(map(len, content(pair[1], DOMAIN).values()))
            assert there <= rate * (time.monotonic() - began) + rate
            time.sleep(0.2)


@pytest.mark.real
@pytest.mark.slow
def test_apache_kafka_fences_a_frozen_worker_and_gives_a_killed_one_s_work_to_the_other(
    apache_kafka: str, green_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_SILENT", 600.0)
    session = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}
    Topics(Kafka(bootstrap=apache_kafka)).create(LAYOUT)
    for name, count in LAYOUT.items():
        green_kafka.create_topic(name, count)
    config = shared_config(tmp_path, apache_kafka, green_kafka.bootstrap, session)
    publish(apache_kafka, updates(2000))
    with shared(config, 2) as running, writing(apache_kafka, 500):
        frozen, other = at_work(running, 2)[:2]
        signalled(frozen, signal.SIGSTOP)
        until(lambda: owned(running, other.name) == sum(LAYOUT.values()), 120)
        signalled(frozen, signal.SIGCONT)
        until(partial(gone, running, frozen.name))
        signalled(other, signal.SIGKILL)
        until(partial(gone, running, other.name))
        at_work(running, 2)
    with shared(config, 1) as running:
        until(lambda: copied_all(running))
    assert_newest_last(content(apache_kafka, DOMAIN), content(green_kafka.bootstrap, DOMAIN))
