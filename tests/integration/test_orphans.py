"""The orphans topic is followed by a reader that stays open."""

import pytest
from confluent_kafka import Producer

from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model.config import Kafka
from bmswitch.model.errors import UnknownError
from bmswitch.model.records import Operation, RecordKey, encode_key
from bmswitch.workflows.orphans import HEARTBEAT, OrphanReader

TOPIC = "orphans-test"


def write(kafka: EmbeddedKafka, kind: str, at_ms: int) -> list[int]:
    """One more record; where the topic ends then."""
    key = encode_key(
        RecordKey(type=kind, owner="system", uid=kind, id=1, value_class="x", operation=Operation.CREATE)
    )
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(TOPIC, b"{}", key, 1, timestamp=at_ms)
    assert producer.flush(10) == 0
    return Topics(Kafka(bootstrap=kafka.bootstrap)).ends({TOPIC: 2})[TOPIC]


def test_what_came_later_is_told_whatever_its_clock_says(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.create_topic(TOPIC, 2)
    write(embedded_kafka, "sysconf", 1_000)
    first = write(embedded_kafka, "sysconf", 9_000)
    reader = OrphanReader(Kafka(bootstrap=embedded_kafka.bootstrap), TOPIC, [0, 0])
    try:
        assert reader.since(5_000, first) == [f"CREATE of sysconf sysconf at {TOPIC}:1:1"]
        assert reader.later(first) == []
        assert reader.later(write(embedded_kafka, HEARTBEAT, 10_000)) == []
        assert reader.later(write(embedded_kafka, "topology", 1_000)) == [
            f"CREATE of topology topology at {TOPIC}:1:3"
        ]
        with pytest.raises(UnknownError, match="could not be read to its end"):
            reader.later([0, 99], timeout=0.1)
    finally:
        reader.close()
