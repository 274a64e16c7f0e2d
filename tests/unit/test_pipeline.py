"""The mirror on in-memory twins: nothing is lost, whatever crashes when; what is not understood is parked."""

import itertools
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmswitch.model import topics
from bmswitch.model.errors import JournalError, RefusedError, UnreachableError
from bmswitch.model.records import SEPPUKU_CLASS, LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication import quarantine as quarantine_module
from bmswitch.replication.api import Batch, Cure, Place
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.server_addresses import ServerAddresses
from bmswitch.replication.memory import MemorySink, MemorySource
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Parked, Quarantine, parked

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"
TOPIC = topics.domain(IID, "x.lan")
KEY = encode_key(RecordKey("calendar", "u", "c", 1, "some.Class", Operation.UPDATE))
Log = dict[Place, list[LogRecord]]


def log_of(sizes: Sequence[int], *, step: int = 1) -> Log:
    """Partitions of these sizes; with `step` 2 every other offset is missing, as after compaction."""
    return {
        (TOPIC, p): [
            LogRecord(TOPIC, p, i * step, 1000 + i, KEY, b'{"uid":"%d.%d"}' % (p, i)) for i in range(n)
        ]
        for p, n in enumerate(sizes)
    }


def mirror_of(
    log: Log,
    committed: dict[Place, int],
    sink: MemorySink,
    parked_in: Quarantine,
    *,
    batch: int = 3,
    cures: Sequence[Cure] = (),
) -> Mirror:
    source = MemorySource(log, committed)
    start = {TOPIC: [committed.get((TOPIC, p), 0) for p in range(len(log))]}
    return Mirror(source, sink, Chain(cures), parked_in, start, batch=batch)


def drain(mirror: Mirror, log: Log) -> None:
    total = sum(len(records) for records in log.values())
    for _ in range(total + 2):
        mirror.step(0)
    mirror.checkpoint()


def by_partition(written: Sequence[LogRecord]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for record in written:
        found.setdefault(record.partition, []).append(record.offset)
    return found


def last_pass(offsets: list[int]) -> list[int]:
    """What remains of a partition when an earlier writing of an offset is overtaken by a later one: upserts."""
    return sorted(set(offsets)) if offsets[-1:] == [max(offsets)] else []


@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    step=st.integers(1, 2),
    crashes=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8), st.booleans()), max_size=4),
    batch=st.integers(1, 7),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_record_is_lost_and_order_holds_whatever_crashes(
    tmp_path: Path, sizes: list[int], step: int, crashes: list[tuple[int, int, bool]], batch: int
) -> None:
    log, committed, written = log_of(sizes, step=step), dict[Place, int](), list[LogRecord]()
    parked_in = Quarantine(tmp_path / "q")
    for after, reached, orderly in crashes:
        mirror = mirror_of(
            log, committed, MemorySink(written, crash_after=after, reached=reached), parked_in, batch=batch
        )
        try:
            for _ in range(20):
                mirror.step(0)
                if orderly:
                    mirror.checkpoint()
        except UnreachableError:
            continue
    drain(mirror_of(log, committed, MemorySink(written), parked_in, batch=batch), log)
    parked_in.close()
    offsets = by_partition(written)
    for (_, partition), records in log.items():
        if records:
            assert last_pass(offsets[partition]) == [r.offset for r in records]
            assert_only_rewinds(offsets[partition])


def assert_only_rewinds(offsets: list[int]) -> None:
    """Order is the log's, except that a crash starts again at an earlier record and then goes on without a gap."""
    known = sorted(set(offsets))
    for before, after in itertools.pairwise(offsets):
        assert after <= before or known.index(after) == known.index(before) + 1


def test_without_a_crash_everything_is_written_once_as_it_is(tmp_path: Path) -> None:
    log, committed, written = log_of([5, 0, 9]), dict[Place, int](), list[LogRecord]()
    parked_in = Quarantine(tmp_path / "q")
    mirror = mirror_of(log, committed, MemorySink(written), parked_in)
    drain(mirror, log)
    parked_in.close()
    assert by_partition(written) == {0: list(range(5)), 2: list(range(9))}
    assert sorted(written, key=lambda r: r.offset) == sorted(
        (r for p in log.values() for r in p), key=lambda r: r.offset
    )
    assert (mirror.progress.records, mirror.progress.lag) == (14, 0)
    assert committed == {(TOPIC, 0): 5, (TOPIC, 1): 0, (TOPIC, 2): 9}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"not json", b"{}", "key"),
        (b"", b"{}", "key"),
        (KEY, b"", "no JSON object"),
        (KEY, b'{"uid":"cut', "no JSON object"),
        (encode_key(RecordKey("dir", "system", "x.lan", 1, None, Operation.DELETE)), b'{"uid":"a"b"}', "uid"),
    ],
)
def test_what_can_not_be_understood_is_parked_and_its_neighbours_go_on(
    tmp_path: Path, key: bytes, value: bytes, reason: str
) -> None:
    log, committed, written = log_of([5]), dict[Place, int](), list[LogRecord]()
    log[TOPIC, 0][2] = LogRecord(TOPIC, 0, 2, 1, key, value)
    parked_in = Quarantine(tmp_path / "q")
    mirror = mirror_of(log, committed, MemorySink(written), parked_in)
    drain(mirror, log)
    parked_in.close()
    assert by_partition(written) == {0: [0, 1, 3, 4]}
    assert (mirror.progress.quarantined, committed[TOPIC, 0]) == (1, 5)
    (line,) = parked(tmp_path / "q")
    assert (line.topic, line.partition, line.offset, line.key, line.value) == (TOPIC, 0, 2, key, value)
    assert reason in line.reason
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o600


def test_a_record_that_is_read_again_is_parked_once(tmp_path: Path) -> None:
    record = LogRecord(TOPIC, 0, 2, 1, b"x", b"\xff")
    for _ in range(2):
        parked_in = Quarantine(tmp_path / "q")
        parked_in.park(record, "why")
        parked_in.park(record, "why")
        assert parked_in.count == 1
        parked_in.close()
    assert len(parked(tmp_path / "q")) == 1


def test_a_line_cut_by_a_crash_is_no_damage_but_a_broken_one_is(tmp_path: Path) -> None:
    file = tmp_path / "q"
    line = msgspec.json.encode(Parked("t", 0, 1, "why", b"k", None, 1.0))
    file.write_bytes(line + b"\n" + line[:10])
    assert len(parked(file)) == 1
    file.write_bytes(line[:10] + b"\n" + line + b"\n")
    with pytest.raises(JournalError):
        parked(file)


def test_too_many_parked_records_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine_module, "LIMIT", 2)
    parked_in = Quarantine(tmp_path / "q")
    for offset in range(2):
        parked_in.park(LogRecord(TOPIC, 0, offset, 1, b"", b""), "why")
    with pytest.raises(RefusedError):
        parked_in.park(LogRecord(TOPIC, 0, 2, 1, b"", b""), "why")
    parked_in.close()


def test_a_refusing_cure_stops_before_its_batch_is_written(tmp_path: Path) -> None:
    topic = topics.orphans(IID)
    key = encode_key(
        RecordKey("installation", "system", IID, 8, "net.bluemind.server.api.Server", Operation.CREATE)
    )
    log = {(topic, 0): [LogRecord(topic, 0, 0, 1, key, b'{"value":{"ip":"1.1.1.1"},"uid":"new"}')]}
    written: list[LogRecord] = []
    parked_in = Quarantine(tmp_path / "q")
    source = MemorySource(log, {})
    mirror = Mirror(source, MemorySink(written), Chain([ServerAddresses({})]), parked_in, {topic: [0]})
    with pytest.raises(RefusedError):
        mirror.step(0)
    parked_in.close()
    assert (written, source.committed) == ([], {})


def test_nothing_of_blue_is_written_after_its_farewell_once_green_leads(tmp_path: Path) -> None:
    farewell = encode_key(RecordKey("dir", "system", "x.lan", 1982139277, SEPPUKU_CLASS, Operation.CREATE))
    log, written, leads = log_of([6]), list[LogRecord](), [False]
    log[TOPIC, 0][2] = LogRecord(TOPIC, 0, 2, 1, farewell, b'{"uid":"seppuku"}')
    parked_in = Quarantine(tmp_path / "q")
    source = MemorySource(log, {})
    mirror = Mirror(
        source,
        MemorySink(written),
        Chain([]),
        parked_in,
        {TOPIC: [0]},
        may_write=lambda: not leads[0],
        batch=1,
    )
    for _ in range(4):  # the switch was put back: blue leads again, its records go on
        assert mirror.step(0)
    leads[0] = True
    assert not mirror.step(0)
    assert not mirror.step(0)
    parked_in.close()
    assert by_partition(written) == {0: [0, 1, 2, 3]}
    assert (mirror.progress.finished, source.committed[TOPIC, 0]) == (True, 4)


class Refusing(MemorySource):
    """A source that counts what it was asked."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, {})
        self.commits: list[dict[Place, int]] = []

    def read(self, limit: int, timeout: float) -> Batch:
        batch = super().read(limit, timeout)
        return Batch(batch.records, {})

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:  # noqa: ARG002 - the protocol's signature
        self.commits.append(dict(positions))


class Silent(MemorySink):
    """A sink that never acknowledges."""

    def flush(self) -> None:
        raise UnreachableError("no answer")


def test_no_position_moves_before_the_sink_acknowledged(tmp_path: Path) -> None:
    source = Refusing(log_of([5]))
    parked_in = Quarantine(tmp_path / "q")
    mirror = Mirror(source, Silent([]), Chain([]), parked_in, {TOPIC: [0]}, batch=5)
    with pytest.raises(UnreachableError):
        drain(mirror, log_of([5]))
    parked_in.close()
    assert source.commits == []
    assert mirror.progress.positions == {TOPIC: [0]}
