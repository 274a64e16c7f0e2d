"""Tries parked records again with the cures of now, and writes what is understood to green's log.

It holds the lock of `replicate`: while it works nothing newer can get into green's log in between.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from bmswitch.journal.lock import Lock
from bmswitch.kafka.consumer import LogConsumer
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config
from bmswitch.model.errors import BusyError, RecordError, RefusedError, UnreachableError
from bmswitch.model.plan import Plan
from bmswitch.model.records import LogRecord, decode_item_uid, decode_key
from bmswitch.replication import preflight
from bmswitch.replication.chain import Chain
from bmswitch.replication.crew_files import read_workers
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.quarantine import Entry, Quarantine, entries
from bmswitch.replication.reading import understand
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.state import load_mirror
from bmswitch.workflows.clone_watch import RUNNING
from bmswitch.workflows.cures import pipeline, resources_whole
from bmswitch.workflows.quarantine import LIST, decision, entry_of, opened, path_of, why
from bmswitch.workflows.sites import open_core

_READ_WITHIN = 600.0


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one retry: `written` to green's log, `overtaken` by a newer record of the item, or still `parked`."""

    number: int
    outcome: Literal["written", "overtaken", "parked"]
    said: str


def retry(config: Config, plan: Plan, number: int | None) -> list[Retried]:
    """Passes one record, or all that are not decided, through today's cures and writes what is understood to green.

    Raises:
        BusyError: replicate runs; it and a retry must not write at the same time.
        RefusedError: green leads, or this run folder never mirrored between these two Kafkas.
        UnreachableError: a Kafka or green's core does not answer.
    """
    if config.replication.mode != "mirror":
        raise RefusedError(
            "there is no mirror: replication.mode is shared",
            consequence="nothing was written",
            next_command=LIST,
        )
    wanted = _wanted(config, number)
    if not wanted:
        return []
    with _locked(Path(config.run_dir)), opened(path_of(config)) as file:
        _refuse_leading_green(config)
        again = _Again(config, plan, file)
        try:
            return [done for part in _by_partition(wanted) for done in again.partition(part)]
        finally:
            again.close()


class _Again:
    """One pass of retries: the cures of now, green's log, and blue's to see what came later."""

    def __init__(self, config: Config, plan: Plan, file: Quarantine) -> None:
        self._config, self._file = config, file
        blue_id = plan.source.installation_id
        green_id = config.target.installation_id or blue_id
        route = preflight.route(Topics(config.source.kafka), Topics(config.target.kafka), blue_id, green_id)
        _refuse_other_clusters(Path(config.run_dir), route)
        cures = pipeline(config, blue_id, green_id, route.derived_crp)
        self._chain = Chain([*cures, *resources_whole(config, fresh=False)])
        self._sink = KafkaSink(config.target.kafka)

    def partition(self, wanted: list[Entry]) -> list[Retried]:
        """Tries the entries of one partition in the order of the log."""
        done: dict[int, Retried] = {}
        ready: list[tuple[Entry, list[LogRecord]]] = []
        parents = self._parents([entry for entry in wanted if entry.parked.waits_for])
        for entry in wanted:
            if entry.parked.waits_for and entry.number not in parents:
                said = f"its {entry.parked.waits_for} has still not come"
                done[entry.number] = Retried(number=entry.number, outcome="parked", said=said)
                continue
            try:
                ready.append((entry, self._cured(entry.parked.record())))
            except RecordError as error:
                said = f"{error.cause}: {error.evidence}"
                done[entry.number] = Retried(number=entry.number, outcome="parked", said=said)
        newest = self._newest(ready) if ready else {}
        for entry, out in ready:
            done[entry.number] = self._write(entry, out, newest.get(entry.number))
        return [done[entry.number] for entry in wanted]

    def close(self) -> None:
        """Frees the sink."""
        self._sink.close()

    def _write(self, entry: Entry, out: list[LogRecord], newer: int | None) -> Retried:
        """One record onto green's log. The decision is written after Kafka acknowledged, never before."""
        if newer is not None:
            self._file.decide(decision(entry, "retried", f"overtaken by offset {newer}", ""))
            said = f"offset {newer} of the partition says what holds now: nothing was written"
            return Retried(number=entry.number, outcome="overtaken", said=said)
        self._sink.send(out)
        self._sink.flush()
        said = f"{len(out)} record(s) written to green's log"
        self._file.decide(decision(entry, "retried", said, ""))
        return Retried(number=entry.number, outcome="written", said=said)

    def _parents(self, waiting: list[Entry]) -> set[int]:
        """Of entries of one partition that wait, the numbers of those whose parent came later in blue's log."""
        if not waiting:
            return set()
        children = ChildrenWait(
            fresh=False, waiting=[(e.parked.record(), e.parked.waits_for) for e in waiting]
        )
        first = waiting[0].parked
        came: set[int] = set()
        for later in _after(self._config, first.topic, first.partition, first.offset):
            try:
                came |= {child.offset for child in children.came(later, decode_key(later.key))}
            except RecordError:
                continue
            came |= {one.record.offset for one in children.settled()}
        return {entry.number for entry in waiting if entry.parked.offset in came}

    def _cured(self, record: LogRecord) -> list[LogRecord]:
        """What goes on instead of the record. Raises RecordError when it is not understood."""
        try:
            cured = self._chain(record, understand(record))
        except RecordError:
            cured = self._chain.mended(record)
            if cured is None:
                raise
        out = [record] if cured is None else cured
        for one in out[:1]:
            _item(one)
        return out

    def _newest(self, ready: list[tuple[Entry, list[LogRecord]]]) -> dict[int, int]:
        """By number: offset of a later record of the same item that green's log has or will get.

        Writing the old one behind it would undo it. What is parked or accepted is not on green and does not count.
        """
        items = {entry.number: _item(out[0]) for entry, out in ready if out}
        by_uid: dict[str, list[tuple[Entry, _Item]]] = {}
        for entry, _ in ready:
            if entry.number in items:
                by_uid.setdefault(items[entry.number].item, []).append((entry, items[entry.number]))
        first = ready[0][0].parked
        absent = {
            e.parked.offset
            for e in entries(path_of(self._config))
            if (e.parked.topic, e.parked.partition) == (first.topic, first.partition) and e.state != "retried"
        }
        newest: dict[int, int] = {}
        for later in _after(self._config, first.topic, first.partition, first.offset):
            if later.offset not in absent:
                for entry in self._overtaken(later, by_uid):
                    newest[entry.number] = later.offset
        return newest

    def _overtaken(self, later: LogRecord, by_uid: dict[str, list[tuple[Entry, "_Item"]]]) -> list[Entry]:
        try:
            item = _item(later)
            if item.item not in by_uid:
                return []
            item = _item(self._cured(later)[0])
        except (RecordError, IndexError):
            return []
        return [e for e, mine in by_uid[item.item] if later.offset > e.parked.offset and mine.same(item)]


class _Item(msgspec.Struct, frozen=True):
    """Which item a record is about; `item` is its uid, or its key's id for a tombstone."""

    container: tuple[str, str, str]
    item: str
    value_class: str | None

    def same(self, other: "_Item") -> bool:
        """True for the same item. A deletion may know no class."""
        either = self.value_class is None or other.value_class is None
        return (self.container, self.item) == (other.container, other.item) and (
            either or self.value_class == other.value_class
        )


def _item(record: LogRecord) -> _Item:
    key = decode_key(record.key)
    uid = f"id {key.id} {key.operation}" if record.value is None else decode_item_uid(record.value)
    return _Item((key.type, key.owner, key.uid), uid, key.value_class)


def _after(config: Config, topic: str, partition: int, offset: int) -> Iterator[LogRecord]:
    """The records of blue's log behind an offset, up to now. Raises UnreachableError at the deadline."""
    topics = Topics(config.source.kafka)
    low = topics.lows({topic: partition + 1})[topic][partition]
    ends = topics.ends({topic: partition + 1})[topic]
    end, start = ends[partition], max(low, offset + 1)
    if start >= end:
        return
    reader = LogConsumer(config.source.kafka, f"bmswitch-read-{uuid.uuid4().hex}")
    deadline = time.monotonic() + _READ_WITHIN
    try:
        reader.assign({topic: [*ends[:partition], start]})
        while start < end:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"what follows offset {offset} of {topic} partition {partition} could not be read in time",
                    consequence="it is not known whether a newer record holds: nothing was written",
                )
            batch = reader.read(1000, 0.1)
            for record in batch.records:
                if record.partition == partition:
                    start = record.offset + 1
                    yield record
            start = max(start, batch.ends.get((topic, partition), 0))
    finally:
        reader.close()


@contextmanager
def _locked(run_dir: Path) -> Iterator[None]:
    """The lock of `replicate`: two writers would mix old and new."""
    try:
        lock = Lock(run_dir / "replicate.lock", "quarantine retry")
    except BusyError as busy:
        raise BusyError(
            "replicate runs: it and a retry must not write to green's log at the same time",
            evidence=busy.evidence,
            consequence="nothing was written",
            next_command="stop replicate (ctrl-c or SIGTERM), retry, start replicate again: it goes on where it was",
        ) from busy
    with lock:
        others = read_workers(run_dir)
        if others:
            raise BusyError(
                "workers of another machine are at work: they and a retry must not write to green's log at the same time",
                evidence=", ".join(f"process {worker.pid} on {worker.host}" for worker in others),
                consequence="nothing was written",
                next_command="end replicate --join there, retry, start it again",
            )
        yield


def _refuse_leading_green(config: Config) -> None:
    green = open_core(config, config.standby)
    try:
        leads = green.state() == RUNNING
    finally:
        green.close()
    if leads:
        raise RefusedError(
            f"{green.name} leads: its log takes no records of the other side any more",
            consequence="nothing was written",
            next_command=LIST,
        )


def _refuse_other_clusters(run_dir: Path, route: preflight.Route) -> None:
    known = load_mirror(run_dir)
    if known is None or (known.blue_cluster, known.green_cluster) != (
        route.blue_cluster,
        route.green_cluster,
    ):
        raise RefusedError(
            "this run folder did not mirror between these two Kafkas",
            consequence="nothing was written",
            next_command="bmswitch replicate",
        )


def _wanted(config: Config, number: int | None) -> list[Entry]:
    if number is None:
        return [entry for entry in entries(path_of(config)) if entry.state == "parked"]
    entry = entry_of(config, number)
    if entry.state == "retried":
        raise RefusedError(f"record {number} is on green already", evidence=why(entry), next_command=LIST)
    return [entry]


def _by_partition(wanted: list[Entry]) -> list[list[Entry]]:
    parts: dict[tuple[str, int], list[Entry]] = {}
    for entry in sorted(wanted, key=lambda e: e.parked.offset):
        parts.setdefault((entry.parked.topic, entry.parked.partition), []).append(entry)
    return [parts[place] for place in sorted(parts)]
