"""One golden file for each way a record or a body can be wrong: what becomes of it is written in the file.

`fate` of a record: `passes` as it is, `cured`, `parked` with a reason, `settled` (parked, and no longer waited for). Of a body:
`verify` finds it. `green` says what the clone makes of it.
"""

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.mirror_run import IID, config_for

from bmswitch.model import topics
from bmswitch.model.differences import Place
from bmswitch.model.guards import GUARDS
from bmswitch.model.records import LogRecord
from bmswitch.objects.bucket import content_digest
from bmswitch.parity.bodies import Bodies
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.memory import MemorySink, MemorySource
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Quarantine, entries
from bmswitch.workflows.cures import pipeline

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.json"))
FILES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CORPUS}
RECORDS = {name: told for name, told in FILES.items() if told["fate"] != "verify"}
BODIES = {name: told for name, told in FILES.items() if told["fate"] == "verify"}
TOPIC = topics.domain(IID, "x.lan")
WAYS = {
    "bad_json", "other_key_order", "missing_key_field", "missing_uid", "null_key", "tombstone", "huge_value", "wrong_partition",
    "body_missing", "body_wrong_sha1", "body_not_zstd", "unknown_operation", "duplicated_create", "delete_before_create",
}  # fmt: skip
NEIGHBOUR = b'{"type":"tags","owner":"x.lan","uid":"tags_x","id":%d,"valueClass":"net.bluemind.tag.api.Tag","operation":"CREATE"}'


def record(told: dict[str, Any], offset: int) -> LogRecord:
    key, value = told["key"], told["value"]
    raw = b"x" * told["size"] if "size" in told else None if value is None else value.encode()
    if "size" in told:
        raw = b'{"value":{"x":"' + b"x" * told["size"] + b'"},"uid":"i1"}'
    return LogRecord(TOPIC, told.get("partition", 3), offset, 1, key.encode() if key else b"", raw)


def neighbour(number: int, offset: int) -> LogRecord:
    value = b'{"value":{"label":"l","color":"c"},"uid":"t%d","internalId":%d,"version":1}' % (number, number)
    return LogRecord(TOPIC, 3, offset, 1, NEIGHBOUR % number, value)


def mirrored(records: list[LogRecord], folder: Path) -> list[LogRecord]:
    """What a mirror with every cure hands on."""
    log: dict[tuple[str, int], list[LogRecord]] = {(TOPIC, p): [] for p in range(10)}
    for one in records:
        log[TOPIC, one.partition].append(one)
    cures = pipeline(config_for(str(folder), "127.0.0.1:9", "127.0.0.1:9"), IID, IID, "")
    written: list[LogRecord] = []
    source, quarantine = MemorySource(log, {}), Quarantine(folder / "q")
    chain = Chain(cures, ChildrenWait(fresh=True))
    mirror = Mirror(source, MemorySink(written), chain, quarantine, source.start)
    for _ in range(10):
        mirror.step(0)
    mirror.checkpoint()
    assert mirror.progress.lag == 0, "nothing stops at a broken record"
    mirror.close()
    return written


def test_every_way_that_a_record_can_be_wrong_has_its_file() -> None:
    assert set(FILES) >= WAYS


@pytest.mark.parametrize("name", RECORDS)
def test_a_broken_record_has_its_fate_and_its_neighbours_go_on(name: str, tmp_path: Path) -> None:
    told = RECORDS[name]
    broken = [record(one, offset) for offset, one in enumerate(told["records"], start=1)]
    before, after = neighbour(1, 0), neighbour(2, len(broken) + 1)
    written = mirrored([before, *broken, after], tmp_path)
    assert {before.key, after.key} <= {one.key for one in written}
    ours = [(one.partition, one.key, one.value) for one in written if one.key not in {before.key, after.key}]
    parked = entries(tmp_path / "q")
    if told["said"]:
        (entry,) = parked
        assert told["said"] in entry.parked.reason
        assert entry.state == ("parked" if told["fate"] == "parked" else "retried")
    if told["fate"] == "parked":
        assert entry.parked.record() == broken[-1]
        assert len(ours) == len(broken) - 1
        return
    wanted = [record(one, 0) for one in told["out"]]
    without_repetitions = list(dict.fromkeys(ours))
    assert [one for one in without_repetitions if one[1] in {w.key for w in wanted}] == list(
        dict.fromkeys((w.partition, w.key, w.value) for w in wanted)
    )
    unresolved = [entry for entry in parked if entry.state == "parked"]
    assert unresolved == []


@pytest.mark.parametrize("name", RECORDS)
def test_what_passes_says_what_the_clone_makes_of_it(name: str) -> None:
    told = RECORDS[name]
    assert told["wrong"]
    assert bool(told["green"]) == (told["fate"] in {"passes", "settled"})
    named = {word.strip("`.,") for word in told["green"].split() if word.startswith("`")} - {"bmswitch"}
    assert named <= {guard.name for guard in GUARDS}


class Bucket:
    """A bucket with one object, or with none."""

    def __init__(self, content: bytes | None) -> None:
        self._content = content

    def missing(self, guids: Iterable[str]) -> set[str]:
        return set(guids) if self._content is None else set()

    def verify_body(self, guid: str) -> bool:
        return content_digest(io.BytesIO(self._content or b"")) == guid


@pytest.mark.parametrize("name", BODIES)
def test_a_broken_body_is_found(name: str) -> None:
    told = BODIES[name]
    content = None if told["object"] is None else base64.b64decode(told["object"])
    bodies = Bodies(Bucket(content), sample=-1)
    bodies.add(Place("x.lan", "u1", "mbox_records_f1", "mailbox_records"), [told["guid"]])
    bodies.finish()
    assert [one.what for one in bodies.differences] == told["found"]
