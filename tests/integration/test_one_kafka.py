"""Both sides on one Kafka (`replication.mode: shared`): green's clone reads blue's own log, bmswitch only watches."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.integration.line_kit import (
    Background,
    Line,
    no_interruption,
    running_line,
    send,
    until_phase,
    verdict,
    wait_for,
)
from tests.integration.parts import require_real

from bmswitch.kafka.consumer import read_whole
from bmswitch.kafka.topics import Topics
from bmswitch.model import topics
from bmswitch.model.config import Config, Kafka
from bmswitch.model.errors import ConfigError, RefusedError
from bmswitch.model.plan import Level, Plan
from bmswitch.model.records import decode_envelope, decode_key
from bmswitch.model.status import ReplicateStatus
from bmswitch.replication.state import read_status
from bmswitch.workflows.config import load_config
from bmswitch.workflows.facts import side_facts
from bmswitch.workflows.facts.heartbeat import heartbeat_age
from bmswitch.workflows.history import load_history
from bmswitch.workflows.plan import default_plan_path, make_plan, save_plan
from bmswitch.workflows.provision import run_provision
from bmswitch.workflows.replicate import Replicated, run_replicate

SMALL = ("--mode", "shared", "--users", "6", "--items", "3")
RATE = 60


@pytest.mark.timeout(300)
def test_a_clone_of_the_sources_own_log_is_planned_provisioned_and_watched(tmp_path: Path) -> None:
    """In this process, as each command's own start would cost more than all of it."""
    with running_line(tmp_path, *SMALL) as line:
        _refused_by_the_configuration(line)
        config = load_config(line.config)
        assert config.green.kafka == config.blue.kafka
        wait_for(lambda: _has_logged(config), 30, "blue has logged its id sequence")
        plan = make_plan(config)
        _planned(plan)
        save_plan(plan, default_plan_path(config))
        built = run_provision(config, plan, lambda _text: None)
        there = _log(config)
        assert built.topics == there, "nothing was created"
        for cause, options in (("nothing is copied", {"rate": 10.0}), ("this copy can not", {"workers": 2})):
            with pytest.raises(RefusedError, match=cause):
                _replicate(config, plan, threading.Event(), **options)
        _watched(config, plan, there)
        assert (line.core_state("blue"), line.core_state("green")) == (
            "CORE_STATE_RUNNING",
            "CORE_STATE_CLONING",
        )


def _refused_by_the_configuration(line: Line) -> None:
    told = yaml.safe_load(line.config.read_text())
    assert "kafka" not in told["green"]
    other = line.lab / "other.yaml"
    told["green"]["kafka"] = {"bootstrap": "127.0.0.1:1"}
    other.write_text(yaml.safe_dump(told))
    with pytest.raises(ConfigError, match="another Kafka than blue's"):
        load_config(other)


def _planned(plan: Plan) -> None:
    found = {finding.guard: finding for finding in plan.findings}
    assert plan.stops == []
    assert (found["log_for_both"].level, found["clone_can_not_write"].level) == (Level.passed, Level.warn)
    uncured = {finding.cause.split()[2]: finding for finding in plan.findings if finding.guard == "uncured"}
    assert uncured.keys() >= {"uidvalidity", "deletions_mended", "parents_first", "resources_whole"}
    assert (uncured["deletions_mended"].level, uncured["uidvalidity"].level) == (Level.passed, Level.warn)
    assert " cases in all " in uncured["uidvalidity"].evidence


def _has_logged(config: Config) -> bool:
    """True once blue, which has just started, has logged its first id sequence."""
    return heartbeat_age(config, side_facts(config, "blue", strict=True)) is not None


def _log(config: Config) -> dict[str, int]:
    """Topics of the installation on the one Kafka, with their partitions."""
    return Topics(config.blue.kafka).cluster().of(config.blue.installation_id)


def _replicate(config: Config, plan: Plan, stop: threading.Event, **options: Any) -> Replicated:
    return run_replicate(config, plan, until_caught_up=False, tell=lambda _status: None, stop=stop, **options)


def _watched(config: Config, plan: Plan, there: dict[str, int]) -> None:
    """It says what the mirror says: sign of life, phase, lag by the second."""
    stop = threading.Event()

    def seen() -> ReplicateStatus:
        told = read_status(Path(config.run_dir))
        assert told is not None
        return told

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(_replicate, config, plan, stop)
        try:
            wait_for(lambda: watching.done() or seen().phase == "caught_up", 90, "green is caught up")
            wait_for(lambda: watching.done() or seen().lag_seconds > 0, 30, "the lag is measured")
            told = seen()
            assert (told.mode, told.clone_task != "", told.error) == ("shared", True, "")
            wait_for(lambda: watching.done() or seen().updated_at > told.updated_at, 30, "it lives")
            assert sum(map(sum, told.ends.values())) > 0
            assert _log(config) == there, "no topic was made"
        finally:
            stop.set()
        result = watching.result(60)
    assert (result.caught_up, result.switched, result.mode, result.topics) == (True, False, "shared", {})
    again = run_replicate(
        config, plan, until_caught_up=True, tell=lambda _status: None, stop=threading.Event()
    )
    assert (again.caught_up, again.switched) == (True, False)
    assert [run.step for run in load_history(config)] == ["provision", "replicate"], "the first one only"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kafka", ["embedded", pytest.param("apache", marks=pytest.mark.real)])
def test_upgraded_and_returned_on_one_kafka_under_load(tmp_path: Path, kafka: str) -> None:
    if kafka == "apache":
        require_real("kafka")
    with running_line(tmp_path, "--kafka", kafka, *SMALL) as line:
        rights = _rights_by_command(line)
        watch = _ready(line)
        if kafka == "apache":
            assert line.replicate_status()["unseen"] == ""
            assert line.replicate_status()["records"] > 0
        switched = line.must("cutover", "--yes")
        assert (switched["serving"], switched["breach"]) == ("green", "")
        assert switched["windows"]["both_ms"] == 0
        code, answer = watch.end()
        assert (code, answer["result"]["switched"]) == (0, True)
        assert _server_address(line) == "127.0.2.1", "the new leader writes to the one log"
        standby = line.start("standby", "--yes")
        try:
            line.must("status", "--wait", "standby", "--timeout", "100")
            assert line.must("return", "--yes")["serving"] == "blue"
            assert standby.end()[0] == 0
        finally:
            standby.stop()
        assert _server_address(line) == "127.0.1.1"
        assert rights.read_text().split() == [
            "revoke-green",  # before its clone began
            "revoke-blue",  # at the fence
            "restore-green",  # right before its promotion
            "restore-blue",  # what the switch took
            "revoke-blue",  # as it is a clone now
            "revoke-green",
            "restore-blue",
        ]
        summary, checked = verdict(line)
        assert checked["side"] == "blue"
        no_interruption(summary, checked)


def _rights_by_command(line: Line) -> Path:
    """Both sides' right to write to the log as commands that only note what they were asked for."""
    told, config = line.folder / "rights", yaml.safe_load(line.config.read_text())
    for side in ("blue", "green"):
        ways = {name: ["sh", "-c", f"echo {name}-{side} >> {told}"] for name in ("revoke", "restore")}
        config[side]["rights"] = {"kafka": {"driver": "command", **ways}}
    line.config.write_text(yaml.safe_dump(config))
    return told


def _proven(line: Line) -> None:
    """Only UIDVALIDITY of folders that were never updated is missing, and that is mended."""
    proof = line.must("verify", "--repair", "--yes")
    assert (proof["verdict"], proof["repaired"] > 0) == ("equal", True)
    notes = [json.loads(row) for row in (line.lab / "run" / "repair.ndjson").read_text().splitlines()]
    assert {note["type"] for note in notes if note["state"] == "written"} == {"replicated_mailboxes"}


def _ready(line: Line) -> Background:
    """Clients at work, green's clone on blue's log, mended and proven equal."""
    send(line, RATE)
    line.must("plan")
    line.must("provision")
    watch = line.start("replicate")
    line.must("status", "--wait", "caught-up", "--timeout", "90")
    _proven(line)
    return watch


def _server_address(line: Line) -> str:
    """What the newest record of the one server says, by which a reverse proxy finds the installation."""
    state = line.state
    kafka = Kafka(bootstrap=state["bootstraps"]["blue"])
    orphans = topics.orphans(state["installation_id"])
    found = ""
    for record in read_whole(kafka, orphans, 64, timeout=30.0):
        if record.value is None or not (decode_key(record.key).value_class or "").endswith(".Server"):
            continue
        value: dict[str, Any] = msgspec.json.decode(decode_envelope(record.value).value)
        found = value["ip"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_put_back_after_the_promotion_the_log_names_the_sources_addresses_again(tmp_path: Path) -> None:
    with running_line(tmp_path, *SMALL) as line:
        watch = _ready(line)
        switch = line.start("cutover", "--yes")
        until_phase(line, switch, "promote")
        wait_for(lambda: line.core_state("green") == "CORE_STATE_RUNNING", 10, "green leads")
        switch.kill()
        assert watch.end()[0] == 0, "green led for a moment"
        code, answer = line.run("cutover", "--abort")
        assert code == 12, answer
        assert line.must("status")["serving"] == "blue"
        rows = [r for r in line.journal() if (r["kind"], r.get("verb")) == ("effect", "start-source")]
        assert "addresses are in the log again" in rows[-1]["result"]["said"]
        wait_for(lambda: _server_address(line) == "127.0.1.1", 10, "blue's address is the newest")
        summary, checked = verdict(line)
        assert checked["side"] == "blue"
        assert checked["verdict"]["lost"] == checked["verdict"]["duplicated"] == 0
        assert summary["requests"]["cut"] == 0
