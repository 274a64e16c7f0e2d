"""How fast a clone applies, from the places that its readers commit on a real Kafka."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.integration.mirror_run import config_for
from tests.integration.test_mirror import DOMAIN, domain_records, publish
from tests.unit.guard_worlds import GOOD

from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config, Kafka
from bmswitch.model.guards.facts import Facts
from bmswitch.model.probe import ApplyProbe
from bmswitch.model.switch.facts import CLONING
from bmswitch.workflows.probe import applying

RECORDS, EVERY = 4000, 0.2


@pytest.fixture
def config(apache_kafka: str, tmp_path: Path) -> Config:
    """Both sides on one Kafka, whose log has some records."""
    Topics(Kafka(bootstrap=apache_kafka)).create({DOMAIN: 64})
    publish(apache_kafka, domain_records(RECORDS))
    return config_for(str(tmp_path), apache_kafka, apache_kafka)


def facts(state: str) -> Facts:
    target = msgspec.structs.replace(GOOD.target, state=state, topics={DOMAIN: 64}, kafka_error="")
    return msgspec.structs.replace(GOOD, target=target)


@contextmanager
def restoring(bootstrap: str) -> Iterator[None]:
    """A clone's reader: it goes through each partition and commits one record more every twentieth of a second."""
    ends = Topics(Kafka(bootstrap=bootstrap)).ends({DOMAIN: 64})[DOMAIN]
    stop = threading.Event()
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "clone-test", "enable.auto.commit": False})

    def commit(number: int) -> None:
        at = [TopicPartition(DOMAIN, p, min(end, number)) for p, end in enumerate(ends) if end]
        reader.commit(offsets=at, asynchronous=False)

    def work() -> None:
        number = 0
        while not stop.wait(EVERY):
            number += 1
            commit(number)

    commit(0)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        reader.close()


@pytest.mark.real
def test_a_clone_that_restores_tells_its_pace_and_one_that_is_not_there_nothing(config: Config) -> None:
    bootstrap = config.target.kafka.bootstrap
    assert applying(config, facts(CLONING)) == ApplyProbe()
    assert applying(config, facts("NOT_INSTALLED")) == ApplyProbe()
    with restoring(bootstrap):
        began = time.monotonic()
        found = applying(config, facts(CLONING))
        assert 0 < found.records <= 64 * (time.monotonic() - began) / EVERY
        assert found.seconds >= 2
        assert found.records + found.behind <= sum(
            Topics(Kafka(bootstrap=bootstrap)).ends({DOMAIN: 64})[DOMAIN]
        )
