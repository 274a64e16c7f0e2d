"""The demo: the commands as an operator would type them, on a lab, with clients at work the whole time; then the verdict.

Nothing is decided here and nothing but seconds is measured here: requests and writes come from the clients' ledger,
replication, proof and hold from what the commands wrote into the run folder.
"""

import contextlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bmswitch.model.errors import LabError

REQUESTS_WANTED = 20_000
_ON_GREEN = 5.0
_CAUGHT_UP_WITHIN = "120"
_END_WITHIN = 15.0


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """Requests by protocol, as the clients count them; `failed` are those that a person would have noticed."""

    http: int
    imap: int
    smtp: int
    failed: int

    @property
    def total(self) -> int:
        """Requests of all protocols."""
        return self.http + self.imap + self.smtp


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every acknowledged write, looked up on the serving side."""

    acknowledged: int
    lost: int
    duplicated: int
    unknown: int


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """How long nobody wrote and how long both sides did, by the times of the ledger, over all protocols."""

    nobody_wrote_ms: float
    both_wrote_ms: float


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """`demo.json`."""

    outcome: str
    requests: Requests
    writes: Writes
    longest_pause_ms: float
    hold_ms: float
    windows: Windows
    replication: dict[str, float]
    parity: dict[str, Any]
    seconds: dict[str, float]

    @property
    def no_interruption(self) -> bool:
        """Decided by the ledger only."""
        if self.windows.both_wrote_ms:
            return False
        return not (self.requests.failed or self.writes.lost or self.writes.duplicated or self.writes.unknown)


class Demo:
    """One run. `directory` is the lab's folder, `log` a real dump or None, `rate` the clients' requests a second."""

    def __init__(self, directory: Path, log: Path | None, rate: int) -> None:
        self._directory = directory
        self._config = str(directory / "bmswitch.yaml")
        self._log = log
        self._rate = rate
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    def run(self) -> DemoResult:
        """The whole line; the lab is taken down whatever happens. Raises LabError with the command that failed."""
        with self._lab():
            self._command("lab", "traffic", "--rate", str(self._rate), "--detach", *self._in_lab)
            traffic_since = time.monotonic()
            self._command("plan", *self._with_config)
            self._command("provision", *self._with_config)
            with self._second_terminal("replicate", *self._with_config):
                wait = ("--wait", "caught-up", "--timeout", _CAUGHT_UP_WITHIN)
                self._command("status", *self._with_config, *wait, timed="replicate")
                self._command("verify", *self._with_config)
                self._command("cutover", *self._with_config, "--yes")
            self._let_clients_work(traffic_since)
            self._command("lab", "traffic", "--stop", *self._in_lab)
            self._command("lab", "traffic", "--check", *self._in_lab)
            return self._result()

    @property
    def _in_lab(self) -> tuple[str, ...]:
        return ("--dir", str(self._directory))

    @property
    def _with_config(self) -> tuple[str, ...]:
        return ("-c", self._config)

    @contextmanager
    def _lab(self) -> Iterator[None]:
        if (self._directory / "state.json").exists():
            raise LabError(
                f"there is a lab in {self._directory} already",
                consequence="it was left alone",
                next_command=f"bmswitch lab down --dir {self._directory}",
            )
        log = ("--log", str(self._log)) if self._log else ()
        try:
            self._command("lab", "up", *self._in_lab, *log)
            yield
        finally:
            with contextlib.suppress(LabError):
                self._command("lab", "down", *self._in_lab)

    def _command(self, *words: str, timed: str = "") -> None:
        """Prints the command, runs it with its own output, and adds its seconds to its name."""
        _say(f"\n$ bmswitch {shlex.join(words)}")
        started = time.monotonic()
        code = subprocess.run([sys.executable, "-m", "bmswitch", *words], check=False).returncode
        name = timed or "_".join(word for word in words[:2] if not word.startswith("-"))
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 2)
        if code != 0:
            raise LabError(
                f"`bmswitch {shlex.join(words)}` ended with exit code {code}",
                evidence=f"logs in {self._directory / 'logs'}",
                consequence="the demo stops here; the lab is taken down",
            )

    @contextmanager
    def _second_terminal(self, *words: str) -> Iterator[None]:
        """A command that goes on beside the others; its output follows when it has ended."""
        _say(f"\n$ bmswitch {shlex.join(words)} &")
        log = self._directory / "logs" / f"{words[0]}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "bmswitch", *words], stdout=file, stderr=subprocess.STDOUT
            )
        try:
            yield
        finally:
            try:
                process.wait(_END_WITHIN)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                process.wait(_END_WITHIN)
            _say(f"\n[bmswitch {words[0]} ended with exit code {process.returncode}]")
            _say(log.read_text(encoding="utf-8", errors="replace").rstrip())

    def _let_clients_work(self, since: float) -> None:
        """Until the clients have sent enough, and for a few seconds on green at least."""
        enough = REQUESTS_WANTED * 1.01 / self._rate
        wait = max(_ON_GREEN, enough - (time.monotonic() - since))
        _say(f"\n(clients work on green for {wait:.0f} s more)")
        time.sleep(wait)
        self.seconds["clients_on_green"] = round(wait, 2)

    def _result(self) -> DemoResult:
        summary = self._read("traffic/summary.json")
        verdict = self._read("traffic/check.json")
        replicated = self._read("run/replicate.json")
        proof = self._read("run/proof.json")
        switch = self._read("run/cutover.json")
        self.seconds["total"] = round(time.monotonic() - self._started, 2)
        requests = summary["requests"]
        return DemoResult(
            outcome=switch["outcome"],
            requests=Requests(**{name: requests[name] for name in ("http", "imap", "smtp", "failed")}),
            writes=Writes(
                **{name: verdict[name] for name in ("acknowledged", "lost", "duplicated", "unknown")}
            ),
            longest_pause_ms=summary["longest_pause_ms"],
            hold_ms=switch["hold_ms"],
            windows=_windows(verdict["windows"]),
            replication={
                "records": replicated["first_pass_records"],
                "records_per_second": round(
                    replicated["first_pass_records"] / max(replicated["first_pass_seconds"], 0.001), 1
                ),
            },
            parity={"verdict": proof["verdict"], "differences": proof["differences"]},
            seconds=self.seconds,
        )

    def _read(self, name: str) -> dict[str, Any]:
        path = self._directory / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as error:
            raise LabError(f"{path} can not be read", evidence=str(error)) from error


def _windows(found: list[dict[str, Any]]) -> Windows:
    """Those of all protocols together; both sides must not have written in any one of them either."""
    return Windows(
        nobody_wrote_ms=max((one["gap_ms"] for one in found if one["protocol"] == "all"), default=0.0),
        both_wrote_ms=max((one["overlap_ms"] for one in found), default=0.0),
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
