"""Settings, topics of an installation, and errors in our own words; no broker."""

import stat
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from bmswitch.kafka.client import explained, settings
from bmswitch.kafka.topics import Cluster, refuse_other_counts
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import AccessError, ConfigError, JournalError, RefusedError, UnreachableError
from bmswitch.model.status import ReplicateStatus
from bmswitch.replication.runner import reached
from bmswitch.replication.state import (
    CloneState,
    MirrorState,
    load_clone,
    load_mirror,
    read_status,
    save_clone,
    save_mirror,
    write_status,
)

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"


def test_the_operator_s_settings_win_and_secrets_are_read_from_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text("from-file\n")
    monkeypatch.setenv("KAFKA_USER", "from-env")
    found = settings(
        Kafka(
            bootstrap="k:9092",
            settings={
                "sasl.username": "env:KAFKA_USER",
                "sasl.password": f"file:{secret}",
                "reconnect.backoff.ms": "7",
            },
        )
    )
    assert (found["bootstrap.servers"], found["sasl.username"], found["sasl.password"]) == (
        "k:9092",
        "from-env",
        "from-file",
    )
    assert found["reconnect.backoff.ms"] == "7"


@pytest.mark.parametrize("place", ["env:BMSWITCH_NOT_SET_ANYWHERE", "file:/nowhere/at/all"])
def test_a_secret_that_is_not_there_is_a_configuration_error(place: str) -> None:
    with pytest.raises(ConfigError, match=r"sasl\.password"):
        settings(Kafka(bootstrap="k:9092", settings={"sasl.password": place}))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError.SASL_AUTHENTICATION_FAILED, AccessError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, AccessError),
        (KafkaError._TRANSPORT, UnreachableError),
        (KafkaError.NOT_LEADER_FOR_PARTITION, UnreachableError),
    ],
)
def test_library_errors_come_out_in_our_own_words(code: int, expected: type[Exception]) -> None:
    with pytest.raises(expected, match="k:9092"), explained(Kafka(bootstrap="k:9092")):
        raise KafkaException(KafkaError(code))


def test_an_installation_has_only_its_own_live_topics() -> None:
    other = "bluemind-11111111-2222-3333-4444-555555555555"
    mine = {topics.orphans(IID): 64, topics.domain(IID, "x.lan"): 64, topics.crp(IID): 8}
    cluster = Cluster(
        "id", {**mine, topics.orphans(other): 64, "sync" + topics.orphans(IID): 64, "__consumer_offsets": 4}
    )
    assert cluster.of(IID) == mine
    assert cluster.installations() == sorted([IID, other])


def test_another_number_of_partitions_is_refused_by_name() -> None:
    refuse_other_counts({"t": 64}, {}, "k")
    refuse_other_counts({"t": 64}, {"t": 64, "u": 1}, "k")
    with pytest.raises(RefusedError, match="t has 4 partitions on k, expected 64"):
        refuse_other_counts({"t": 64}, {"t": 4}, "k")


def test_positions_reach_ends_only_when_every_partition_did() -> None:
    assert reached({"t": [5, 9]}, {"t": [5, 8]})
    assert not reached({"t": [5, 7]}, {"t": [5, 8]})
    assert not reached({}, {"t": [0]})
    assert reached({}, {})


def test_the_status_is_replaced_whole_and_private(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None
    status = ReplicateStatus(
        plan_id="p", pid=1, phase="copying", started_at=1.0, updated_at=2.0, positions={"t": [1]}
    )
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert [p.name for p in tmp_path.iterdir()] == ["replicate.json"]
    assert stat.S_IMODE((tmp_path / "replicate.json").stat().st_mode) == 0o600


def test_place_and_clone_survive_and_damage_is_told(tmp_path: Path) -> None:
    assert load_mirror(tmp_path) is None
    assert load_clone(tmp_path) is None
    save_mirror(tmp_path, MirrorState("g", "b", "c"))
    save_clone(tmp_path, CloneState("http://green", "task"))
    assert load_mirror(tmp_path) == MirrorState("g", "b", "c")
    assert load_clone(tmp_path) == CloneState("http://green", "task")
    (tmp_path / "mirror.json").write_text("{")
    with pytest.raises(JournalError):
        load_mirror(tmp_path)
