"""A lab and the commands of the line, run as an operator runs them: each its own process, judged by exit code and JSON."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "bmswitch"]
DEADLINE = 120.0
_BLUE = "127.0.1.1"
_GREEN = "127.0.2.1"
_ESTABLISHED = "01"


class Line:
    """One lab in `folder`. `run` gives exit code and the JSON object that the command printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = folder / "lab"
        self.config = self.lab / "bmswitch.yaml"

    def raw(
        self, *words: str, config: Path | None = None, plain: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """`bmswitch words... -c CONFIG` as a process that has ended; `plain` leaves out -c for the lab's own commands."""
        where = [] if plain else ["-c", str(config or self.config)]
        done = subprocess.run(
            [*COMMAND, *words, *where],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def run(self, *words: str, config: Path | None = None, plain: bool = False) -> tuple[int, Any]:
        """The same with `--output json`: exit code and the envelope, whose form is checked here."""
        done = self.raw(*words, "--output", "json", config=config, plain=plain)
        return done.returncode, envelope(words[0], done.returncode, done.stdout, done.stderr)

    def must(self, *words: str, config: Path | None = None, plain: bool = False) -> Any:
        """The result of a command that must succeed."""
        code, answer = self.run(*words, config=config, plain=plain)
        assert code == 0, answer
        return answer["result"]

    def fails(self, code: int, *words: str, config: Path | None = None) -> Any:
        """The error of a command that must end with `code`."""
        seen, answer = self.run(*words, config=config)
        assert seen == code, answer
        assert answer["error"]["exit_code"] == code
        return answer["error"]

    def start(self, *words: str) -> "Background":
        """The command in the background, as in a second terminal."""
        return Background(self, words)

    def copy_config(self, name: str, replaced: dict[str, str] | None = None) -> Path:
        """The lab's configuration with some text replaced, beside it, with a run folder of its own."""
        text = self.config.read_text(encoding="utf-8")
        for old, new in {"run_dir: run": f"run_dir: {name}", **(replaced or {})}.items():
            assert old in text, old
            text = text.replace(old, new)
        path = self.lab / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def state(self) -> Any:
        """The supervisor's own record of the lab."""
        return json.loads((self.lab / "state.json").read_text(encoding="utf-8"))

    def secrets(self) -> list[str]:
        """Every secret of the lab."""
        return [path.read_text(encoding="utf-8").strip() for path in (self.lab / "secrets").iterdir()]

    def core(self, colour: str) -> httpx.Client:
        """REST of one core as its administrator."""
        token = (self.lab / "secrets" / f"{colour}.token").read_text(encoding="utf-8").strip()
        host = {"blue": _BLUE, "green": _GREEN}[colour]
        url = f"http://{host}:{self.state['ports'][f'{colour}_http']}"
        return httpx.Client(base_url=url, headers={"X-BM-ApiKey": token}, timeout=10.0)

    def kill_core(self, colour: str) -> None:
        """SIGKILL to a core at once, without the start of a command in between."""
        os.kill(int((self.lab / colour / "data" / "core.pid").read_text()), signal.SIGKILL)

    def core_state(self, colour: str) -> str:
        """State of a core, or `silent`."""
        try:
            with self.core(colour) as core:
                return str(core.get("/api/system/installation/state").json())
        except httpx.TransportError:
            return "silent"

    def journal(self, leg: int = 1) -> list[dict[str, Any]]:
        """The whole lines of a switch's journal so far; leg 2 is the way back."""
        path = self.lab / "run" / ("." if leg == 1 else f"leg-{leg}") / "journal.ndjson"
        if not path.exists():
            return []
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(row) for row in whole.splitlines()]

    def phase(self) -> str:
        """Where the journal stands; empty before the first line."""
        rows = self.journal()
        return str(rows[-1].get("phase", "gate")) if rows else ""

    def replicate_status(self) -> Any:
        """What the running copy says of itself."""
        return json.loads((self.lab / "run" / "replicate.json").read_text(encoding="utf-8"))

    def green_records(self) -> int:
        """Records in green's Kafka."""
        topics = self.must("lab", "status", plain=True)["topics"]["green"]
        return sum(topic["records"] for topic in topics.values())


class Background:
    """A command that goes on beside the others; stdout and stderr go to files in the lab's logs."""

    _count = 0

    def __init__(self, line: Line, words: tuple[str, ...]) -> None:
        Background._count += 1
        name = f"test-{words[0]}-{Background._count}"
        self._words = words
        self.out, self.err = line.lab / "logs" / f"{name}.out", line.lab / "logs" / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, *words, "-c", str(line.config), "--output", "json"],
                cwd=line.folder,
                stdout=out,
                stderr=err,
            )

    def end(self, seconds: float = 30.0) -> tuple[int, Any]:
        """Waits for its own end: exit code and envelope."""
        code = self.process.wait(seconds)
        printed, told = self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")
        assert "Traceback" not in told, told
        return code, envelope(self._words[0], code, printed, told)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """SIGTERM, then by force."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.kill()


def envelope(command: str, code: int, printed: str, told: str = "") -> Any:
    """The one JSON object on stdout; its form is asserted here for every command of every test."""
    try:
        answer = json.loads(printed)
    except json.JSONDecodeError as error:
        raise AssertionError(f"{command} ({code}) printed no JSON: {printed!r} {told!r}") from error
    assert answer["schema"] == 1
    assert answer["command"] == command
    if answer["ok"]:
        assert set(answer) == {"schema", "command", "ok", "result"}
        return answer
    assert set(answer) == {"schema", "command", "ok", "error", "result"}
    assert set(answer["error"]) == {"kind", "exit_code", "cause", "evidence", "consequence", "next"}
    assert answer["error"]["exit_code"] == code != 0
    assert answer["error"]["cause"]
    assert answer["error"]["consequence"]
    return answer


@contextmanager
def running_line(folder: Path, *up: str) -> Iterator[Line]:
    """A lab that is up, and down afterwards whatever happens."""
    line = Line(folder)
    try:
        line.must("lab", "up", *up, plain=True)
        yield line
    finally:
        line.raw("lab", "down", plain=True)


def caught_up(line: Line, copy: "Background") -> None:
    """Waits until this very process says that green is caught up, not the one before it."""
    wait_for(lambda: line.replicate_status()["pid"] == copy.process.pid, 15, "the copy has begun")
    line.must("status", "--wait", "caught-up", "--timeout", "90")


def prepared(line: Line, rate: int) -> "Background":
    """Clients at work, green built, caught up and proven equal; the copy that runs on."""
    send(line, rate)
    line.must("plan")
    line.must("provision")
    copy = line.start("replicate")
    line.must("status", "--wait", "caught-up", "--timeout", "90")
    assert line.must("verify")["verdict"] == "equal"
    return copy


def until_phase(line: Line, running: "Background", *phases: str) -> None:
    """Waits until the newest line of the journal is in one of these phases."""

    def there() -> bool:
        assert running.process.poll() is None, running.out.read_text(encoding="utf-8")
        return line.phase() in phases

    wait_for(there, 40, f"the switch in {phases}")


@contextmanager
def replicating(line: Line) -> Iterator[Background]:
    """`replicate` in the background, caught up."""
    process = line.start("replicate")
    try:
        line.must("status", "--wait", "caught-up", "--timeout", "90")
        yield process
    finally:
        process.stop()


def send(line: Line, rate: int) -> None:
    """Clients at work through the proxy, until `verdict`."""
    line.must("lab", "traffic", "--rate", str(rate), "--detach", plain=True)


def verdict(line: Line) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ends the clients; their summary and what the ledger says of the serving side."""
    summary = line.must("lab", "traffic", "--stop", plain=True)
    checked = line.must("lab", "traffic", "--check", plain=True)
    return summary, checked


def no_interruption(summary: dict[str, Any], checked: dict[str, Any]) -> None:
    """What the whole thing is for, as the clients' own ledger tells it."""
    requests, found = summary["requests"], checked["verdict"]
    assert found["acknowledged"] > 0
    assert summary["writes"]["acknowledged"] == found["acknowledged"]
    seen = {
        "failed": requests["failed"],
        "unknown": requests["unknown"],
        "cut": requests["cut"],
        "dropped": requests["dropped"],
        "lost": found["lost"],
        "duplicated": found["duplicated"],
        "writes unknown": found["unknown"],
    }
    assert seen == dict.fromkeys(seen, 0), (seen, summary["failures"], found)


def ledger(line: Line) -> list[dict[str, Any]]:
    """Every write of the clients."""
    path = line.lab / "traffic" / "ledger.ndjson"
    return [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]


def connections(line: Line, name: str) -> int:
    """Connections that clients have to a side now; `name` is a port of the lab, such as `green_imap`."""
    host = _GREEN if name.startswith("green") else _BLUE
    packed = socket.inet_aton(host)[::-1].hex().upper()
    wanted = f"{packed}:{line.state['ports'][name]:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2] == wanted and row[3] == _ESTABLISHED for row in rows)


KEPT = {"idle": 6, "websocket": 5, "longpoll": 5}
"""Sessions of each kind that the clients keep open."""


def kept_sessions_followed(line: Line, summary: dict[str, Any], fenced: float, since: float) -> None:
    """Every kept session went from blue to green with a word, none was cut, and blue took no write from them after its fence.

    `fenced` is the epoch second at which blue was told to step down, `since` that of the release.
    """
    for kind, count in KEPT.items():
        kept = summary["kept"][kind]
        assert kept["cut"] == 0, (kind, kept)
        assert kept["ended"] >= count, (kind, kept)
        assert kept["on"] == {"green": count}, (kind, kept)
    rows = [row for row in ledger(line) if row["kind"] in ("append-idle", "create-websocket")]
    late = [row for row in rows if row["side"] == "blue" and row["sent"] > fenced]
    assert late == []
    went_on = {row["kind"] for row in rows if row["side"] == "green" and row["sent"] > since}
    assert went_on == {"append-idle", "create-websocket"}


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Polls until `condition()` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.005)
