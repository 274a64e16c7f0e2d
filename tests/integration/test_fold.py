"""The folded first pass on real parts: a real log both ways, and kills in the middle."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.integration.clone_kit import (
    DOMAIN,
    DUMP,
    IID,
    Lab,
    Line,
    Running,
    create,
    differences,
    held,
    in_a_clone,
    placeholders,
    write_lines,
)
from tests.integration.mirror_run import config_for, plan_for
from tests.integration.naive_fold import fold
from tests.integration.test_clone_real_dump import expected, write_with_deletes
from tests.integration.test_mirror import caught_up, publish, start_mirror, until

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.lab.loadlog import load_log
from bmswitch.lab.makelog.story import Story
from bmswitch.lab.makelog.write import to_folder
from bmswitch.lab.restore.bootstrap import bootstrap
from bmswitch.lab.store import Store
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.folding import Folded
from bmswitch.replication.state import load_fold
from bmswitch.workflows.mirroring import Mirroring

real_log = pytest.mark.skipif(not DUMP.is_dir(), reason="no real log: set BMSWITCH_REAL_LOG")
TOPICS = {topics.orphans(IID): "orphans", topics.domain(IID, DOMAIN): DOMAIN}
DOMAIN_TOPIC = topics.domain(IID, "x.lan")


@pytest.fixture
def green(tmp_path: Path) -> Iterator[Lab]:
    with EmbeddedKafka() as kafka:
        yield Lab(kafka, tmp_path / "green")


def folded(blue: str, green: str, run_dir: Path) -> Folded:
    """Mirrors everything that is there, the first pass folded."""
    run_dir.mkdir(exist_ok=True)
    running = Mirroring(config_for(str(run_dir), blue, green, fold=True), plan_for("p1"), lambda: True)
    try:
        until(lambda: caught_up(running))
        return running.folded
    finally:
        running.stop()


def as_dump(bootstrap_servers: str, folder: Path) -> Path:
    """What a Kafka holds as a dump, for the naive fold."""
    folder.mkdir()
    for topic, name in TOPICS.items():
        lines: list[Line] = [
            {
                "key": json.loads(one.key),
                "partition": one.partition,
                "offset": one.offset,
                "value": None if one.value is None else json.loads(one.value),
            }
            for one in read_whole(Kafka(bootstrap=bootstrap_servers), topic, 64)
        ]
        write_lines(folder, name, lines)
    return folder


@pytest.fixture(params=["as it is", "ends with deletes"])
def dump(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return DUMP if request.param == "as it is" else write_with_deletes(tmp_path / "dump", keep=lambda _: True)


def values(folder: Path) -> dict[tuple[str, str, str], object]:
    """Every item that lives after the log, with the value of its last record."""
    found = {}
    for kind, containers in fold(folder).live.items():
        for container, items in containers.items():
            for uid, record in items.items():
                found[kind, container, uid] = record["value"]
    found["installation:Server", IID, "bm-master"]["value"]["ip"] = "green's"
    return found


def modern(folder: Path) -> dict[tuple[str, str, str], object]:
    """Without what a cure brings up to date."""
    return {
        key: value
        for key, value in values(folder).items()
        if key[0] not in {"dir:HashMap", "role", "roles", "containers_meta"}
    }


@real_log
def test_a_real_log_folded_restores_to_what_the_naive_fold_says(
    embedded_kafka: EmbeddedKafka, green: Lab, dump: Path, tmp_path: Path
) -> None:
    """Green's log folds to the same, and both ways of restoring it give the same inventory."""
    load_log(dump, IID, embedded_kafka.bootstrap, create(embedded_kafka))
    for topic in TOPICS:
        green.kafka.create_topic(topic, 64)
    green.kafka.create_topic(topics.crp(IID), 8)
    counted = folded(embedded_kafka.bootstrap, green.kafka.bootstrap, tmp_path / "run")
    assert counted.done
    assert counted.kept < counted.read - 100
    assert values(as_dump(green.kafka.bootstrap, tmp_path / "copied")) == values(dump)
    wanted = expected(fold(dump))
    wanted["installation", IID, "bm-master"][1]["ip"] = green.site.address
    store = Store(":memory:")
    bootstrap(green.site, store)
    assert differences(held(store), wanted) == []
    cloned = Store(":memory:")
    outcome = Running(green, cloned).caught_up().promote()
    assert (outcome.state, outcome.end_cloning) == ("Success", True)
    invented = placeholders(green.log)
    actual = in_a_clone(held(cloned), invented)
    kept_on = {key for key in actual if key[0] == "container_flat_hierarchy"} - wanted.keys()
    rest = {key: value for key, value in actual.items() if key not in kept_on}
    assert differences(rest, in_a_clone(wanted, invented)) == []
    gone = fold(dump).gone
    assert {("container_flat_hierarchy", key[1], key[2]) for key in kept_on} <= gone


def writes(count: int, items: int = 400) -> list[LogRecord]:
    """Events that are written again and again, in their order; every tenth write is a deletion."""
    made = []
    for i in range(count):
        owner, uid = f"user-{i % 97}", f"event-{i * 7919 % items}"
        operation = Operation.DELETE if i % 10 == 9 else Operation.UPDATE
        value = b'{"uid":"%s"}' if i % 10 == 9 else b'{"value":{"at":%d},"uid":"%%s","internalId":1}' % i
        value %= uid.encode()
        key = encode_key(RecordKey("calendar", owner, "calendar:Default", 1, "x.Event", operation))
        made.append(LogRecord(DOMAIN_TOPIC, partition_of(owner), 0, i, key, value))
    return made


def last_writes(records: Iterable[LogRecord]) -> dict[tuple[str, str], bytes | None]:
    """The last value of each (owner, uid), None when it is deleted."""
    found: dict[tuple[str, str], bytes | None] = {}
    for record in records:
        key, uid = json.loads(record.key), json.loads(record.value or b"")["uid"]
        found[key["owner"], uid] = None if key["operation"] == "DELETE" else record.value
    return found


def test_nothing_is_lost_when_a_folded_pass_is_killed_while_blue_goes_on(
    embedded_kafka: EmbeddedKafka, green: Lab, tmp_path: Path
) -> None:
    """SIGKILL while windows fill and while they go on; then an orderly end. Green ends with the last write of every item."""
    records = writes(60_000)
    for kafka in (embedded_kafka, green.kafka):
        for topic in (topics.orphans(IID), DOMAIN_TOPIC):
            kafka.create_topic(topic, 64)
        kafka.create_topic(topics.crp(IID), 8)
    blue, there = embedded_kafka.bootstrap, Topics(Kafka(bootstrap=green.kafka.bootstrap))
    publish(blue, records[:50_000])
    for least in (0, 1, 10_000):
        process = start_mirror(tmp_path, (blue, green.kafka.bootstrap), "fold")
        try:
            until(lambda least=least: sum(there.ends({DOMAIN_TOPIC: 64})[DOMAIN_TOPIC]) >= least and (tmp_path / "fold.json").exists())  # type: ignore[misc]  # fmt: skip
        finally:
            process.kill()
            process.wait(10)
    publish(blue, records[50_000:])
    snapshot = load_fold(tmp_path)
    assert snapshot is not None
    assert sum(snapshot.ends[DOMAIN_TOPIC]) == 50_000
    folded(blue, green.kafka.bootstrap, tmp_path)
    copied = list(read_whole(Kafka(bootstrap=green.kafka.bootstrap), DOMAIN_TOPIC, 64))
    assert last_writes(copied) == last_writes(records)
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []


def test_a_made_log_folded_restores_to_the_same_as_unfolded(
    embedded_kafka: EmbeddedKafka, green: Lab, tmp_path: Path
) -> None:
    """Updates, deletions, bursts, old shapes: green's folded log and blue's whole one make the same installation."""
    story = Story(12, 6000, seed=3, domain=DOMAIN, installation=IID, sizes="live")
    to_folder(story, IID, DOMAIN, tmp_path / "made", lambda _: None)
    load_log(tmp_path / "made", IID, embedded_kafka.bootstrap, create(embedded_kafka))
    for topic in TOPICS:
        green.kafka.create_topic(topic, 64)
    green.kafka.create_topic(topics.crp(IID), 8)
    counted = folded(embedded_kafka.bootstrap, green.kafka.bootstrap, tmp_path / "run")
    assert counted.kept < counted.read * 0.7
    assert modern(as_dump(green.kafka.bootstrap, tmp_path / "copied")) == modern(tmp_path / "made")
    whole, less = Store(":memory:"), Store(":memory:")
    bootstrap(Lab(embedded_kafka, tmp_path / "blue").site, whole)
    bootstrap(green.site, less)
    assert differences(held(less), held(whole)) == []
