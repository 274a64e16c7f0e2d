"""The real parts that tests use, started here and stopped by the caller; `require_real` decides skip or fail."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from bmswitch.lab.supervisor import kafka_apache, ports, programs, s3
from bmswitch.lab.supervisor.layout import SHARED_ADDRESS, Layout
from bmswitch.lab.supervisor.process import await_ready, spawn, stop

BucketKind = Literal["rclone", "minio"]


def is_there(name: str) -> bool:
    """Whether a part is installed: `kafka` (jars and Java), or a program: `minio`, `rclone`, `haproxy`, `envoy`, ..."""
    if name == "kafka":
        return programs.kafka_jars() is not None and programs.find("java") is not None
    return programs.find(name) is not None


def require_real(name: str) -> None:
    """Skips the test when a real part is missing; with BMSWITCH_REQUIRE_REAL=1 a missing part is a failure."""
    if is_there(name):
        return
    message = f"{name} is not installed: scripts/install-real-parts"
    if os.environ.get("BMSWITCH_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True)
class BucketServer:
    """A running S3 server with an empty bucket."""

    kind: BucketKind
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "bluemind"
    region: str = "us-east-1"

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as the minio client wants it."""
        return self.endpoint.removeprefix("http://")


@contextmanager
def running_bucket(kind: BucketKind, folder: Path) -> Iterator[BucketServer]:
    """Starts rclone or MinIO on `folder`, creates the bucket, stops it at the end."""
    require_real(kind)
    layout = Layout(folder)
    layout.make()
    port = ports.pick({"s3": SHARED_ADDRESS})["s3"]
    access, secret = "lab" + secrets.token_hex(8), secrets.token_hex(20)
    process = s3.start(layout, kind, port, access, secret)
    try:
        s3.finish(layout, process, port, access, secret)
        yield BucketServer(kind, f"http://{SHARED_ADDRESS}:{port}", access, secret)
    finally:
        stop(process)


@contextmanager
def running_apache_kafka(folder: Path) -> Iterator[str]:
    """Starts Apache Kafka with its files in `folder`; gives its bootstrap address; stops it at the end."""
    require_real("kafka")
    layout = Layout(folder)
    layout.make()
    chosen = ports.pick({"kafka": SHARED_ADDRESS, "controller": SHARED_ADDRESS})
    properties = kafka_apache.prepare(layout.kafka / "node", chosen["kafka"], chosen["controller"])
    process = spawn(layout, "kafka", kafka_apache.server_command(properties, heap_mb=384))
    address = f"{SHARED_ADDRESS}:{chosen['kafka']}"
    try:
        await_ready(layout, process, lambda: kafka_apache.answers(address), kafka_apache.READY)
        yield address
    finally:
        stop(process, grace=10.0)
