"""`journal show` as people and machines read it; an open attempt and what it may be gone on with."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.unit.test_switch_decisions import Table, no

from bmswitch.cli.main import run
from bmswitch.journal.journal import Journal
from bmswitch.model.config import Config
from bmswitch.model.errors import RefusedError, StalePlanError
from bmswitch.model.switch import Entry, Powers, State
from bmswitch.workflows.config import load_config
from bmswitch.workflows.cutover_fits import refuse_other_nodes, refuse_other_plan

LAB = Path(__file__).resolve().parents[2] / "examples" / "lab.yaml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "bmswitch.yaml"
    path.write_text(LAB.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "run").mkdir()
    return path


def played(config: Path) -> Path:
    """A whole attempt that was put back, on the disk."""
    path = config.parent / "run" / "journal.ndjson"
    table = Table(Powers(revoke=True))
    table.answers["prove"] = no(
        "calendar:Default [x] differs in an item whose name is rather long, so that it wraps"
    )
    with Journal(path) as journal:
        journal.append(Entry(kind="start", fence=3, plan_id="20261127-040000-abcdef", said="plan"), 1_000_000)
        write = table.write

        def both(entry: Entry) -> None:
            write(entry)
            journal.append(entry, table.now)

        table.write = both  # type: ignore[method-assign] # every line goes to the disk, too
        table.run()
    return path


def test_it_is_readable_at_80_columns(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    played(config)
    assert run(["journal", "show", "-c", str(config)]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].startswith("plan 20261127-040000-abcdef")
    assert any("+0.0" in line and " hold " in line for line in lines)
    assert "calendar:Default [x] differs" in " ".join(told.split()), "brackets are no markup"
    assert "turns back" in told
    assert "ends as aborted" in told


def test_as_json_it_is_the_lines_themselves(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = played(config)
    assert run(["journal", "show", "-c", str(config), "--output", "json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["file"], result["torn"]) == (str(path), "")
    assert [entry["seq"] for entry in result["entries"]] == list(range(1, len(result["entries"]) + 1))


def test_a_torn_last_line_is_said_and_the_rest_is_shown(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = played(config)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert run(["journal", "show", "-c", str(config)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "was torn by a crash" in told
    assert "the next cutover cuts it off" in told
    assert path.read_bytes() == whole[:-9]


def test_any_other_damage_is_named_by_its_line_with_the_next_command(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = played(config)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b'"at_ms"', b'"at_mx"'), *lines[5:]]))
    assert run(["journal", "show", "-c", str(config)]) == 13
    told = capsys.readouterr()
    assert told.out == ""
    assert "line 5" in told.err
    assert "bmswitch status" in told.err


def test_a_folder_without_a_journal_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "show", "-c", str(config)]) == 0
    assert "no switch was begun" in capsys.readouterr().out


def opened(config: Path) -> tuple[Config, State]:
    settings = load_config(config)
    return settings, State(attempt=1, plan_id="p1", nodes=[node.name for node in settings.proxies])


def test_the_nodes_of_an_open_switch_are_named_when_they_changed(config: Path) -> None:
    settings, state = opened(config)
    refuse_other_nodes(state, settings)
    refuse_other_nodes(State(attempt=1), settings)
    renamed = [msgspec.structs.replace(node, name="edge-9") for node in settings.proxies]
    with pytest.raises(RefusedError) as caught:
        refuse_other_nodes(state, msgspec.structs.replace(settings, proxies=renamed))
    assert caught.value.evidence == "envoy-1 is not in the configuration any more; edge-9 is new"
    assert caught.value.exit_code == 8


def test_another_plan_is_refused_forward_and_told_on_the_way_back(config: Path) -> None:
    _, state = opened(config)
    assert refuse_other_plan(state, "p1", abort=False) == ""
    with pytest.raises(StalePlanError) as caught:
        refuse_other_plan(state, "p2", abort=False)
    assert "p1" in caught.value.evidence
    assert "--abort" in caught.value.next_command
    assert "put back all the same" in refuse_other_plan(state, "p2", abort=True)
    back = msgspec.structs.replace(state, goal="abort")
    assert refuse_other_plan(back, "p2", abort=False)
