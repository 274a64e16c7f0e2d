"""What a broker tells of the log's topics, and the end of one partition, on real brokers."""

import time

import pytest
from confluent_kafka import Producer

from bmswitch.kafka.consumer import read_last
from bmswitch.kafka.topics import NEW_TOPIC_BYTES, Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model.config import Kafka
from bmswitch.model.errors import UnreachableError

TOPIC = "0123456789abcdef0123456789abcdef-settings.test"


def test_a_broker_that_does_not_tell_its_settings_is_said_at_once(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.create_topic(TOPIC, 4)
    topics = Topics(Kafka(bootstrap=embedded_kafka.bootstrap))
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="does not tell"):
        topics.settings([TOPIC], 60.0)
    assert time.monotonic() - began < 50
    assert topics.cluster().copies == {TOPIC: 1}
    assert topics.settings([]) == {}


@pytest.mark.real
def test_apache_kafka_tells_the_settings_of_the_topics_that_we_make(apache_kafka: str) -> None:
    topics = Topics(Kafka(bootstrap=apache_kafka))
    topics.create({TOPIC: 4})
    told = topics.settings([TOPIC])[TOPIC]
    assert told["cleanup.policy"] == "compact"
    assert told["max.message.bytes"] == str(NEW_TOPIC_BYTES)
    assert told["min.insync.replicas"] == "1"
    assert topics.cluster().copies[TOPIC] == 1


def test_the_last_records_of_one_partition_are_read(embedded_kafka: EmbeddedKafka) -> None:
    kafka = Kafka(bootstrap=embedded_kafka.bootstrap)
    embedded_kafka.create_topic(TOPIC, 4)
    producer = Producer({"bootstrap.servers": embedded_kafka.bootstrap, "broker.address.family": "v4"})
    for number in range(20):
        producer.produce(TOPIC, value=b"%d" % number, partition=2)
        producer.produce(TOPIC, value=b"other", partition=1)
    assert producer.flush(10) == 0
    found = read_last(kafka, TOPIC, 2, low=0, end=20, limit=3)
    assert [(record.partition, record.value) for record in found] == [(2, b"17"), (2, b"18"), (2, b"19")]
    assert len(read_last(kafka, TOPIC, 2, low=0, end=20)) == 20
    assert read_last(kafka, TOPIC, 3, low=0, end=0) == []
