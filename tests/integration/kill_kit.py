"""A lab that serves one kill after another, and the judgement after each: one serving side, nothing lost, the journal whole.

A lab whose blue serves again and whose green is a clone still is as good as new; after an end on green, or a green that led, the
next cell gets a fresh one.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.killed import JUMP, Instant, Way
from tests.integration.line_kit import Background, Line, envelope, ledger, running_line, wait_for

from bmswitch.journal.journal import read_journal
from bmswitch.lab.supervisor import load
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.traffic.stats import Summary
from bmswitch.model.switch import State, fold
from bmswitch.workflows.config import load_config
from bmswitch.workflows.overview import overview, wait_caught_up

SMALL = ("--users", "2", "--items", "1")
RATE = 40
BUDGETS = {
    "hold: 8.0": "hold: 10.0",
    "drain: 2.0": "drain: 10.0",
    "barrier: 3.0": "barrier: 5.0",
    "fence: 4.0": "fence: 6.0",
    "prove: 3.0": "prove: 4.0",
    "promote: 3.0": "promote: 10.0, flip: 3.0",
    "seconds: 5.0": "seconds: 0.5",
}
"""A slow machine must not turn a switch back before the fault that is meant to; the lease stays short, so that it runs out, and
no hold is longer than the proxy lets it be (10 s): a phase that waits in vain ends, and turns back, before that."""

LEASE = 3.0
PATIENCE = 240.0
ENDS = {0: "green", 12: "blue"}


@dataclass
class Clients:
    """Clients at work; `summary` is theirs when they have ended."""

    line: Line
    summary: Summary | None = None

    def served(self, since: float) -> None:
        """Waits until writes that were sent after a moment were acknowledged."""
        wait_for(
            lambda: sum(r["sent"] > since and r["outcome"] == "acknowledged" for r in ledger(self.line)) > 5,
            15,
            "clients are served again",
        )


class Labs:
    """Gives a lab that is ready to switch, in `folder`; keeps it as long as it is.

    `up` are options of `lab up`; `also` is what stands beside each lab, and may change its configuration.
    """

    def __init__(self, folder: Path, *up: str) -> None:
        self.also: Callable[[Line], AbstractContextManager[None]] = lambda _line: nullcontext()
        self._up = up
        self._folder = folder
        self._stack = ExitStack()
        self._line: Line | None = None
        self._copy: Background | None = None
        self._count = 0

    def ready(self) -> Line:
        """Blue serves, green is caught up and proven equal, replicate runs."""
        if self._line is None or self._copy is None or not _as_new(self._line, self._copy):
            return self._fresh()
        wait_caught_up(load_config(self._line.config), 60)
        return self._line

    def close(self) -> None:
        """Takes it down."""
        if self._copy is not None:
            self._copy.stop()
        self._stack.close()
        self._line = self._copy = None

    def _fresh(self) -> Line:
        self.close()
        self._count += 1
        folder = self._folder / f"lab{self._count}"
        folder.mkdir()
        line = self._stack.enter_context(running_line(folder, *SMALL, *self._up))
        change_config(line, BUDGETS)
        self._stack.enter_context(self.also(line))
        line.must("plan")
        line.must("provision")
        self._copy = line.start("replicate")
        line.must("status", "--wait", "caught-up", "--timeout", "90")
        assert line.must("verify")["verdict"] == "equal"
        self._line = line
        return line


def change_config(line: Line, replaced: dict[str, str]) -> None:
    """Other texts in the lab's own configuration."""
    text = line.config.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    line.config.write_text(text, encoding="utf-8")


@contextmanager
def clients_at_work(line: Line, rate: int = RATE) -> Iterator[Clients]:
    """Clients through the proxy; ended with the block."""
    layout, clients = Layout(line.lab), Clients(line)
    load.begin(layout, rate, None)
    try:
        yield clients
    finally:
        clients.summary = load.end(layout)


@contextmanager
def struck(
    line: Line, number: str, verb: str, instant: Instant, way: Way, *, command: str = "cutover"
) -> Iterator["subprocess.Popen[str]"]:
    """`bmswitch cutover --yes` (or `return`), which gets the signal at that instant; gone with the block."""
    where = (number, verb, instant, way)
    words = ["-m", "tests.integration.killed", *where, command, "--yes", "--output", "json"]
    with (line.lab / "logs" / "struck.err").open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, *words, "-c", str(line.config)],
            cwd=_REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_at(line: Line, verb: str, instant: Instant, way: Way, *, command: str = "cutover") -> float:
    """`bmswitch cutover --yes` (or `return`), dead at that instant; when."""
    with struck(line, "SIGKILL", verb, instant, way, command=command) as process:
        printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == -9, (process.returncode, printed)
    return time.time()


def freeze_at(line: Line, verb: str, instant: Instant, seconds: float) -> tuple[int, Any]:
    """`bmswitch cutover --yes`, frozen at that instant for so long; exit code and envelope."""
    return strike(line, verb, instant, lambda _pid: time.sleep(seconds))


def strike(
    line: Line,
    verb: str,
    instant: Instant,
    fault: Callable[[int], object],
    *,
    way: Way = "forward",
    command: str = "cutover",
) -> tuple[int, Any]:
    """`bmswitch cutover --yes` (or `return`), to which something happens at that instant; exit code and envelope.

    It stands still meanwhile.
    """
    with frozen_at(line, verb, instant, way=way, command=command) as process:
        fault(process.pid)
        process.send_signal(signal.SIGCONT)
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, envelope(command, process.returncode, printed)


def clock_jumps_at(line: Line, verb: str, instant: Instant) -> tuple[int, Any]:
    """`bmswitch cutover --yes`, whose wall clock jumps at that instant; exit code and envelope."""
    with struck(line, JUMP, verb, instant, "forward") as process:
        printed, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, envelope("cutover", process.returncode, printed)


@contextmanager
def frozen_at(
    line: Line, verb: str, instant: Instant, *, way: Way = "forward", command: str = "cutover"
) -> Iterator["subprocess.Popen[str]"]:
    """The same as a process that stands still: SIGCONT is the caller's."""
    with struck(line, "SIGSTOP", verb, instant, way, command=command) as process:
        wait_for(lambda: _stands_still_or_ended(process), PATIENCE, "it stands still")
        assert process.returncode is None, process.communicate()
        yield process


def _stands_still_or_ended(process: "subprocess.Popen[str]") -> bool:
    status = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return process.poll() is not None or status == "T"


_REPOSITORY = Path(__file__).resolve().parents[2]


def state_of_journal(line: Line) -> State:
    """The fold of a journal that must be whole."""
    entries, torn = read_journal(line.lab / "run" / "journal.ndjson")
    assert not torn
    state = fold(entries)
    assert state is not None
    return state


def one_side_serves(line: Line, side: str, *, target: str = "CLONING", source: str = "blue") -> None:
    """Exactly one core leads, every node points at it and holds nothing.

    `source` is the side that served before; while it still does, `target` is what the other core is.
    """
    seen = overview(load_config(line.config))
    cores = {"blue": seen.blue, "green": seen.green}
    assert (seen.serving, cores.pop(side)) == (side, "RUNNING"), seen
    assert set(cores.values()) <= ({target, "DEMOTED"} if side == source else {"silent"}), seen
    assert all(node.seen and node.hold_until_ms <= time.time() * 1000 for node in seen.nodes), seen


def nothing_lost(clients: Clients, side: str, refused_between: tuple[float, float] | None) -> None:
    """The ledger is clean; clients were refused only between these moments, if at all."""
    checked, summary = load.check(Layout(clients.line.lab)), clients.summary
    assert summary is not None
    found = checked.verdict
    assert checked.side == side
    assert found.acknowledged > 0
    assert (found.lost, found.duplicated, found.refused_present) == (0, 0, 0), found
    begin, end = refused_between or (0.0, 0.0)
    outside = [s.at for s in summary.timeline if s.failed and not begin - 1 <= s.at <= end + 1]
    rows = [r for r in ledger(clients.line) if r["outcome"] != "acknowledged"]
    writes = [r for r in rows if not begin <= r["answered"] <= end + 1]
    assert not outside, (outside, refused_between, summary.failures)
    assert not writes, (writes[:3], refused_between)
    assert summary.requests.dropped == 0


def explained(line: Line, end: float, leg: int = 1) -> tuple[float, float] | None:
    """When clients may have been refused: the source was demoted, the hold had lapsed, and no end was reached yet."""
    rows = last_attempt(line, leg)
    if not any(row["kind"] == "intent" and row["verb"] == "demote-source" for row in rows):
        return None
    lapsed = max(row["until_ms"] for row in rows if row.get("until_ms")) / 1000
    return (lapsed, end) if lapsed < end else None


def last_attempt(line: Line, leg: int = 1) -> list[dict[str, Any]]:
    """The lines of a leg's journal since the newest start."""
    rows = line.journal(leg)
    starts = [number for number, row in enumerate(rows) if row["kind"] == "start"]
    return rows[starts[-1] :]


def ended_with(code: int, serving: str, said: str, seen: tuple[int, Any]) -> None:
    """Exit code, serving side (`unknown` where none is), and a message that is whole and has these words in cause or evidence."""
    assert (seen[0], (seen[1]["result"] or {}).get("serving", "")) == (code, serving), seen
    error = seen[1]["error"]
    assert said in f"{error['cause']} {error['evidence']}", error
    assert error["evidence"], error
    assert error["consequence"], error
    assert error["next"], error


def _as_new(line: Line, copy: Background) -> bool:
    if copy.process.poll() is not None:
        return False
    seen = overview(load_config(line.config))
    return (seen.serving, seen.blue, seen.green) == ("blue", "RUNNING", "CLONING")


def end_it(line: Line, command: str) -> tuple[str, Any]:
    """The operator's next command, and where traffic is then; `--abort` is refused once green may have taken writes.

    That is so after the release was begun, and when the hold had ended by itself after the flip was.
    """
    code, answer = line.run("cutover", command)
    if code == 8 and command == "--abort":
        state = state_of_journal(line)
        lapsed = state.was_intended("flip-target") and state.hold_until_ms < time.time() * 1000
        assert state.was_intended("release") or lapsed, answer
        assert "--resume" in answer["error"]["next"]
        code, answer = line.run("cutover", "--resume")
    assert code in ENDS, answer
    return ENDS[code], answer
