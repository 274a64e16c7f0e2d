"""A lab and the commands of the line, run as an operator runs them: each its own process, judged by exit code and JSON."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "bmswitch"]
DEADLINE = 120.0


class Line:
    """One lab in `folder`. `run` gives exit code and the JSON object that the command printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = folder / "lab"
        self.config = self.lab / "bmswitch.yaml"

    def run(self, *words: str, config: Path | None = None, plain: bool = False) -> tuple[int, Any]:
        """`bmswitch words... -c CONFIG --output json`; `plain` leaves out -c for the lab's own commands."""
        where = [] if plain else ["-c", str(config or self.config)]
        done = subprocess.run(
            [*COMMAND, *words, *where, "--output", "json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        try:
            return done.returncode, json.loads(done.stdout)
        except json.JSONDecodeError as error:
            raise AssertionError(f"{words} printed no JSON: {done.stdout!r} {done.stderr!r}") from error

    def must(self, *words: str, plain: bool = False) -> Any:
        """The result of a command that must succeed."""
        code, answer = self.run(*words, plain=plain)
        assert code == 0, answer
        return answer["result"]

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """The command in the background, as in a second terminal; its output goes to a log in the lab."""
        with (self.lab / "logs" / f"test-{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, *words, "-c", str(self.config)], cwd=self.folder, stdout=log, stderr=log
            )

    def copy_config(self, name: str, **replaced: str) -> Path:
        """The lab's configuration with some text replaced, beside it, with a run folder of its own."""
        text = self.config.read_text(encoding="utf-8")
        for old, new in {"run_dir: run": f"run_dir: {name}", **replaced}.items():
            assert old in text, old
            text = text.replace(old, new)
        path = self.lab / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path


@contextmanager
def running_line(folder: Path, *up: str) -> Iterator[Line]:
    """A lab that is up, and down afterwards whatever happens."""
    line = Line(folder)
    try:
        line.must("lab", "up", *up, plain=True)
        yield line
    finally:
        line.run("lab", "down", plain=True)


@contextmanager
def replicating(line: Line) -> Iterator["subprocess.Popen[bytes]"]:
    """`replicate` in the background, caught up."""
    process = line.start("replicate")
    try:
        line.must("status", "--wait", "caught-up", "--timeout", "90")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


@contextmanager
def clients(line: Line, rate: int) -> Iterator[None]:
    """Clients at work through the proxy."""
    line.must("lab", "traffic", "--rate", str(rate), "--detach", plain=True)
    yield


def verdict(line: Line) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ends the clients; their summary and what the ledger says of the serving side."""
    summary = line.must("lab", "traffic", "--stop", plain=True)
    code, answer = line.run("lab", "traffic", "--check", plain=True)
    assert code == 0, answer
    return summary, answer["result"]


def wait_for(condition: Any, seconds: float, what: str) -> None:
    """Polls until `condition()` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def journal_phases(line: Line) -> list[str]:
    """Phases that the journal names so far."""
    path = line.lab / "run" / "journal.ndjson"
    if not path.exists():
        return []
    found = []
    for row in path.read_text(encoding="utf-8").splitlines():
        body = json.loads(row) if row.startswith("{") and row.endswith("}") else {}
        found.append(str(body.get("phase") or body.get("entry", {}).get("phase", "")))
    return found


def is_root() -> bool:
    """Tests of file permissions mean nothing to root."""
    return os.geteuid() == 0
