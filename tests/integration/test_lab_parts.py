"""The parts that tests and lab share: the embedded Kafka, Apache Kafka, both bucket servers."""

import json
import os
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
import urllib3
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from minio import Minio
from tests.integration.parts import BucketServer

from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.supervisor import kafka_control
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.process import await_ready, spawn, stop
from bmswitch.lab.supervisor.s3 import bucket_ready
from bmswitch.lab.supervisor.watermarks import open_topics, topic_counts
from bmswitch.model.errors import LabError


def _produce(bootstrap: str, topic: str, values: list[bytes], partition: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for value in values:
        producer.produce(topic, value, b"k", partition=partition)
        producer.poll(0)
    assert producer.flush(20) == 0


def _consume(bootstrap: str, topic: str, partition: int, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "g", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        return [message.value() for message in consumer.consume(count, timeout=10)]
    finally:
        consumer.close()


def test_embedded_kafka_keeps_64_partitions_and_gives_records_back(embedded_kafka: EmbeddedKafka) -> None:
    assert embedded_kafka.create_topic("t", 64)
    assert not embedded_kafka.create_topic("t", 64)
    values = [b"%d" % i for i in range(200)]
    _produce(embedded_kafka.bootstrap, "t", values, 63)
    assert _consume(embedded_kafka.bootstrap, "t", 63, 200) == values


def test_embedded_kafka_refuses_another_partition_count(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.create_topic("t", 64)
    with pytest.raises(LabError, match="can not be created") as caught:
        embedded_kafka.create_topic("t", 4)
    assert "64 partitions, wanted 4" in caught.value.evidence


def test_embedded_kafka_is_of_no_use_after_close(embedded_kafka: EmbeddedKafka) -> None:
    embedded_kafka.close()
    with pytest.raises(LabError, match="closed"):
        embedded_kafka.create_topic("t", 1)


def test_dropped_records_are_counted_and_said_loudly(
    embedded_kafka: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    embedded_kafka.create_topic("small", 1)
    watch = kafka_control.Watch(embedded_kafka)
    assert watch.look()["small"] == {"partitions": 1, "records": 0, "dropped": 0}
    _produce(embedded_kafka.bootstrap, "small", [b"x" * 10_000] * 1500, 0)
    seen = watch.look()["small"]
    assert seen["records"] == 1500
    assert seen["dropped"] > 0
    assert "RECORDS LOST" in caplog.text


def test_embedded_kafka_as_a_process(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    ready, control = tmp_path / "ready.json", tmp_path / ("deep" * 30) / "control.sock"
    control.parent.mkdir()
    module = [sys.executable, "-m", "bmswitch.lab.embedded_kafka"]
    process = spawn(layout, "kafka", [*module, "serve", "--ready", str(ready), "--control", str(control)])
    try:
        await_ready(layout, process, ready.exists, 10)
        said = json.loads(ready.read_text())
        assert said["control"] == str(control)
        assert control.stat().st_mode & 0o777 == 0o600
        create = [*module, "create", "--control", str(control)]
        for _ in range(2):
            environment = os.environ | {"BMSWITCH_TOPICS": "a:64 b:1"}
            assert subprocess.run(create, env=environment, check=False, timeout=20).returncode == 0
        topics = AdminClient({"bootstrap.servers": said["bootstrap"]}).list_topics(timeout=5).topics
        assert {name: len(topic.partitions) for name, topic in topics.items()} == {"a": 64, "b": 1}
        assert kafka_control.status(control)["a"]["partitions"] == 64
        wrong = subprocess.run(
            create,
            env=os.environ | {"BMSWITCH_TOPICS": "a:3"},
            check=False,
            timeout=20,
            capture_output=True,
            text=True,
        )
        assert wrong.returncode == LabError.exit_code
        assert "64 partitions, wanted 3" in wrong.stderr
    finally:
        assert stop(process)
    assert not ready.exists()


@pytest.mark.real
def test_apache_kafka_takes_topics_and_records(apache_kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": apache_kafka})
    for future in admin.create_topics([NewTopic("parts-test", 64, 1)]).values():
        future.result(20)
    _produce(apache_kafka, "parts-test", [b"one", b"two"], 7)
    assert _consume(apache_kafka, "parts-test", 7, 2) == [b"one", b"two"]
    assert topic_counts(open_topics(apache_kafka))["parts-test"] == {
        "partitions": 64,
        "records": 2,
        "dropped": 0,
    }


def test_bucket_server_takes_and_gives_objects(bucket_server: BucketServer) -> None:
    pool = urllib3.PoolManager()
    client = Minio(
        bucket_server.host,
        access_key=bucket_server.access_key,
        secret_key=bucket_server.secret_key,
        secure=False,
        region=bucket_server.region,
        http_client=pool,
    )
    client.put_object(bucket_server.bucket, "a/b", BytesIO(b"body"), 4)
    answer = client.get_object(bucket_server.bucket, "a/b")
    assert answer.read() == b"body"
    answer.close()
    assert [entry.object_name for entry in client.list_objects(bucket_server.bucket, recursive=True)] == [
        "a/b"
    ]
    pool.clear()


def test_bucket_server_refuses_a_wrong_key(bucket_server: BucketServer) -> None:
    with pytest.raises(LabError, match="refuses"):
        bucket_ready(bucket_server.host, bucket_server.access_key, "wrong" * 8)
    with socket.create_connection(("127.0.0.1", int(bucket_server.host.rpartition(":")[2])), timeout=2):
        pass
