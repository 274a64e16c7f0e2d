"""A parked record is tried again on two Kafkas: written when understood, never behind something newer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.mirror_run import IID, config_for, plan_for
from tests.integration.test_mirror import DOMAIN, LAYOUT, caught_up, content, mirroring, publish, until

from bmswitch.journal.lock import Lock
from bmswitch.lab.embedded_kafka import EmbeddedKafka
from bmswitch.model import topics
from bmswitch.model.errors import BusyError, RecordError, RefusedError
from bmswitch.model.record_types import ENTRY_CLASS
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication import mirror
from bmswitch.replication.quarantine import undecided
from bmswitch.replication.reading import understand
from bmswitch.workflows import quarantine_retry
from bmswitch.workflows.quarantine import listed
from bmswitch.workflows.quarantine_retry import Retried, retry

PARTITION = 5
Pair = tuple[str, str]


def item(uid: str, text: str, operation: Operation = Operation.UPDATE) -> LogRecord:
    key = encode_key(RecordKey("calendar", "u", "calendar:Default:u", len(uid), "some.Class", operation))
    return LogRecord(
        DOMAIN,
        PARTITION,
        0,
        1_600_000_000_000,
        key,
        b'{"value":"%b","uid":"%b"}' % (text.encode(), uid.encode()),
    )


class Green:
    """Green's core, of which only the state is asked."""

    name = "green"
    answer = "CORE_STATE_CLONING"

    def state(self) -> str:
        return self.answer

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture
def pair(embedded_kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Blue's Kafka with five records, of which an older bmswitch understood only some; and green's."""
    monkeypatch.setattr(quarantine_retry, "open_core", lambda _config, _colour: Green())
    with EmbeddedKafka() as green:
        for kafka in (embedded_kafka, green):
            for name, partitions in LAYOUT.items():
                kafka.create_topic(name, partitions)
        publish(
            embedded_kafka.bootstrap,
            [
                item("lost", "first"),
                item("old", "before"),
                LogRecord(DOMAIN, PARTITION, 0, 1, b"no key", b"\xff"),
                item("fine", "never parked"),
                item("old", "after"),
                item("lost", "second"),
            ],
        )
        yield embedded_kafka.bootstrap, green.bootstrap


@pytest.fixture
def parked(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run folder after a mirror that did not understand offsets 0, 1, 2 and 5."""

    def understood_less(record: LogRecord) -> RecordKey:
        if record.topic == DOMAIN and record.offset in {0, 1, 5}:
            raise RecordError("a record of another version")
        return understand(record)

    with monkeypatch.context() as older:
        older.setattr(mirror, "understand", understood_less)
        with mirroring(tmp_path, pair) as running:
            until(lambda: caught_up(running) and running.progress.quarantined == 4)
    assert texts(pair) == [b"never parked", b"after"]
    return tmp_path


def texts(pair: Pair) -> list[bytes]:
    """What green's log says, in its order."""
    return [(r.value or b"").split(b'"')[3] for r in content(pair[1], DOMAIN).get(PARTITION, [])]


def again(run_dir: Path, pair: Pair, number: int | None) -> dict[int, Retried]:
    config = config_for(str(run_dir), *pair)
    return {one.number: one for one in retry(config, plan_for("p1"), number)}


def test_what_is_understood_now_is_written_in_order_and_nothing_newer_is_undone(
    pair: Pair, parked: Path
) -> None:
    done = again(parked, pair, None)
    assert {n: one.outcome for n, one in done.items()} == {
        1: "written",
        2: "overtaken",
        3: "parked",
        4: "written",
    }
    assert texts(pair) == [b"never parked", b"after", b"first", b"second"]
    assert [entry.number for entry in undecided(parked / "quarantine.ndjson")] == [3]
    states = {line.number: line.state for line in listed(config_for(str(parked), *pair))}
    assert states == {1: "retried", 2: "retried", 3: "parked", 4: "retried"}
    assert again(parked, pair, None)[3].outcome == "parked"
    with pytest.raises(RefusedError, match="on green already"):
        again(parked, pair, 1)


def test_an_older_record_is_overtaken_by_one_that_an_earlier_retry_wrote(pair: Pair, parked: Path) -> None:
    assert again(parked, pair, 4)[4].outcome == "written"
    assert again(parked, pair, 1)[1].outcome == "overtaken"
    assert texts(pair) == [b"never parked", b"after", b"second"]


def test_nothing_is_written_while_replicate_runs_or_once_green_leads(
    pair: Pair, parked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lock(parked / "replicate.lock", "replicate"), pytest.raises(BusyError, match="replicate runs"):
        again(parked, pair, None)
    monkeypatch.setattr(Green, "answer", "CORE_STATE_RUNNING")
    with pytest.raises(RefusedError, match="green leads"):
        again(parked, pair, 1)
    assert texts(pair) == [b"never parked", b"after"]
    assert len(undecided(parked / "quarantine.ndjson")) == 4


def test_a_run_folder_that_mirrored_nowhere_is_refused(pair: Pair, parked: Path) -> None:
    (parked / "mirror.json").unlink()
    with pytest.raises(RefusedError, match="did not mirror"):
        again(parked, pair, 1)


def test_legacy_records_reach_green_s_log_in_today_s_form(pair: Pair, tmp_path: Path) -> None:
    old = b'{"type":"roles","owner":"u","uid":"u_at_x.lan_role","id":9,"valueClass":"%b","created":true}'
    role = b"net.bluemind.core.backup.continuous.dto.DirEntryRole"
    entry = encode_key(RecordKey("dir", "system", "x.lan", 10, ENTRY_CLASS, Operation.CREATE))
    publish(
        pair[0],
        [
            LogRecord(DOMAIN, 7, 0, 1, entry, b'{"value":{"entry":{"kind":"USER"}},"uid":"u"}'),
            LogRecord(DOMAIN, 7, 0, 1, old % role, b'{"value":{"roles":["a"]},"uid":"u"}'),
        ],
    )
    with mirroring(tmp_path, pair) as running:
        until(lambda: caught_up(running))
    _, record = content(pair[1], DOMAIN)[7]
    key = RecordKey("role", "u", "u_at_x.lan_role", 9, role.decode(), Operation.CREATE)
    assert record.key == encode_key(key)
    assert topics.domain(IID, "x.lan") == record.topic
