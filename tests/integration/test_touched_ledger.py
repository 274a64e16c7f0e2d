"""The mirror notes what it copies after the first pass, over restarts, and the proof at the switch believes it or reads the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.mirror_run import IID
from tests.integration.test_mirror import (
    DOMAIN,
    LAYOUT,
    caught_up,
    domain_records,
    mirroring,
    publish,
    server_record,
    until,
)

from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.proof import Position
from bmswitch.model.records import decode_item_uid
from bmswitch.parity.ledger import touched_since
from bmswitch.parity.touched import Touched
from bmswitch.replication.state import CloneState, save_clone
from bmswitch.workflows.mirroring import TOUCHED_FILE


@pytest.fixture
def pair(embedded_kafka: EmbeddedKafka) -> Iterator[tuple[str, str]]:
    with EmbeddedKafka() as green:
        for kafka in (embedded_kafka, green):
            for name, partitions in LAYOUT.items():
                kafka.create_topic(name, partitions)
        yield embedded_kafka.bootstrap, green.bootstrap


def position(bootstrap: str) -> Position:
    return Topics(Kafka(bootstrap=bootstrap)).ends({DOMAIN: 64, topics.orphans(IID): 64})


def uids(touched: Touched) -> set[str]:
    return {uid for items in touched.places.values() for uid in items or ()}


def test_what_is_copied_after_the_first_pass_is_noted_over_restarts(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    records = domain_records(3000)
    publish(pair[0], [server_record(), *records[:1000]])
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        running.keep_touched()
        until((tmp_path / TOUCHED_FILE).exists)
        proved = position(pair[0])
        save_clone(tmp_path, CloneState("http://127.0.0.1:9", "t"))
        publish(pair[0], records[1000:2000])
        until(lambda: caught_up(running))
    publish(pair[0], records[2000:])
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
    known = touched_since(tmp_path / TOUCHED_FILE, "p1", proved)
    assert known is not None
    touched, reached = known
    assert reached == position(pair[0])
    wanted = {decode_item_uid(record.value) for record in records[1000:] if record.value is not None}
    assert uids(touched) == wanted


def test_what_lies_before_it_is_read_from_the_log(pair: tuple[str, str], tmp_path: Path) -> None:
    records = domain_records(1000)
    publish(pair[0], [server_record(), *records[:500]])
    proved = position(pair[0])
    publish(pair[0], records[500:])
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        running.keep_touched()
        until((tmp_path / TOUCHED_FILE).exists)
    assert touched_since(tmp_path / TOUCHED_FILE, "p1", proved) is None
    assert touched_since(tmp_path / TOUCHED_FILE, "p1", position(pair[0])) is not None
