"""The folded first pass against a naive model that shares no code with it, whatever is killed when."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmswitch.model import topics
from bmswitch.model.errors import UnreachableError
from bmswitch.model.records import LogRecord
from bmswitch.replication.api import Place
from bmswitch.replication.chain import Chain
from bmswitch.replication.folding import FoldingSource
from bmswitch.replication.memory import MemorySink, MemorySource
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Quarantine

TOPIC = topics.domain("bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0", "x.lan")
Log = dict[Place, list[LogRecord]]
State = dict[tuple[Any, ...], bytes]
FREE = ("mailbox_records", "calendar", "container_flat_hierarchy", "replicated_mailboxes")
FIXED = ("dir", "containers_meta", "message_bodies", "memberships")


def record(
    place: Place, offset: int, kind: str, uid: str, operation: str, *, number: int = 7, text: str = "", flags: Sequence[str] = ()
) -> LogRecord:  # fmt: skip
    """A record as BlueMind writes it; `text` is what changes: the name of a folder, the state of another item."""
    key = {
        "type": kind, "owner": f"o{place[1]}", "uid": f"c-{kind}", "id": number, "valueClass": "x.V", "operation": operation,
    }  # fmt: skip
    payload: dict[str, Any] = {"state": text, "uid": "another", "at": offset}
    if kind == "replicated_mailboxes":
        payload = {"name": text, "fullName": text, "parentUid": None, "deleted": False, "lastUid": offset}
    envelope = {
        "value": payload, "uid": uid, "internalId": number, "version": offset, "displayName": ',"internalId":', "flags": [*flags],
    }  # fmt: skip
    value = {"uid": uid} if operation == "DELETE" else envelope
    return LogRecord(*place, offset, 1000 + offset, dumped(key), dumped(value))


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def tombstones(deletion: LogRecord) -> list[LogRecord]:
    found = []
    for more, operation in enumerate((b'"UPDATE"}', b'"CREATE"}'), 1):
        key = deletion.key[:-9] + operation
        found.append(LogRecord(deletion.topic, deletion.partition, deletion.offset + more, 1, key, None))
    return found


# ---- the naive model


def item_of(one: LogRecord) -> tuple[Any, ...]:
    key = json.loads(one.key)
    return (
        one.topic,
        one.partition,
        key["type"],
        key["owner"],
        key["uid"],
        json.loads(one.value or b"{}").get("uid"),
    )


def replayed(records: Sequence[LogRecord]) -> State:
    """What an installation holds after these records: the last write of each item that is not a deletion."""
    state: State = {}
    for one in records:
        if one.value is None or json.loads(one.key)["id"] == 0:
            continue
        if json.loads(one.key)["operation"] == "DELETE":
            state.pop(item_of(one), None)
        else:
            state[item_of(one)] = one.value
    return state


def folder_names(records: Sequence[LogRecord]) -> dict[int, dict[Any, Any]]:
    """Offset to the names that all folders have after it; deleted and flagged ones included."""
    names: dict[Any, Any] = {}
    found: dict[int, dict[Any, Any]] = {}
    for one in records:
        if one.value is not None and b"replicated_mailboxes" in one.key:
            value = json.loads(one.value)
            names = dict(names)
            names.pop(value["uid"], None)
            if "value" in value and "Deleted" not in value["flags"]:
                names[value["uid"]] = value["value"]["fullName"]
        found[one.offset] = names
    return found


# ---- logs

steps = st.tuples(
    st.sampled_from(FREE + FIXED),
    st.sampled_from("abc"),
    st.sampled_from(("CREATE", "UPDATE", "UPDATE", "DELETE", "DELETE+")),
    st.sampled_from("xyé"),
    st.sampled_from((7, 7, 7, 8, 0)),
    st.sampled_from(((), (), ("Seen",), ("Deleted",))),
    st.integers(1, 3),
)
partitions = st.lists(steps, max_size=25)


def log_of(parts: Sequence[Sequence[Any]]) -> Log:
    log: Log = {}
    for number, made in enumerate(parts):
        place, offset = (TOPIC, number), 0
        records = log[place] = []
        for kind, uid, operation, text, item_id, flags, gap in made:
            offset += gap
            name = operation.removesuffix("+")
            one = record(place, offset, kind, uid, name, number=item_id, text=text, flags=flags)
            records.append(one)
            if operation.endswith("+"):
                records += tombstones(one)
                offset += 2
    return log


class Run:
    """Mirrors of one log, one after the other, that share what survives a kill."""

    def __init__(
        self, log: Log, folder: Path, *, keys: int = 3, group: int = 20, spill: int = 1 << 30
    ) -> None:
        self.log, self.folder = log, folder
        self.committed: dict[Place, int] = {}
        self.written: list[LogRecord] = []
        self.keys, self.group, self.spill = keys, group, spill
        self.ends = {TOPIC: [records[-1].offset + 1 if records else 0 for records in log.values()]}
        self.fresh = True
        self.quarantine = Quarantine(folder / "q")

    def go(self, count: int, sink: MemorySink | None = None, batch: int = 3) -> FoldingSource:
        inner = MemorySource(self.log, self.committed)
        source = FoldingSource(
            inner,
            inner.start,
            self.ends,
            self.folder,
            fresh=self.fresh,
            keys=self.keys,
            group=self.group,
            spill=self.spill,
        )
        self.fresh = False
        mirror = Mirror(
            source, sink or MemorySink(self.written), Chain([]), self.quarantine, inner.start, batch=batch
        )
        try:
            for _ in range(count):
                mirror.step(0)
                if mirror.progress.lag == 0 and source.folded.done and sink is None:
                    break
        except UnreachableError:
            pass
        else:
            if sink is None:
                mirror.checkpoint()
        source.close()
        return source

    def of(self, place: Place) -> list[LogRecord]:
        return [one for one in self.written if (one.topic, one.partition) == place]


@given(
    parts=st.lists(partitions, min_size=1, max_size=3),
    tail=partitions,
    kills=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 8)), max_size=4),
    sizes=st.tuples(
        st.integers(0, 6), st.integers(1, 60), st.sampled_from((300, 3000, 1 << 30)), st.integers(1, 7)
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_the_target_holds_what_the_naive_fold_says_whatever_is_killed_when(
    tmp_path: Path, parts: list[Any], tail: list[Any], kills: list[Any], sizes: tuple[int, ...]
) -> None:
    keys, group, spill, batch = sizes
    run = Run(log_of(parts), tmp_path, keys=keys, group=group, spill=spill)
    for one in log_of([tail])[TOPIC, 0]:  # written by users while the pass runs
        end = run.ends[TOPIC][0]
        run.log[TOPIC, 0].append(LogRecord(one.topic, 0, one.offset + end, 1, one.key, one.value))
    for count, after, reached in kills:
        run.go(count, MemorySink(run.written, crash_after=after, reached=reached), batch)
    run.go(400, batch=batch)
    run.quarantine.close()
    for place, records in run.log.items():
        written = run.of(place)
        assert replayed(written) == replayed(records)
        last = written[
            max(
                (i for i, one in enumerate(written) if i and one.offset <= written[i - 1].offset), default=0
            ) :
        ]
        assert [one.offset for one in last] == sorted(one.offset for one in last)
        kept = {one.offset for one in written}
        untouched = {one.offset for one in records if json.loads(one.key)["type"] in FIXED}
        assert untouched <= kept
        assert {one.offset for one in records if one.offset >= run.ends[TOPIC][place[1]]} <= kept


@given(parts=st.lists(partitions, min_size=1, max_size=2), keys=st.integers(0, 6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_each_record_that_is_written_meets_the_folders_that_it_would_have_met(
    tmp_path: Path, parts: list[Any], keys: int
) -> None:
    run = Run(log_of(parts), tmp_path, keys=keys)
    run.go(400)
    run.quarantine.close()
    for place, records in run.log.items():
        before, after = folder_names(records), folder_names(run.of(place))
        assert {offset: before[offset] for offset in after} == after


def test_what_will_be_parked_makes_nothing_needless(tmp_path: Path) -> None:
    place = (TOPIC, 0)
    good, bad = record(place, 0, "calendar", "a", "CREATE"), record(place, 1, "calendar", "a", "UPDATE")
    bad = LogRecord(*place, 1, 1, bad.key.replace(b'"owner"', b'"owner'), bad.value)
    run = Run({place: [good, bad]}, tmp_path)
    run.go(20)
    run.quarantine.close()
    assert (run.written, run.quarantine.count) == ([good], 1)


def test_a_deletion_goes_only_where_it_is_needed(tmp_path: Path) -> None:
    """A mail that came and went in the snapshot leaves no record at all; one that is on the target already is deleted."""
    place = (TOPIC, 0)
    deletion = record(place, 2, "mailbox_records", "1.", "DELETE")
    mail = [record(place, 0, "mailbox_records", "1.", o) for o in ("CREATE", "UPDATE")]
    other = record(place, 5, "dir", "u", "CREATE")
    log = {
        place: [
            mail[0],
            LogRecord(*place, 1, 1, mail[1].key, mail[1].value),
            deletion,
            *tombstones(deletion),
            other,
        ]
    }
    fresh = Run(log, tmp_path)
    counted = fresh.go(20).folded
    assert (fresh.written, counted.read, counted.kept) == ([other], 6, 1)
    again = Run(log, tmp_path)
    again.fresh = False
    again.go(20)
    for run in (fresh, again):
        run.quarantine.close()
    assert again.written == log[place][2:]


def test_half_records_of_one_item_and_two_items_of_one_id_all_stay(tmp_path: Path) -> None:
    """Until 2023-03 ACL and settings of a container shared a key; a 32-bit hash may stand for two uids (change-log.md 5.7, 3.2)."""
    place = (TOPIC, 0)
    halves = [
        record(place, n, "containers_meta", "a", "CREATE", text=t) for n, t in enumerate(("ACL", "SETTING"))
    ]
    twins = [record(place, n, "calendar", uid, "CREATE") for n, uid in ((2, "a"), (3, "b"))]
    run = Run({place: halves + twins}, tmp_path)
    run.go(20)
    run.quarantine.close()
    assert run.written == halves + twins
