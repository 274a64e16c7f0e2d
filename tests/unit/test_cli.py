"""The command line as people and machines see it: help, errors, exit codes, one JSON object."""

import json
from pathlib import Path

import pytest

from bmswitch.cli.main import COMMANDS, run
from bmswitch.cli.render import count, size


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_fits_80_columns(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert max(len(line) for line in lines) <= 80


def test_unknown_command_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["switchover"]) == 2
    assert "switchover" in capsys.readouterr().err


def test_error_has_its_parts_and_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "-c", str(tmp_path / "no.yaml")]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: the configuration file")
    assert "next: name another one with -c FILE" in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "command", ["plan", "provision", "replicate", "verify", "cutover", "standby", "return", "status"]
)
def test_json_error_is_one_object_on_stdout(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "-c", str(tmp_path / "no.yaml"), "--output", "json"]) == 3
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert answer["schema"] == 1
    assert answer["command"] == command
    assert answer["ok"] is False
    assert answer["error"]["kind"] == "config"
    assert answer["error"]["exit_code"] == 3
    assert told.err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bmswitch ")


def test_config_check_and_schema(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[2] / "examples" / "production.yaml"
    assert run(["config", "check", "-c", str(example)]) == 0
    assert "is right" in capsys.readouterr().out
    assert run(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$ref"] == "#/$defs/Config"


def test_numbers_as_people_read_them() -> None:
    assert count(12345) == "12,345"
    assert count(3.14) == "3.1"
    assert size(512) == "512 B"
    assert size(3 * 1024 * 1024) == "3.0 MiB"


def test_cures_can_be_read_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["cures", "list"]) == 0
    assert "uidvalidity" in capsys.readouterr().out
    assert run(["cures", "list", "-c", "other.yaml"]) == 3
