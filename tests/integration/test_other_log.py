"""What is on the other side of a wire is no more what it was: each is named and refused, and nothing is written."""

from pathlib import Path

import msgspec
import pytest
from tests.integration.mirror_run import config_for, plan_for
from tests.integration.test_mirror import (
    DOMAIN,
    LAYOUT,
    caught_up,
    domain_records,
    green_kafka,
    mirroring,
    pair,
    publish,
    until,
)

from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RefusedError
from bmswitch.replication.preflight import refuse_grown_topics, refuse_other_topics
from bmswitch.replication.source import KafkaSource, refuse_holes
from bmswitch.workflows.mirroring import Mirroring

__all__ = ["green_kafka", "pair"]


def copied(run_dir: Path, pair: tuple[str, str]) -> None:
    publish(pair[0], domain_records(200))
    with mirroring(run_dir, pair) as running:
        until(lambda: caught_up(running))


def refused(run_dir: Path, pair: tuple[str, str], match: str) -> RefusedError:
    before = Topics(Kafka(bootstrap=pair[1])).ends(LAYOUT)
    with pytest.raises(RefusedError, match=match) as error:
        Mirroring(config_for(str(run_dir), *pair), plan_for("p1"), lambda: True)
    assert Topics(Kafka(bootstrap=pair[1])).ends(LAYOUT) == before
    return error.value


def test_another_source_cluster_is_named(pair: tuple[str, str], tmp_path: Path) -> None:
    copied(tmp_path, pair)
    with EmbeddedKafka() as other:
        for name, count in LAYOUT.items():
            other.create_topic(name, count)
        said = refused(tmp_path, (other.bootstrap, pair[1]), "other Kafka clusters")
    assert said.evidence.startswith("source's Kafka: was ")


def test_another_target_cluster_that_holds_records_is_named(pair: tuple[str, str], tmp_path: Path) -> None:
    copied(tmp_path, pair)
    with EmbeddedKafka() as other:
        for name, count in LAYOUT.items():
            other.create_topic(name, count)
        publish(other.bootstrap, domain_records(1))
        said = refused(tmp_path, (pair[0], other.bootstrap), "other Kafka clusters")
    assert said.evidence.startswith("target's Kafka: was ")


def test_a_log_that_ends_before_our_place_is_another_one(pair: tuple[str, str], tmp_path: Path) -> None:
    """What a topic that was made anew looks like to a broker that tells no ids."""
    copied(tmp_path, pair)
    source = KafkaSource(Kafka(bootstrap=pair[0]), "bmswitch-p1", LAYOUT)
    source.commit({(DOMAIN, 3): 10_000}, wait=True)
    source.close()
    refused(tmp_path, pair, "is not the one that was read before")


def test_a_log_that_begins_behind_our_place_has_a_hole() -> None:
    refuse_holes("t", {0: 5, 1: None, 2: 9}, [5, 0, 9], [5, 0, 12])
    for committed, low in ((4, 5), (None, 1)):
        with pytest.raises(RefusedError, match="gone before they were read") as error:
            refuse_holes("t", {0: committed}, [low], [9])
        assert error.value.evidence == f"next to read {committed or 0}, first one there {low}"


def test_another_installation_s_log_is_not_taken_for_ours(pair: tuple[str, str], tmp_path: Path) -> None:
    plan = plan_for("p1")
    other = "bluemind-00000000-0000-4000-8000-000000000000"
    stranger = msgspec.structs.replace(
        plan, source=msgspec.structs.replace(plan.source, installation_id=other)
    )
    with pytest.raises(RefusedError, match=f"no log of {other}"):
        Mirroring(config_for(str(tmp_path), *pair), stranger, lambda: True)


def test_partitions_that_are_added_while_the_copy_runs_stop_it() -> None:
    refuse_grown_topics({"a": 64}, {"a": 64, "new": 8})
    for now in (63, 65):
        with pytest.raises(RefusedError, match=f"topic a of the source has {now} partitions, it had 64"):
            refuse_grown_topics({"a": 64}, {"a": now})


def test_a_topic_with_another_id_was_made_anew() -> None:
    known = {"source a": "x", "target a": "y"}
    refuse_other_topics(known, {"source a": "x", "target a": "y", "source b": "z"})
    refuse_other_topics(known, {})
    refuse_other_topics({}, known)
    with pytest.raises(RefusedError, match="topic a of the target's Kafka was deleted and made anew"):
        refuse_other_topics(known, {"source a": "x", "target a": "other"})
