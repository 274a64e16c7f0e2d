"""Several workers share a copy between two Kafkas: what tests of them need."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.integration.core_kit import TOKENS
from tests.integration.mirror_run import config_for, plan_for

from bmswitch.kafka.consumer import read_whole
from bmswitch.model.config import Config, Kafka, Secret
from bmswitch.model.records import LogRecord
from bmswitch.model.status import WorkerStatus
from bmswitch.replication.valve import Valve
from bmswitch.workflows.mirroring import Mirroring

SESSION = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "300"}


def shared_config(folder: Path, blue: str, green: str, session: Mapping[str, str] = SESSION) -> Config:
    """Two Kafkas, and a group that finds a silent worker after a few seconds; no core answers."""
    token = folder / "token"
    token.write_text(TOKENS["green"])
    token.chmod(0o600)
    config = config_for(str(folder / "run"), blue, green)
    (folder / "run").mkdir(exist_ok=True)
    source = msgspec.structs.replace(
        config.blue, kafka=Kafka(bootstrap=blue, settings=dict(session)), token=Secret(file=str(token))
    )
    target = msgspec.structs.replace(config.green, token=Secret(file=str(token)))
    return msgspec.structs.replace(config, blue=source, green=target)


@contextmanager
def shared(config: Config, workers: int, rate: float = 0.0) -> Iterator[Mirroring]:
    running = Mirroring(config, plan_for("p1"), lambda: True, valve=Valve(rate), workers=workers)
    try:
        yield running
    finally:
        running.stop()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.02)


def at_work(running: Mirroring, many: int) -> list[WorkerStatus]:
    """Waits until so many workers have partitions; they are."""
    found: list[WorkerStatus] = []

    def ready() -> bool:
        nonlocal found
        running.check()
        found = [worker for worker in running.workers if worker.owned]
        return len(found) >= many

    until(ready)
    return found


def copied_all(running: Mirroring) -> bool:
    running.check()
    return running.settled(running.ends_now())


def signalled(worker: WorkerStatus, number: signal.Signals) -> None:
    os.kill(worker.pid, number)


def last_of_each_key(kafka: Kafka, topic: str, partitions: int) -> dict[bytes, tuple[bytes | None, int]]:
    """Value and partition of the last record of each key."""
    found: dict[bytes, tuple[bytes | None, int]] = {}
    for record in read_whole(kafka, topic, partitions):
        found[record.key] = (record.value, record.partition)
    return found


def assert_newest_last(before: Mapping[int, list[LogRecord]], after: Mapping[int, list[LogRecord]]) -> int:
    """No record is lost, and of each key the newest one comes last; how many came more than once."""
    doubled = 0
    assert before.keys() == after.keys()
    for partition, source in before.items():
        wanted = {(r.key, r.value) for r in source}
        there = {(r.key, r.value) for r in after[partition]}
        assert wanted == there, f"partition {partition}: {len(wanted - there)} lost"
        assert {r.key: r.value for r in source} == {r.key: r.value for r in after[partition]}
        doubled += len(after[partition]) - len(source)
    return doubled
