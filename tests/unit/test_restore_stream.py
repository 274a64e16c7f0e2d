"""The end of a stream, resume tokens, and what a dump may not contain."""

import gzip
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bmswitch.lab.loadlog import installation_of, load_log, read_dump, read_objects
from bmswitch.lab.restore.domain import Mode, Starvation
from bmswitch.lab.restore.state import CloneState, Token
from bmswitch.model.errors import LabError
from bmswitch.model.partition import partition_of

IID = "bluemind-644e1a44-332a-47af-815d-b5a806fa5ab0"


def starvation(
    mode: Mode, goal: int = 2, *, running: bool = False
) -> tuple[Starvation, threading.Event, list[str]]:
    stop, log = threading.Event(), list[str]()
    return Starvation(mode, goal, lambda: running, stop, log.append), stop, log


def test_a_fork_ends_when_every_domain_starved_once() -> None:
    starved, _, log = starvation("FORK")
    for topic in ("a", "a", "b"):
        assert not starved.over()
        starved.report(topic, "client", 0)
    assert starved.over()
    assert sum("RECORD STARVATION" in line for line in log) == 2
    assert "We have 1 starved topics, we expect 2" in log


def test_a_tail_ends_only_when_the_core_runs_or_stops() -> None:
    starved, stop, _ = starvation("TAIL", 1)
    starved.report("a", "client", 0)
    assert not starved.over()
    stop.set()
    assert starved.over()
    assert starvation("TAIL", running=True)[0].over()


def test_resume_tokens_survive_and_a_damaged_file_is_a_fresh_start(tmp_path: Path) -> None:
    path = tmp_path / "clone.state.json"
    CloneState(path, print).save("topic", Token("clone-x-of-y", 2))
    assert CloneState(path, print).token("topic") == Token("clone-x-of-y", 2)
    assert msgspec.json.decode(path.read_bytes()) == {"topic": {"group": "clone-x-of-y", "workers": 2}}
    path.write_text("{")
    log: list[str] = []
    assert CloneState(path, log.append).token("topic") is None
    assert "not readable" in log[0]


def line(**changes: Any) -> dict[str, Any]:
    key = {
        "type": "dir",
        "owner": "system",
        "uid": "lab.test",
        "id": 5,
        "valueClass": "X",
        "operation": "CREATE",
    }
    value = {"value": {}, "uid": "u1", "internalId": 5, "version": 1}
    return {"key": key, "partition": partition_of("u1"), "offset": 0, "value": value} | changes


def dump(folder: Path, *lines: dict[str, Any], name: str = "lab.test") -> Path:
    path = folder / f"{name}.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.writelines(msgspec.json.encode(one) + b"\n" for one in lines)
    return path


def test_a_dump_is_read_by_partition_and_offset_with_tombstones(tmp_path: Path) -> None:
    path = dump(tmp_path, line(offset=7), line(offset=2), line(offset=4, value=None))
    records = read_dump(path)
    assert [(record.offset, record.value is None) for record in records] == [
        (2, False),
        (4, True),
        (7, False),
    ]
    assert records[0].key == msgspec.json.encode(line()["key"])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"partition": 3}, "its key belongs to"),
        ({"partition": 64}, "is not one of 64"),
        ({"offset": -1}, "is negative"),
        ({"value": {"uid": "u1"}}, "not understood"),
        ({"value": {"value": {}}}, "no readable uid"),
        ({"key": {"type": "dir"}}, "key is not understood"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    path = dump(
        tmp_path, line(), line(offset=1, **{k: v for k, v in changes.items() if k != "offset"}) | changes
    )
    with pytest.raises(LabError) as caught:
        read_dump(path)
    assert f"{path}, line 2: " in caught.value.evidence
    assert problem in caught.value.evidence


def test_an_offset_that_comes_twice_and_a_cut_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        read_dump(dump(tmp_path, line(), line()))
    assert "line 2: offset 0 of partition" in caught.value.evidence
    path = dump(tmp_path, *(line(offset=n) for n in range(500)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LabError) as caught:
        read_dump(path)
    assert "the file is damaged" in caught.value.evidence


def test_the_installation_is_read_from_the_orphans_and_must_be_the_one_asked_for(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no dumped change log"):
        installation_of(tmp_path)
    key = line()["key"] | {"type": "installation", "uid": IID}
    dump(tmp_path, line(key=key), name="orphans")
    assert installation_of(tmp_path) == IID
    with pytest.raises(LabError, match="another installation"):
        load_log(tmp_path, "bluemind-other", "127.0.0.1:1", lambda _: None)


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "objects.tar"
    path.write_bytes(b"no tar" * 200)
    with pytest.raises(LabError, match="archive of objects is damaged"):
        list(read_objects(path))
