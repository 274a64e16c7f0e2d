"""What an operator gets wrong, and sites that are not what they should be: exit code, words, and nothing touched."""

import json
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.line_kit import Line, replicating, running_line, wait_for

from bmswitch.journal.journal import Journal
from bmswitch.model.switch import Entry

SMALL = ("--users", "3", "--items", "2")
SERVERS = "servers: {bm-master: 127.0.2.1}"
WRONG = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A lab without clients whose green is up and not installed; every test takes a run folder of its own."""
    with running_line(tmp_path_factory.mktemp("bad"), *SMALL) as made:
        made.must("lab", "standby", "up", "green", plain=True)
        yield made


@pytest.fixture
def planned(line: Line, request: pytest.FixtureRequest) -> Path:
    """A configuration of the test's own, with a good plan."""
    config = line.copy_config(f"run-{abs(hash(request.node.name))}")
    line.must("plan", config=config)
    return config


def _plan_file(config: Path) -> Path:
    return config.parent / config.stem / "plan.json"


def _refused(line: Line, code: int, *words: str, config: Path) -> Any:
    """Asked twice, as JSON and for people: the same exit code, the same cause, no secret in either."""
    error = line.fails(code, *words, config=config)
    told = line.raw(*words, config=config)
    assert told.returncode == code
    assert told.stdout == ""
    assert "error:" in told.stderr
    assert "\x1b" not in told.stderr
    shown = " ".join(told.stderr.split())
    assert error["cause"].split(":")[0] in shown
    assert not [word for word in line.secrets() if word in told.stderr + json.dumps(error)]
    return error


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the plan says stop -------------------------------------------------------------------------------------------


def test_a_server_without_an_address_stops_the_plan_and_the_copy(line: Line) -> None:
    config = line.copy_config("no-server", {SERVERS: "servers: {}"})
    code, answer = line.run("plan", config=config)
    assert code == 8
    stops = [finding for finding in answer["result"]["findings"] if finding["level"] == "stop"]
    assert [finding["guard"] for finding in stops] == ["servers_mapped"]
    assert "bm-master" in stops[0]["evidence"]
    assert "bm-master" in line.raw("plan", config=config).stdout
    for command in ("provision", "replicate"):
        assert "bm-master" in line.fails(4, command, config=config)["evidence"]
    assert line.green_records() == 0

    _without_stops(_plan_file(config))
    error = _refused(line, 8, "replicate", config=config)
    assert "bm-master" in error["cause"] + error["evidence"]
    assert line.must("lab", "status", plain=True)["topics"]["green"] == {}


def test_one_core_for_both_sides_is_refused_before_anything_is_read(line: Line) -> None:
    loaded = yaml.safe_load(line.config.read_text())
    config = line.copy_config("one-core", {loaded["green"]["url"]: loaded["blue"]["url"] + "/"})
    assert "the same core" in _refused(line, 3, "plan", config=config)["cause"]


@pytest.mark.parametrize(
    ("guard", "level", "said"),
    [
        ("versions_as_told", "stop", "older"),
        ("deleted_by_one", "stop", "both sides may delete from the shared bucket"),
        ("log_settings", "unknown", "does not tell the settings of its topics"),
    ],
)
def test_each_wrong_pair_of_sites_has_a_stop_of_its_own(
    line: Line, guard: str, level: str, said: str
) -> None:
    changed = {
        "versions_as_told": {"version: '5.1'": "version: '4.9'"},
        "deleted_by_one": {"    stop: [blue/stop-core]\n": ""},
        "log_settings": {"tells_settings: false": "tells_settings: true"},
    }[guard]
    config = line.copy_config(f"wrong-{guard}", changed)
    code, answer = line.run("plan", config=config)
    assert code in (6, 8), answer
    found = {one["guard"]: one for one in answer["result"]["findings"]}[guard]
    assert found["level"] == level
    assert said in found["cause"]
    assert found["command"]
    assert line.fails(4, "replicate", config=config)["cause"].startswith("the plan says stop")
    assert line.green_records() == 0


def _without_stops(path: Path) -> None:
    """What a hurried operator does with a plan that says stop."""
    plan = json.loads(path.read_text())
    plan["findings"] = [finding for finding in plan["findings"] if finding["level"] != "stop"]
    path.write_text(json.dumps(plan))


def test_a_green_that_runs_is_left_alone(line: Line) -> None:
    config = line.copy_config("green-runs")
    with _green_in_production(line):
        code, answer = line.run("plan", config=config)
        assert code == 8
        stops = [finding["guard"] for finding in answer["result"]["findings"] if finding["level"] == "stop"]
        assert "target_is_free" in stops
        _without_stops(_plan_file(config))
        assert "green" in _refused(line, 8, "replicate", config=config)["cause"]
        assert "green" in line.fails(8, "provision", config=config)["cause"]
    assert line.green_records() == 0


@contextmanager
def _green_in_production(line: Line) -> Iterator[None]:
    """Green as an installation of its own, as a wrong address in the configuration could name it."""
    line.must("lab", "standby", "down", "green", plain=True)
    line.must("lab", "standby", "up", "green", plain=True)
    try:
        (line.lab / "green" / "etc" / "mcast.id.clone").unlink()
        with line.core("green") as core:
            core.headers.pop("X-BM-ApiKey")
            assert core.post("/api/system/installation/_initialize").status_code < 300
        wait_for(lambda: line.core_state("green") == "CORE_STATE_RUNNING", 10, "green is in production")
        yield
    finally:
        line.must("lab", "standby", "down", "green", plain=True)
        line.must("lab", "standby", "up", "green", plain=True)


# --- something does not answer, or refuses us ---------------------------------------------------------------------


def test_a_kafka_or_a_blue_that_does_not_answer_is_named(line: Line) -> None:
    with ThreadPoolExecutor(3) as pool:  # each waits for its deadlines, not for the processor
        sides = [pool.submit(_kafka_is_missed, line, side) for side in ("blue", "green")]
        for done in [*sides, pool.submit(_blue_is_missed, line)]:
            done.result()


def _kafka_is_missed(line: Line, side: str) -> None:
    address = line.state["bootstraps"][side]
    closed = f"127.0.0.1:{_closed_port()}"
    config = line.copy_config(f"no-kafka-{side}", {f"bootstrap: {address}": f"bootstrap: {closed}"})
    code, answer = line.run("plan", config=config)
    assert code == 6, answer
    unknown = [finding for finding in answer["result"]["findings"] if finding["level"] == "unknown"]
    assert any(side in finding["cause"] and closed in finding["evidence"] for finding in unknown), unknown
    _without_unknown(_plan_file(config))
    assert closed in line.fails(6, "replicate", config=config)["cause"]


def _without_unknown(path: Path) -> None:
    plan = json.loads(path.read_text())
    plan["findings"] = [finding for finding in plan["findings"] if finding["level"] != "unknown"]
    path.write_text(json.dumps(plan))


def _blue_is_missed(line: Line) -> None:
    port, address = line.state["ports"]["blue_http"], line.state["bootstraps"]["blue"]
    config = line.copy_config(
        "no-blue",
        {
            f"127.0.1.1:{port}": f"127.0.1.1:{_closed_port()}",
            f"bootstrap: {address}": f"bootstrap: 127.0.0.1:{_closed_port()}",
        },
    )
    assert "blue" in line.fails(6, "plan", config=config)["cause"]
    assert not _plan_file(config).exists()


def test_an_address_that_is_no_core_is_no_defect_of_ours(line: Line) -> None:
    port, admin = line.state["ports"]["blue_http"], line.state["ports"]["s3"]
    config = line.copy_config("no-core", {f"127.0.1.1:{port}": f"127.0.0.1:{admin}"})
    code, answer = line.run("plan", config=config)
    assert code in (6, 7, 8), answer


@pytest.mark.parametrize(
    "command",
    ["cutover", *(pytest.param(name, marks=pytest.mark.slow) for name in ("plan", "replicate", "verify"))],
)
def test_a_refused_token_is_said_and_never_shown(line: Line, command: str) -> None:
    token = line.lab / "secrets" / f"{command}-blue.token"
    shutil.copy(line.lab / "secrets" / "blue.token", token)
    config = line.copy_config(f"token-{command}", {"secrets/blue.token": f"secrets/{command}-blue.token"})
    line.must("plan", config=config)
    token.write_text(WRONG)
    words = [command, "--yes"] if command == "cutover" else [command]
    error = _refused(line, 7, *words, config=config)
    assert "blue" in error["cause"]
    logs = [path.read_text(errors="replace") for path in (line.lab / "logs").glob("*.log")]
    assert not [text for text in logs if WRONG in text]


# --- the plan file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("provision",), ("replicate",), ("verify",), ("cutover", "--yes")], ids=lambda words: words[0]
)
def test_half_a_plan_file_is_refused_by_every_command(
    line: Line, planned: Path, words: tuple[str, ...]
) -> None:
    path = _plan_file(planned)
    path.write_bytes(path.read_bytes()[:2000])
    assert "damaged" in line.fails(4, *words, config=planned)["cause"]
    assert line.green_records() == 0


def test_a_plan_file_that_can_not_be_trusted_is_refused(line: Line, planned: Path) -> None:
    path = _plan_file(planned)
    good = path.read_bytes()
    for bad, word in (
        (b"steps: none\n", "damaged"),
        (good.replace(b'"schema": 3', b'"schema": 9'), "schema 9"),
        (good.replace(b'"domains"', b'"domain"'), "damaged"),
    ):
        assert bad != good
        path.write_bytes(bad)
        assert word in line.fails(4, "replicate", config=planned)["cause"]
    path.unlink()
    assert "no plan file" in _refused(line, 4, "replicate", config=planned)["cause"]


@pytest.mark.parametrize(("old", "new"), [("hold: 8.0", "hold: 7.0"), ("name: envoy-1", "name: envoy-9")])
def test_a_plan_for_another_configuration_is_stale(line: Line, planned: Path, old: str, new: str) -> None:
    text = planned.read_text()
    assert old in text
    planned.write_text(text.replace(old, new))
    assert "configuration" in _refused(line, 5, "replicate", config=planned)["cause"]


def test_a_server_that_changed_on_blue_makes_the_plan_stale(line: Line, planned: Path) -> None:
    with line.core("blue") as core:
        (server,) = core.get("/api/servers/default/_complete").json()
        moved = {**server["value"], "ip": "127.0.9.9", "fqdn": "127.0.9.9"}
        core.post("/api/servers/default/bm-master", json=moved).raise_for_status()
        try:
            error = _refused(line, 5, "replicate", config=planned)
            assert "bm-master was 127.0.1.1, is 127.0.9.9" in error["evidence"]
            assert "bm-master" in line.fails(5, "cutover", "--yes", config=planned)["evidence"]
        finally:
            core.post("/api/servers/default/bm-master", json=server["value"]).raise_for_status()


# --- the configuration and the journal ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("budgets:", "bugdets:", "did you mean budgets?"),
        ("hold: 8.0", "hold: soon", "budgets.hold"),
        ("token: {file: secrets/blue.token}", "token: {}", "blue.token"),
        ("version: 1\n", "version: [1\n", "this is not YAML"),
        (SERVERS, f"{SERVERS}\n{SERVERS}", "given twice"),
        ("file: secrets/blue.token", "file: secrets/missing.token", "missing.token"),
        ("file: secrets/blue.token", "env: BMSWITCH_NO_SUCH_TOKEN", "BMSWITCH_NO_SUCH_TOKEN"),
    ],
)
def test_a_wrong_configuration_is_explained(line: Line, old: str, new: str, said: str) -> None:
    config = line.copy_config(f"wrong-{abs(hash(new))}", {old: new})
    error = _refused(line, 3, "plan", config=config)
    assert said in error["cause"] + error["evidence"]
    assert not _plan_file(config).exists()


def test_a_secret_that_others_can_read_is_refused(line: Line) -> None:
    token = line.lab / "secrets" / "open.token"
    shutil.copy(line.lab / "secrets" / "blue.token", token)
    token.chmod(0o644)
    config = line.copy_config("open", {"secrets/blue.token": "secrets/open.token"})
    assert "chmod 600" in _refused(line, 3, "plan", config=config)["next"]


def test_a_configuration_that_is_not_there(line: Line) -> None:
    assert "can not be read" in _refused(line, 3, "plan", config=line.lab / "none.yaml")["cause"]


@pytest.mark.parametrize("words", [("cutover", "--yes"), ("cutover", "--resume"), ("journal", "show")])
def test_a_journal_that_is_damaged_in_the_middle_stops_everything(
    line: Line, planned: Path, words: tuple[str, ...]
) -> None:
    path = _plan_file(planned).with_name("journal.ndjson")
    with Journal(path) as journal:
        for number in range(3):
            journal.append(Entry(kind="note", said=f"note {number}"), at_ms=number)
    path.write_text(path.read_text().replace("note 1", "note 7"))
    before = path.read_bytes()
    error = _refused(line, 13, *words, config=planned)
    assert "line 2" in error["cause"]
    assert path.read_bytes() == before
    assert "line 2" in line.must("status", config=planned)["journal_error"]


def _open_switch(config: Path, plan_id: str, node: str) -> None:
    """A switch that was begun and never ended, as kill -9 leaves it."""
    with Journal(_plan_file(config).with_name("journal.ndjson")) as journal:
        journal.append(Entry(kind="start", fence=1, plan_id=plan_id, nodes=[node]), at_ms=1)


def test_an_open_switch_of_another_plan_is_not_gone_on_with(line: Line, planned: Path) -> None:
    _open_switch(planned, "20200101-000000-000000", "envoy-1")
    error = _refused(line, 5, "cutover", "--resume", config=planned)
    assert "20200101-000000-000000" in error["evidence"]
    assert "--abort" in error["next"]
    assert "open" in line.fails(8, "cutover", "--yes", config=planned)["cause"]
    code, answer = line.run("cutover", "--abort", config=planned)
    assert (code, answer["result"]["outcome"]) == (12, "aborted"), answer


@pytest.mark.parametrize("word", ["--resume", "--abort"])
def test_an_open_switch_with_other_proxy_nodes_is_left_alone(line: Line, planned: Path, word: str) -> None:
    plan = json.loads(_plan_file(planned).read_text())["id"]
    _open_switch(planned, plan, "edge-7")
    before = _plan_file(planned).with_name("journal.ndjson").read_bytes()
    error = _refused(line, 8, "cutover", word, config=planned)
    assert "edge-7 is not in the configuration any more; envoy-1 is new" in error["evidence"]
    assert _plan_file(planned).with_name("journal.ndjson").read_bytes() == before


def test_a_switch_without_proof_or_copy_is_refused(line: Line, planned: Path) -> None:
    error = _refused(line, 8, "cutover", "--yes", config=planned)
    assert "replicate" in error["cause"]
    assert "no switch" in line.fails(8, "cutover", "--abort", config=planned)["cause"]
    assert not line.must("status", config=planned)["last"]


def test_a_switch_waits_for_as_many_approvals_as_the_configuration_asks_for(line: Line) -> None:
    config = line.copy_config("approvals", {"version: 1\n": "version: 1\nplan: {approvals_needed: 1}\n"})
    line.must("plan", config=config)

    def said() -> tuple[str, str]:
        _, answer = line.run("cutover", "--dry-run", config=config)
        guards = {one["guard"]: one for one in answer["result"]["guards"]}
        return guards["approvals"]["level"], guards["frontends"]["skipped"]

    assert said() == ("stop", "")
    line.must("plan", "approve", "--who", "bob", config=config)
    assert said() == ("pass", "")
    line.must("plan", "skip", "frontends", "--reason", "no route", "--who", "alice", config=config)
    level, skipped = said()
    assert level == "stop"
    assert "no route" in skipped
    assert not _plan_file(config).with_name("journal.ndjson").exists()


# --- green is not equal -------------------------------------------------------------------------------------------


def test_a_green_that_differs_is_named_and_never_switched_to(tmp_path: Path) -> None:
    with running_line(tmp_path, "--users", "3", "--items", "8") as line:
        line.must("plan")
        line.must("provision")
        with replicating(line):
            assert line.must("verify")["verdict"] == "equal"
            changed, gone = _spoil(line)
            code, answer = line.run("verify")
            assert (code, answer["error"]["kind"]) == (10, "different"), answer
            assert (answer["result"]["verdict"], answer["result"]["differences"]) == ("different", 2)
            found = {row["item"]: row for row in _differences(line) if not row["known"]}
            assert set(found) == {changed, gone}
            assert found[gone]["what"] == "missing"
            assert found[changed]["side"] == "both"
            told = line.raw("verify")
            assert told.returncode == 10
            assert "does NOT equal" in told.stdout
            assert "proof" in line.fails(8, "cutover", "--yes")["cause"]
            code, answer = line.run("cutover", "--dry-run")
            assert (code, answer["result"]["would_start"]) == (8, False)
            assert line.journal() == []
            _a_new_domain_makes_the_plan_stale(line)
        status = line.must("status")
        assert (status["serving"], status["blue"]) == ("blue", "RUNNING")


def _spoil(line: Line) -> tuple[str, str]:
    """Changes one event and removes one contact in green's store, behind its back; their uids."""
    one = (
        "SELECT i.rowid, i.uid, i.value FROM items i JOIN containers c ON c.id = i.container WHERE c.type = ?"
    )
    with closing(sqlite3.connect(line.lab / "green" / "data" / "core.sqlite", timeout=10)) as store, store:
        event = store.execute(
            one + " AND CAST(i.value AS TEXT) LIKE '%summary%' LIMIT 1", ("calendar",)
        ).fetchone()
        card = store.execute(one + " AND c.uid LIKE 'book:Contacts%' LIMIT 1", ("addressbook",)).fetchone()
        value = json.loads(event[2])
        value["main"]["summary"] = "another summary"
        store.execute("UPDATE items SET value = ? WHERE rowid = ?", (json.dumps(value).encode(), event[0]))
        store.execute("DELETE FROM items WHERE rowid = ?", (card[0],))
    return event[1], card[1]


def _differences(line: Line) -> list[dict[str, Any]]:
    path = line.lab / "run" / "differences.ndjson"
    return [json.loads(row) for row in path.read_text().splitlines()]


def _a_new_domain_makes_the_plan_stale(line: Line) -> None:
    with line.core("blue") as core:
        domain = core.get("/api/domains/lab.test").json()["value"]
        new = {**domain, "name": "new.test", "label": "new.test", "defaultAlias": "new.test"}
        core.put("/api/domains/new.test", json=new).raise_for_status()
    assert "new.test is new" in line.fails(5, "verify")["evidence"]
    assert "new.test is new" in line.fails(5, "cutover", "--yes")["evidence"]
