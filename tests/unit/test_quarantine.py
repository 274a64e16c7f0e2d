"""Parked records: decisions are further lines, secrets are not shown, and only a decision lets a switch pass."""

import json
import stat
from pathlib import Path

import msgspec
import pytest
from tests.integration.mirror_run import config_for
from tests.unit.guard_worlds import STATUS, gate

from bmswitch.cli.main import run
from bmswitch.model.config import Config
from bmswitch.model.errors import JournalError, RefusedError
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.quarantine import quarantine as guard
from bmswitch.model.plan import Level
from bmswitch.model.records import LogRecord, Operation, RecordKey, encode_key
from bmswitch.replication.quarantine import Decision, Quarantine, entries, undecided
from bmswitch.workflows.facts.switch import parked_facts
from bmswitch.workflows.quarantine import accept, listed, show
from bmswitch.workflows.redacted import redacted

EXAMPLE = Path(__file__).parents[2] / "examples" / "production.yaml"
TOKEN = "b7e9d5f1-1c0f-4f0e-9d7c-2f3a4b5c6d7e"
HASH = "10000:9a8b7c6d5e4f30211203:aabbccddeeff00112233445566778899aabbccdd"


def config_in(folder: Path) -> Config:
    return config_for(str(folder), "127.0.0.1:9", "127.0.0.1:9")


def park(folder: Path, *offsets: int, value: bytes | None = b"\xff") -> Path:
    path = folder / "quarantine.ndjson"
    file = Quarantine(path)
    for offset in offsets:
        file.park(LogRecord("t", 3, offset, 1_600_000_000_000, b"key", value, (("h", b"v"),)), "not a key")
    file.close()
    return path


def retried(offset: int) -> Decision:
    return Decision("retried", "t", 3, offset, "written", 2.0)


def test_an_acceptance_is_a_further_line_and_nothing_before_it_changes(tmp_path: Path) -> None:
    path = park(tmp_path, 5, 9)
    before = path.read_bytes()
    accept(config_in(tmp_path), 2, reason="a test user", who="Anna")
    after = path.read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].count(b"\n") == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first, second = listed(config_in(tmp_path))
    assert (first.number, first.state, first.who) == (1, "parked", "")
    assert (second.number, second.state, second.who, second.why) == (2, "accepted", "Anna", "a test user")
    assert [entry.number for entry in undecided(path)] == [1]


@pytest.mark.parametrize(("reason", "who"), [("", "Anna"), ("why", " ")])
def test_nothing_is_accepted_without_a_name_and_a_reason(tmp_path: Path, reason: str, who: str) -> None:
    path = park(tmp_path, 5)
    with pytest.raises(RefusedError, match="name and reason"):
        accept(config_in(tmp_path), 1, reason=reason, who=who)
    assert len(undecided(path)) == 1


def test_what_is_decided_is_not_decided_again_and_an_unknown_number_is_refused(tmp_path: Path) -> None:
    park(tmp_path, 5)
    accept(config_in(tmp_path), 1, reason="why", who="Anna")
    with pytest.raises(RefusedError, match="accepted already by Anna"):
        accept(config_in(tmp_path), 1, reason="why", who="Bob")
    with pytest.raises(RefusedError, match="no parked record 2"):
        show(config_in(tmp_path), 2)


def test_a_record_read_again_is_parked_anew_only_when_a_retry_had_brought_it_to_another_green(
    tmp_path: Path,
) -> None:
    path = park(tmp_path, 5, 6)
    file = Quarantine(path)
    file.decide(retried(5))
    file.decide(Decision("accepted", "t", 3, 6, "why", 2.0, "Anna"))
    file.close()
    assert undecided(path) == []
    park(tmp_path, 5, 6)
    assert [(e.number, e.state) for e in entries(path)] == [(1, "parked"), (2, "accepted")]


def test_a_torn_line_is_cut_by_the_next_line_and_a_decision_about_nothing_is_damage(tmp_path: Path) -> None:
    path = park(tmp_path, 5)
    path.write_bytes(path.read_bytes() + b'{"topic":"t"' + b"x" * 5000)
    park(tmp_path, 6)
    assert [entry.parked.offset for entry in entries(path)] == [5, 6]
    path.write_bytes(msgspec.json.encode(retried(7)) + b"\n")
    with pytest.raises(JournalError, match="damaged"):
        entries(path)


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    (entry,) = entries(park(tmp_path, 5, value=None))
    assert entry.parked.record() == LogRecord("t", 3, 5, 1_600_000_000_000, b"key", None, (("h", b"v"),))


def key(value_class: str) -> bytes:
    return encode_key(RecordKey("dir", "system", "x.lan", 7, value_class, Operation.CREATE))


@pytest.mark.parametrize(
    ("value_class", "value"),
    [
        ("a.User", json.dumps({"value": {"value": {"login": "david", "password": HASH}}})),
        ("a.User", json.dumps({"value": {"value": {"login": "david", "password": HASH}}})[:-30]),
        ("a.User", json.dumps({"login": "david", "password": 'a"' + TOKEN})[:-1]),
        ("a.User", json.dumps({"login": "david", "note": f"password = {TOKEN}"})),
        ("a.User", json.dumps({"login": "david", "note": f"the hash is {HASH}"})),
        ("a.User", json.dumps({"login": "david", "nested": json.dumps({"access_key": TOKEN})})),
        ("a.dto.CoreTok", json.dumps({"value": {"key": TOKEN}, "uid": "core_tok"})),
        ("a.dto.CoreTok", json.dumps({"value": {"key": TOKEN}, "uid": "core_tok"})[:-25]),
        ("a.SystemConf", json.dumps({"value": {"values": {"sds_s3_secret_key": TOKEN, "other": HASH}}})),
        ("", json.dumps({"values": {"sds_s3_access_key": TOKEN, "sw_password": HASH}})[:-2]),
        ("", json.dumps({"value": {"key": TOKEN}, "uid": "david"})[:-1]),
    ],
)
def test_no_secret_is_shown_whole_or_broken(value_class: str, value: str) -> None:
    shown = "".join(redacted(key(value_class), value.encode()))
    assert TOKEN not in shown
    assert TOKEN[:8] not in shown
    assert "9a8b7c6d" not in shown
    assert "aabbccdd" not in shown
    assert "david" in shown or value_class or "values" in shown


def test_what_is_shown_is_short_and_moves_no_cursor() -> None:
    _, value = redacted(b"\xff\x1b[2J", b"\x1b[2J" + b"x" * 5_000_000)
    assert len(value) < 1100
    assert "\x1b" not in value
    assert redacted(b"k", None) == ("k", "null")


def facts(folder: Path, quarantined: int) -> Facts:
    status = msgspec.structs.replace(STATUS, quarantined=quarantined)
    return gate(status=status, parked=parked_facts(folder)[0])


def test_the_gate_passes_once_each_record_is_retried_or_accepted(tmp_path: Path) -> None:
    path = park(tmp_path, 5, 6)
    assert guard(facts(tmp_path, 2)).level is Level.stop
    file = Quarantine(path)
    file.decide(retried(5))
    file.close()
    finding = guard(facts(tmp_path, 2))
    assert (finding.level, "number 2" in finding.evidence) == (Level.stop, True)
    accept(config_in(tmp_path), 2, reason="why", who="Anna")
    finding = guard(facts(tmp_path, 2))
    assert (finding.level, finding.evidence) == (Level.passed, "number 2 by Anna")
    assert guard(facts(tmp_path, 3)).level is Level.unknown


def test_the_command_lists_shows_and_accepts_in_both_forms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bmswitch.yaml"
    config.write_text(
        EXAMPLE.read_text(encoding="utf-8").replace("/var/lib/bmswitch", "run"), encoding="utf-8"
    )
    (tmp_path / "run").mkdir()
    park(tmp_path / "run", 5)
    at = ["-c", str(config)]
    assert run(["quarantine", "list", *at, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["waiting"] == 1
    assert run(["quarantine", "show", "1", *at]) == 0
    assert "partition 3 offset 5" in capsys.readouterr().out
    assert run(["quarantine", "accept", "1", *at, "--reason", "test data", "--who", "Anna"]) == 0
    assert "accepted by Anna: test data" in capsys.readouterr().out
    assert run(["quarantine", "accept", "1", *at, "--reason", "x", "--who", "y", "--output", "json"]) == 8
    assert json.loads(capsys.readouterr().out)["error"]["next"] == "bmswitch quarantine list"
    assert run(["quarantine", "list", *at]) == 0
    assert "none waits" in capsys.readouterr().out
