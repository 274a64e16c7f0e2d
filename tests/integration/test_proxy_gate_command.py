"""`bmswitch gate` as an operator starts it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = "import typer; from bmswitch.cli.gate import gate; typer.run(gate)"


def gate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_it_says_what_it_needs() -> None:
    answer = gate()
    assert answer.returncode == 2
    assert "--dir" in answer.stderr


def test_a_folder_without_files_is_a_configuration_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bmswitch.proxy.gate", "--dir", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 3
    assert "gate.json can not be read" in answer.stderr
    assert "Traceback" not in answer.stderr
