"""A mirror parks a child whose parent has not come, hands it on behind the parent, and knows it again after a restart."""

from pathlib import Path

import msgspec
from tests.integration.mirror_run import config_for
from tests.unit.test_cures_clone import ROLE, SETTINGS, TOPIC, entry, folder, mail

from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Place
from bmswitch.replication.chain import Chain
from bmswitch.replication.memory import MemorySink, MemorySource
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import FILE, Quarantine, entries
from bmswitch.workflows.cures import children_wait

Log = dict[Place, list[LogRecord]]


def log_of(*records: LogRecord) -> Log:
    return {(TOPIC, 0): [msgspec.structs.replace(r, partition=0, offset=n) for n, r in enumerate(records)]}


def mirrored(log: Log, committed: dict[Place, int], folder_: Path, *, fresh: bool) -> list[LogRecord]:
    config, written = config_for(str(folder_), "127.0.0.1:9", "127.0.0.1:9"), list[LogRecord]()
    source, quarantine = MemorySource(log, committed), Quarantine(folder_ / FILE)
    chain = Chain([], children_wait(config, fresh=fresh))
    mirror = Mirror(source, MemorySink(written), chain, quarantine, source.start)
    for _ in range(5):
        mirror.step(0)
    mirror.checkpoint()
    mirror.close()
    return written


def states(folder_: Path) -> dict[int, str]:
    return {one.parked.offset: one.state for one in entries(folder_ / FILE)}


def test_it_is_parked_until_its_parent_has_passed(tmp_path: Path) -> None:
    log = log_of(SETTINGS, entry("u2"), entry(), mail(), folder(), ROLE)
    written = mirrored(log, {}, tmp_path, fresh=True)
    assert [one.offset for one in written] == [1, 2, 0, 4, 3, 5]
    assert states(tmp_path) == {0: "retried", 3: "retried"}
    first = entries(tmp_path / FILE)[0]
    assert (first.parked.waits_for, first.parked.reason) == (
        "owner u1", "it waits for its owner: u1 has not come before it"
    )  # fmt: skip
    assert first.decision is not None
    assert "handed on behind offset 2" in first.decision.reason


def test_a_run_that_goes_on_hands_on_what_an_earlier_one_has_parked(tmp_path: Path) -> None:
    whole, committed = log_of(SETTINGS, mail(), entry("u2"), entry(), folder()), dict[Place, int]()
    assert [r.offset for r in mirrored(log_of(*whole[TOPIC, 0][:3]), committed, tmp_path, fresh=True)] == [2]
    assert states(tmp_path) == {0: "parked", 1: "parked"}
    written = mirrored(whole, committed, tmp_path, fresh=False)
    assert [one.offset for one in written] == [3, 0, 4, 1]
    assert states(tmp_path) == {0: "retried", 1: "retried"}
