"""Apache Kafka of one site: one combined KRaft node from jars (real-parts.md, Apache Kafka)."""

import base64
import os
import subprocess
import uuid
from pathlib import Path

from bmswitch.lab.supervisor import ports, programs
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn
from bmswitch.model.errors import LabError

READY = 60.0
FORMAT_TIMEOUT = 60.0
_FAST_START = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


def start(layout: Layout, name: str, port: int, controller_port: int) -> Process:
    """Formats its storage at the first start, then starts it without waiting."""
    for number in (port, controller_port):
        ports.require_free(name, SHARED_ADDRESS, number)
    folder = layout.kafka / name
    properties = prepare(folder, port, controller_port)
    return spawn(layout, name, server_command(properties))


def finish(layout: Layout, process: Process, port: int) -> str:
    """Waits until it answers; its bootstrap address."""
    address = f"{SHARED_ADDRESS}:{port}"
    await_ready(layout, process, lambda: answers(address), READY)
    return address


def prepare(folder: Path, port: int, controller_port: int) -> Path:
    """Writes `server.properties` and formats the storage if it is not yet; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(folder / "data", port, controller_port))
    if not (folder / "data" / "meta.properties").exists():
        _format(properties)
    return properties


def server_command(properties: Path, *, heap_mb: int = 512) -> list[str]:
    """Argument list that runs the node in the foreground."""
    return [*_java(heap_mb), "kafka.Kafka", str(properties)]


def answers(address: str) -> bool:
    """Whether a client gets the cluster's metadata."""
    if not ports.accepts(*_split(address)):
        return False
    from confluent_kafka import KafkaException  # noqa: PLC0415 -- slow import, start only
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415 -- the same

    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        return bool(admin.list_topics(timeout=2.0).brokers)
    except KafkaException:
        return False


def _java(heap_mb: int) -> list[str]:
    jars = programs.require_kafka_jars()
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    return [programs.require("java"), f"-Xmx{heap_mb}m", *_FAST_START, *logging, "-cp", f"{jars}/*"]


def _format(properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if cluster.startswith("-"):  # it would be read as an option
        cluster = "A" + cluster[1:]
    argv = [*_java(256), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=FORMAT_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabError(
            "Kafka's storage could not be formatted in time", evidence=f"{FORMAT_TIMEOUT:g} s"
        ) from error
    if done.returncode:
        raise LabError(
            "Kafka's storage could not be formatted",
            evidence=(done.stderr or done.stdout).strip()[-600:],
            next_command="bmswitch lab down --purge, then bmswitch lab up",
        )


def _properties(data: Path, port: int, controller_port: int) -> str:
    broker, controller = f"{SHARED_ADDRESS}:{port}", f"{SHARED_ADDRESS}:{controller_port}"
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        "broker.heartbeat.interval.ms": 1000,
        "broker.session.timeout.ms": 4000,  # how long a killed one must wait before it may come back
        "log.retention.ms": -1,
        "log.segment.bytes": 64 << 20,
        "message.max.bytes": 16 << 20,
        "replica.fetch.max.bytes": 16 << 20,
        "log.index.size.max.bytes": 1 << 20,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.threads": 1,
        "log.cleaner.dedupe.buffer.size": 16 << 20,
    }
    return "".join(f"{key}={value}{os.linesep}" for key, value in values.items())


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
