"""Fixtures for tests on real parts: `embedded_kafka`, `apache_kafka`, `bucket_server`, `require_real`."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bmswitch.lab.embedded_kafka import EmbeddedKafka

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that tests find tests.integration.parts

from tests.integration import parts
from tests.integration.kill_kit import Labs


@pytest.fixture
def embedded_kafka() -> Iterator[EmbeddedKafka]:
    """An empty Kafka in this process: `.bootstrap`, `.create_topic(name, partitions)`."""
    with EmbeddedKafka() as kafka:
        yield kafka


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of an Apache Kafka for the whole session: use topic and group names of your own."""
    with parts.running_apache_kafka(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture(params=["rclone", pytest.param("minio", marks=pytest.mark.real)])
def bucket_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[parts.BucketServer]:
    """An S3 server with the empty bucket `bluemind`: the test runs once on rclone and once on MinIO."""
    with parts.running_bucket(request.param, tmp_path / "s3") as server:
        yield server


@pytest.fixture
def require_real() -> Callable[[str], None]:
    """`require_real("haproxy")`: skips when missing, fails with BMSWITCH_REQUIRE_REAL=1."""
    return parts.require_real


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Labs that are ready to switch, for one fault after another."""
    made = Labs(tmp_path_factory.mktemp("labs"))
    yield made
    made.close()
