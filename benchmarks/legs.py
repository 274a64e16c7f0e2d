"""A lab whose clients work while it is switched there and back; each command a process, as an operator types it.

One leg is: build the side that waits (`ready`), switch to it (`go`). `Shuttle` is the only place that knows how.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from benchmarks.holds import Hold, hold_of, is_answer, is_intent, last_attempt

COMMAND = [sys.executable, "-m", "bmswitch"]
READY_WITHIN = 900.0
COMMAND_WITHIN = 900.0
END_WITHIN = 120.0
TRIES = 3
PAUSE = 2.0
REFUSED, NOT_CERTAIN, PUT_BACK = 8, 11, 12
_POLL = 0.001


class FailedError(Exception):
    """A command of the lab or of the switch did not end well; `code` is its exit code, 0 when it is no command's."""

    def __init__(self, said: str, *, code: int = 0) -> None:
        super().__init__(said)
        self.code = code


class Lab:
    """A lab in `folder` with real parts. `traffic` starts the clients, `settle` ends them and judges their ledger."""

    def __init__(self, folder: Path, proxy: str, *, users: int = 50, items: int = 20) -> None:
        self.folder = folder
        self.lab = folder / "lab"
        self.config = self.lab / "bmswitch.yaml"
        self._up = ["--proxy", proxy, "--kafka", "apache", "--s3", "minio"]
        self._up += ["--users", str(users), "--items", str(items)]

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.run("lab", "up", *self._up, config=False)
        except FailedError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(FailedError):
            self.run("lab", "down", config=False)

    def traffic(self, rate: float, writes: float) -> None:
        """Clients at work through the proxy: requests a second, and the share of HTTP requests that write."""
        load = ("--rate", f"{rate:g}", "--writes", f"{writes:g}")
        self.run("lab", "traffic", *load, "--detach", config=False)

    def settle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ends the clients: their summary, and what became of every acknowledged write."""
        summary = self.run("lab", "traffic", "--stop", config=False)
        return summary, self.check()

    def check(self) -> dict[str, Any]:
        """What the serving side shows of the ledger that is in place."""
        found: dict[str, Any] = self.run("lab", "traffic", "--check", config=False)["verdict"]
        return found

    def run(self, *words: str, config: bool = True) -> Any:
        """The result of a command that must succeed."""
        try:
            done = subprocess.run(
                self._command(words, config),
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=COMMAND_WITHIN,
                check=False,
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends after this command
            )
        except subprocess.TimeoutExpired as error:
            raise FailedError(
                f"`bmswitch {' '.join(words)}` has not ended in {COMMAND_WITHIN:.0f} s"
            ) from error
        return self.result(words, done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """A command in the background; what it says goes to a file in the lab's logs."""
        log = self.lab / "logs" / f"bench-{words[0]}.out"
        with log.open("wb") as out:
            return subprocess.Popen(
                self._command(words, config=True),
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _command(self, words: tuple[str, ...], config: bool) -> list[str]:  # noqa: FBT001 -- as `run`
        where = ["-c", str(self.config)] if config else []
        return [*COMMAND, *words, *where, "--output", "json"]

    @staticmethod
    def result(words: tuple[str, ...], code: int, printed: str, told: str) -> Any:
        """What a command that ended well printed."""
        if code:
            raise FailedError(
                f"`bmswitch {' '.join(words)}` ended with {code}: {(printed + told)[-800:]}", code=code
            )
        return json.loads(printed)["result"]


class Shuttle:
    """Switches a lab there and back. The first leg goes to green, the next one back, and so on.

    `retries` counts the commands that were given again, as an operator would: a proof that was not certain, a guard that
    said no, a switch that was put back.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.retries = 0
        self._leg = 0
        self._copy: subprocess.Popen[bytes] | None = None

    def ready(self) -> None:
        """The side that waits is built, follows, and is proven equal."""
        self._leg += 1
        if self._leg == 1:
            self._lab.run("plan")
            self._lab.run("provision")
            self._copy = self._lab.start("replicate")
            self._lab.run("status", "--wait", "caught-up", "--timeout", str(int(READY_WITHIN)))
            self._again("verify", codes=(NOT_CERTAIN,))
            return
        self._copy = self._lab.start("standby", "--yes")
        wait_for(self._proven, READY_WITHIN, "the standby is proven equal")
        self._lab.run("status", "--wait", "standby", "--timeout", str(int(READY_WITHIN)))

    def go(self) -> Hold:
        """The switch itself."""
        self._again(*self._words, codes=(REFUSED, PUT_BACK))
        hold = hold_of(self.journal())
        self._end_copy()
        if hold is None:
            raise FailedError("the journal tells of no hold")
        return hold

    def _again(self, *words: str, codes: tuple[int, ...]) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._lab.run(*words)
            except FailedError as error:
                if error.code not in codes or not left:
                    raise
                print(error, flush=True)
                self.retries += 1
                time.sleep(PAUSE)
            else:
                return

    def turned_back(self, verb: str) -> int:
        """Begins the switch, presses Ctrl-C when an effect has begun; milliseconds until the source served again."""
        known = len(self.journal())
        process = self._lab.start(*self._words)
        pressed = 0.0

        def begun() -> bool:
            return any(is_intent(row, verb) for row in self.journal()[known:]) or process.poll() is not None

        wait_for(begun, READY_WITHIN, f"{verb} has begun", poll=_POLL)
        pressed = time.time() * 1000
        process.send_signal(signal.SIGINT)
        code = process.wait(END_WITHIN)
        released = next((row["at_ms"] for row in self._newest() if is_answer(row, "release")), None)
        if code != PUT_BACK or released is None:
            raise FailedError(f"a switch that was stopped at {verb} ended with {code}")
        return int(released - pressed)

    def stop(self) -> None:
        """Ends what still copies."""
        if self._copy is not None and self._copy.poll() is None:
            self._copy.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._copy.wait(END_WITHIN)
            self._copy.kill()
            self._copy.wait(END_WITHIN)

    @property
    def _words(self) -> tuple[str, ...]:
        return ("return" if self._leg % 2 == 0 else "cutover", "--yes")

    def _end_copy(self) -> None:
        if self._copy is None:
            return
        try:
            code = self._copy.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self.stop()
            raise FailedError("the copy did not end after the switch") from None
        if code:
            raise FailedError(f"the copy ended with {code}")

    def _proven(self) -> bool:
        if self._copy is not None and self._copy.poll() is not None:
            raise FailedError(f"the standby ended with {self._copy.returncode}")
        return read_json(self._run_dir / "proof.json").get("verdict") == "equal"

    @property
    def _run_dir(self) -> Path:
        run = self._lab.lab / "run"
        return run if self._leg == 1 else run / f"leg-{self._leg}"

    def _newest(self) -> list[dict[str, Any]]:
        return last_attempt(self.journal())

    def journal(self) -> list[dict[str, Any]]:
        """The whole lines of this leg's journal so far."""
        path = self._run_dir / "journal.ndjson"
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        return [json.loads(line) for line in whole.splitlines()]


def wait_for(so: Callable[[], bool], seconds: float, what: str, *, poll: float = 0.1) -> None:
    """Returns when it is so; FailedError after `seconds`."""
    end = time.monotonic() + seconds
    while not so():
        if time.monotonic() > end:
            raise FailedError(f"not within {seconds:.0f} s: {what}")
        time.sleep(poll)


def read_json(path: Path) -> dict[str, Any]:
    """A file's object; empty while there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found


@contextlib.contextmanager
def stopping(shuttle: Shuttle) -> Iterator[Shuttle]:
    """The shuttle, whose copy is ended whatever happens."""
    try:
        yield shuttle
    finally:
        shuttle.stop()


def machine() -> dict[str, str | int]:
    """Where it is measured."""
    import platform  # noqa: PLC0415 -- only here

    return {"cpus": os.cpu_count() or 0, "system": platform.platform(), "python": platform.python_version()}
