"""The mirror between two Kafkas: byte-exact copies, crashes, refusals, latency."""

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.mirror_run import IID, config_for, plan_for

from bmswitch.kafka.consumer import LogConsumer, read_whole
from bmswitch.kafka.producer import LogProducer
from bmswitch.kafka.topics import Topics
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model import topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.model.partition import partition_of
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.quarantine import parked
from bmswitch.replication.state import load_mirror
from bmswitch.workflows.mirroring import Mirroring

ORPHANS, DOMAIN, CRP = topics.orphans(IID), topics.domain(IID, "x.lan"), topics.crp(IID)
LAYOUT = {ORPHANS: 64, DOMAIN: 64, CRP: 8}


@pytest.fixture
def green_kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as kafka:
        yield kafka


@pytest.fixture
def pair(embedded_kafka: EmbeddedKafka, green_kafka: EmbeddedKafka) -> tuple[str, str]:
    """Two Kafkas with the same empty topics."""
    for kafka in (embedded_kafka, green_kafka):
        for name, partitions in LAYOUT.items():
            kafka.create_topic(name, partitions)
    return embedded_kafka.bootstrap, green_kafka.bootstrap


def key_of(
    owner: str, number: int, key_type: str = "calendar", operation: Operation = Operation.UPDATE
) -> bytes:
    return encode_key(
        RecordKey(key_type, owner, f"calendar:Default:{owner}", number, "some.Class", operation)
    )


def domain_records(count: int, owners: int = 97) -> list[LogRecord]:
    """Records of many owners; some are tombstones, some have headers, sizes vary up to 2 kB."""
    made = []
    for i in range(count):
        owner = f"user-{i % owners}"
        value = None if i % 50 == 7 else b'{"uid":"%d","pad":"%s"}' % (i, b"x" * (i * 37 % 2000))
        headers = (("h", b"v\x00"), ("n", None)) if i % 100 == 3 else ()
        made.append(
            LogRecord(
                DOMAIN, partition_of(owner), 0, 1_600_000_000_000 + i, key_of(owner, i + 1), value, headers
            )
        )
    return made


def server_record(uid: str = "bm-master") -> LogRecord:
    key = encode_key(
        RecordKey("installation", "system", IID, 8, "net.bluemind.server.api.Server", Operation.UPDATE)
    )
    value = b'{"value":{"ip":"10.0.0.1","name":"%b"},"uid":"%b"}' % (uid.encode(), uid.encode())
    return LogRecord(ORPHANS, partition_of(uid), 0, 1_600_000_000_000, key, value)


def publish(bootstrap: str, records: list[LogRecord]) -> None:
    producer = LogProducer(Kafka(bootstrap=bootstrap))
    producer.send_all(records)
    producer.flush()
    producer.close()


def content(bootstrap: str, topic: str) -> dict[int, list[LogRecord]]:
    """Every record of a topic by partition."""
    found: dict[int, list[LogRecord]] = {}
    for record in read_whole(Kafka(bootstrap=bootstrap), topic, LAYOUT[topic]):
        found.setdefault(record.partition, []).append(record)
    return found


def wire(record: LogRecord) -> tuple[int, bytes, bytes | None, object]:
    """All of a record but its offset."""
    return record.timestamp_ms, record.key, record.value, record.headers


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.005)


@contextmanager
def mirroring(
    run_dir: Path, pair: tuple[str, str], servers: dict[str, str] | None = None
) -> Iterator[Mirroring]:
    running = Mirroring(config_for(str(run_dir), *pair, servers), plan_for("p1"), lambda: True)
    try:
        yield running
    finally:
        running.stop()


def caught_up(running: Mirroring) -> bool:
    running.check()
    ends = running.ends_now()
    return all(running.progress.positions[name] == list(at) for name, at in ends.items())


def test_every_record_arrives_as_it_was_in_the_same_partition_and_order(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], [server_record(), *domain_records(5000)])
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        assert running.progress.lag == 0
    before, after = content(pair[0], DOMAIN), content(pair[1], DOMAIN)
    assert {p: list(map(wire, rs)) for p, rs in after.items()} == {
        p: list(map(wire, rs)) for p, rs in before.items()
    }
    (server,) = content(pair[1], ORPHANS)[36]
    assert server.value == (server_record().value or b"").replace(b"10.0.0.1", b"127.0.2.1")


@pytest.mark.parametrize("kills", [3])
def test_no_record_is_lost_when_the_mirror_is_killed_in_the_middle(
    pair: tuple[str, str], tmp_path: Path, kills: int
) -> None:
    """SIGKILL at several points of the copy, and orderly ends between: each source record is there, in order."""
    records = domain_records(60_000)
    publish(pair[0], [server_record(), *records])
    green = Topics(Kafka(bootstrap=pair[1]))

    for kill in range(1, kills + 1):
        process = start_mirror(tmp_path, pair)
        try:
            wait_for_records(green, len(records) * kill // (kills + 2), process)
        finally:
            process.kill()
            process.wait(10)
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
    duplicates = compare_in_order(content(pair[0], DOMAIN), content(pair[1], DOMAIN))
    assert duplicates < len(records)


def start_mirror(run_dir: Path, pair: tuple[str, str], *more: str) -> "subprocess.Popen[bytes]":
    script = Path(__file__).with_name("mirror_run.py")
    return subprocess.Popen([sys.executable, str(script), str(run_dir), *pair, "p1", *more])


def wait_for_records(green: Topics, least: int, process: "subprocess.Popen[bytes]") -> None:
    until(lambda: sum(green.ends({DOMAIN: 64})[DOMAIN]) >= least or process.poll() is not None)
    assert process.poll() is None


def compare_in_order(before: dict[int, list[LogRecord]], after: dict[int, list[LogRecord]]) -> int:
    """Every source record is there in order, by offset: a rewind starts anew and then goes on; how many came twice."""
    assert before.keys() == after.keys()
    doubled = 0
    for partition, source in before.items():
        place = {wire(r): i for i, r in enumerate(source)}
        last = -1
        highest = -1
        for record in after[partition]:
            at = place[wire(record)]
            assert at <= highest + 1, "a gap"
            assert at == last + 1 or at <= highest, "out of order"
            last, highest = at, max(highest, at)
        assert highest == last == len(source) - 1
        doubled += len(after[partition]) - len(source)
    return doubled


def test_an_orderly_end_commits_and_the_next_run_copies_nothing_twice(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], domain_records(2000))
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
    publish(pair[0], domain_records(300))
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        assert running.progress.records == 300
    assert sum(map(len, content(pair[1], DOMAIN).values())) == 2300
    state = load_mirror(tmp_path)
    assert state is not None
    assert state.group == "bmswitch-p1"


def test_single_records_reach_green_s_log_without_waiting_for_others(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], domain_records(10))
    reader = LogConsumer(Kafka(bootstrap=pair[1]), f"test-{uuid.uuid4().hex}")
    writer = LogProducer(Kafka(bootstrap=pair[0]))
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        reader.assign(Topics(Kafka(bootstrap=pair[1])).ends({DOMAIN: 64}))
        for record in domain_records(30):
            writer.send_all([record])
            writer.flush()
            until(lambda: bool(reader.read(10, 0.05).records))
    reader.close()
    writer.close()


def test_a_server_without_mapping_stops_before_anything_is_written(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], [server_record(), server_record("bm-imap2"), *domain_records(100)])
    with pytest.raises(RefusedError, match="bm-imap2"):
        Mirroring(config_for(str(tmp_path), *pair), plan_for("p1"), lambda: True)
    ends = Topics(Kafka(bootstrap=pair[1])).ends(LAYOUT)
    assert not any(any(offsets) for offsets in ends.values())
    assert list(tmp_path.iterdir()) == []


def test_records_of_somebody_else_on_green_are_never_mixed_with(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    publish(pair[0], domain_records(10))
    publish(pair[1], domain_records(1))
    with pytest.raises(RefusedError, match="has records already"):
        Mirroring(config_for(str(tmp_path), *pair), plan_for("p1"), lambda: True)


def test_another_number_of_partitions_is_refused(
    embedded_kafka: EmbeddedKafka, green_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    for name, partitions in LAYOUT.items():
        embedded_kafka.create_topic(name, partitions)
        green_kafka.create_topic(name, 4 if name == DOMAIN else partitions)
    with pytest.raises(RefusedError, match="has 4 partitions"):
        Mirroring(
            config_for(str(tmp_path), embedded_kafka.bootstrap, green_kafka.bootstrap),
            plan_for("p1"),
            lambda: True,
        )


def test_one_cluster_is_not_mirrored_onto_itself(pair: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="same Kafka cluster"):
        Mirroring(config_for(str(tmp_path), pair[0], pair[0]), plan_for("p1"), lambda: True)


def test_the_proxy_s_topic_is_derived_when_blue_has_none(
    embedded_kafka: EmbeddedKafka, green_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    for name, partitions in LAYOUT.items():
        green_kafka.create_topic(name, partitions)
        if name != CRP:
            embedded_kafka.create_topic(name, partitions)
    entry = encode_key(RecordKey("dir", "system", "x.lan", 5, "some.Entry", Operation.CREATE))
    publish(
        embedded_kafka.bootstrap, [LogRecord(DOMAIN, 3, 0, 1000, entry, b'{"uid":"u"}'), *domain_records(50)]
    )
    with mirroring(tmp_path, (embedded_kafka.bootstrap, green_kafka.bootstrap)) as running:
        until(lambda: caught_up(running))
    (derived,) = content(green_kafka.bootstrap, CRP)[6]
    assert (derived.key, derived.value, derived.timestamp_ms) == (entry, b'{"uid":"u"}', 1000)


def test_a_poisonous_record_is_parked_and_its_neighbours_arrive(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    good = domain_records(20)
    publish(pair[0], [*good[:10], LogRecord(DOMAIN, 5, 0, 1, b"no key", b"\xff\xfe"), *good[10:]])
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        until(lambda: running.progress.quarantined == 1)
    assert sum(map(len, content(pair[1], DOMAIN).values())) == 20
    (line,) = parked(tmp_path / "quarantine.ndjson")
    assert (line.topic, line.partition, line.key, line.value) == (DOMAIN, 5, b"no key", b"\xff\xfe")


def test_a_domain_that_is_created_meanwhile_is_mirrored_too(
    pair: tuple[str, str], embedded_kafka: EmbeddedKafka, green_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    new = topics.domain(IID, "new.lan")
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        for kafka in (embedded_kafka, green_kafka):
            kafka.create_topic(new, 64)
        publish(pair[0], [LogRecord(new, 1, 0, 1, key_of("u", 1), b'{"uid":"1"}')])
        running.follow_new_topics()
        green = Topics(Kafka(bootstrap=pair[1]))
        until(lambda: green.ends({new: 64})[new][1] == 1)


def test_a_broker_that_is_away_for_a_while_is_waited_for(
    pair: tuple[str, str], green_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    publish(pair[0], domain_records(100))
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
        green_kafka.set_down()
        threading.Timer(1.0, green_kafka.set_up).start()
        publish(pair[0], domain_records(200)[100:])
        until(lambda: caught_up(running))
    assert compare_in_order(content(pair[0], DOMAIN), content(pair[1], DOMAIN)) == 0


def test_an_unreachable_kafka_is_said_so() -> None:
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        Topics(Kafka(bootstrap="127.0.0.1:9")).cluster(timeout=0.5)


def test_sigterm_ends_a_mirror_process_orderly(pair: tuple[str, str], tmp_path: Path) -> None:
    publish(pair[0], domain_records(1000))
    green = Topics(Kafka(bootstrap=pair[1]))
    process = start_mirror(tmp_path, pair)
    try:
        wait_for_records(green, 1000, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)
    reader = LogConsumer(Kafka(bootstrap=pair[0]), "bmswitch-p1")
    assert sum(o or 0 for o in reader.committed({DOMAIN: 64})[DOMAIN]) == 1000
    reader.close()


@pytest.mark.real
def test_apache_kafka_gets_its_topics_made_and_the_same_records(
    embedded_kafka: EmbeddedKafka, apache_kafka: str, tmp_path: Path
) -> None:
    for name, partitions in LAYOUT.items():
        embedded_kafka.create_topic(name, partitions)
    publish(embedded_kafka.bootstrap, [server_record(), *domain_records(3000)])
    with mirroring(tmp_path, (embedded_kafka.bootstrap, apache_kafka)) as running:
        until(lambda: caught_up(running))
    assert Topics(Kafka(bootstrap=apache_kafka)).cluster().of(IID) == LAYOUT
    before, after = content(embedded_kafka.bootstrap, DOMAIN), content(apache_kafka, DOMAIN)
    assert {p: list(map(wire, rs)) for p, rs in after.items()} == {
        p: list(map(wire, rs)) for p, rs in before.items()
    }
