"""Org units reach green's presync topic between the first pass and the clone, and the clone then invents none."""

import json
from pathlib import Path

import pytest
from tests.integration.clone_kit import DOMAIN as REAL_DOMAIN
from tests.integration.clone_kit import DUMP, IID, Lab, Running, placeholders, read_lines
from tests.integration.test_mirror import DOMAIN, LAYOUT, caught_up, content, mirroring, publish, until

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.producer import LogProducer
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.store import Store
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.record_types import ENTRY_CLASS
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.cures.parents_first import ParentsFirst
from bmswitch.replication.state import CloneState, save_clone

CRP, PRESYNC = topics.crp(IID), DOMAIN + topics.PRESYNC
UID = "x.lan"


def unit(uid: str, number: int, parent: str | None, partition: int) -> LogRecord:
    key = encode_key(RecordKey("dir", "system", UID, number, ENTRY_CLASS, Operation.CREATE))
    value = {
        "value": {"entry": {"kind": "ORG_UNIT"}, "value": {"name": uid, "parentUid": parent}},
        "uid": uid,
    }
    return LogRecord(DOMAIN, partition, 0, 1000, key, json.dumps(value).encode())


def test_they_are_written_once_before_the_clone_is_asked_for(
    embedded_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    with EmbeddedKafka() as green:
        for name, partitions in LAYOUT.items():
            green.create_topic(name, partitions)
            if name != CRP:
                embedded_kafka.create_topic(name, partitions)
        green.create_topic(PRESYNC, 64)
        pair = (embedded_kafka.bootstrap, green.bootstrap)
        child, parent = unit("france", 2, "europe", 1), unit("europe", 1, None, 30)
        publish(pair[0], [child, parent])
        with mirroring(tmp_path, pair) as running:
            until(lambda: caught_up(running))
            assert running.before_clone() == 2
            save_clone(tmp_path, CloneState("http://127.0.0.1:9", "task"))
            assert running.before_clone() == 0
        written = list(read_whole(Kafka(bootstrap=pair[1]), PRESYNC, 64))
        assert [(r.partition, r.value) for r in written] == [(0, parent.value), (0, child.value)]
        assert sum(map(len, content(pair[1], DOMAIN).values())) == 2


@pytest.mark.skipif(not DUMP.is_dir(), reason="no real log: set BMSWITCH_REAL_LOG")
@pytest.mark.parametrize("cured", [False, True])
def test_a_clone_of_the_real_log_keeps_every_org_unit_s_id_with_the_cure_only(
    embedded_kafka: EmbeddedKafka, tmp_path: Path, *, cured: bool
) -> None:
    lab, store = Lab(embedded_kafka, tmp_path), Store(":memory:")
    lab.load()
    if cured:
        cure = ParentsFirst()
        for record in read_whole(Kafka(bootstrap=embedded_kafka.bootstrap), CRP, 8):
            cure(record)
        embedded_kafka.create_topic(topics.presync(IID, REAL_DOMAIN), 64)
        producer = LogProducer(Kafka(bootstrap=embedded_kafka.bootstrap))
        producer.send_all(cure.presync(IID))
        producer.flush()
        producer.close()
    assert Running(lab, store).caught_up().promote().state == "Success"
    wanted = {
        line["value"]["uid"]: line["key"]["id"]
        for line in read_lines(REAL_DOMAIN)
        if line["key"]["type"] == "dir" and '"ORG_UNIT"' in json.dumps(line["value"])
    }
    moved = {uid for uid, number in wanted.items() if store.item_id(REAL_DOMAIN, uid) != number}
    assert len(wanted) == 12
    assert moved == placeholders(lab.log)
    assert bool(moved) is not cured
