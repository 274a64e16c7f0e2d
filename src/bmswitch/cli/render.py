"""What every command prints with: results on stdout (human or one JSON object), progress on stderr."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bmswitch.model.errors import BmswitchError, RefusedError, UnreachableError
from bmswitch.model.plan import Finding, Level
from bmswitch.model.status import WorkerStatus

SCHEMA = 1
"""Version of the JSON envelope; it grows when a field changes its meaning or goes away."""

_NARROW = 80
_PLAIN_INTERVAL = 2.0

Result = TypeVar("Result")


class Output(StrEnum):
    """How a command prints its result."""

    human = "human"
    json = "json"


class Document(StrEnum):
    """How a command prints what is also read in a merge request."""

    human = "human"
    json = "json"
    markdown = "markdown"

    @property
    def plain(self) -> Output:
        """The same for what has no Markdown."""
        return Output.json if self is Document.json else Output.human


def console(*, stderr: bool = False) -> Console:
    """A console that obeys NO_COLOR and is 80 columns wide and plain when it is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(file=stream, width=None if terminal else _NARROW, highlight=False, soft_wrap=not terminal)


def emit(command: str, result: Result, human: Callable[[Console, Result], None], output: Output) -> None:
    """Prints one result: the human view, or `{"schema", "command", "ok": true, "result"}`."""
    if output is Output.json:
        _print_json({"schema": SCHEMA, "command": command, "ok": True, "result": result})
    else:
        human(console(), result)


def emit_findings(
    command: str,
    result: Result,
    findings: Sequence[Finding],
    human: Callable[[Console, Result], None],
    output: Output,
) -> None:
    """Prints a result that guards were asked about; when one forbids to go on, the error after it says so.

    Raises:
        RefusedError: a guard says stop; UnreachableError: what a guard must know can not be read.
    """
    against = [one for one in findings if one.forbids]
    if not against or output is Output.human:
        emit(command, result, human, output)
    if not against:
        return
    first = next((one for one in against if one.level is Level.stop), against[0])
    kind = RefusedError if first.level is Level.stop else UnreachableError
    others = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
    error = kind(f"{first.cause}{others}", evidence=first.evidence, next_command=first.command)
    error.result = result
    raise error


def emit_error(command: str, error: BmswitchError, output: Output, result: object = None) -> None:
    """Prints one error; with JSON it goes to stdout, as the one object that the command prints."""
    if output is Output.json:
        body: dict[str, Any] = {
            "kind": error.kind,
            "exit_code": error.exit_code,
            "cause": error.cause,
            "evidence": error.evidence,
            "consequence": error.consequence,
            "next": error.next_command,
        }
        _print_json({"schema": SCHEMA, "command": command, "ok": False, "error": body, "result": result})
        return
    screen = console(stderr=True)
    screen.print(f"[bold red]error:[/] {_plain(error.cause)}")
    for label, text in (("seen", error.evidence), ("so", error.consequence), ("next", error.next_command)):
        if text:
            screen.print(f"  [bold]{label}:[/] {_plain(text)}")


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table whose first column is text and the others as they come."""
    made = Table(title=title, box=None, title_justify="left", pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def count(value: float) -> str:
    """12,345 or 3.1."""
    return f"{value:,.1f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"


def size(value: float) -> str:
    """Bytes as people read them: 1.4 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def sentence(screen: Console, text: str, *, lead: str = "", style: str = "", lead_style: str = "") -> None:
    """A text wrapped at the screen's width (80 in a pipe), its further lines indented below its lead."""
    lines = textwrap.wrap(
        text, max(20, screen.width - len(lead) - 1), break_long_words=False, break_on_hyphens=False
    )
    for number, line in enumerate(lines or [""]):
        shown = Text(lead if number == 0 else " " * len(lead), style=lead_style)
        shown.append(line, style=style)
        screen.print(shown, soft_wrap=True)


def wrapped(text: str) -> str:
    """A line of progress as a terminal shows it best: cut at words, further lines indented; untouched in a pipe or log."""
    if not sys.stderr.isatty():
        return text
    width = max(_NARROW // 2, shutil.get_terminal_size((_NARROW, 0)).columns)
    return textwrap.fill(
        text,
        width,
        subsequent_indent="    ",
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )


def to_nowhere(streams: Iterable[int]) -> None:
    """What is written to these streams from here on goes nowhere, instead of failing: their terminal is gone."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _tell(text: str) -> None:
    """Progress is never worth a command: a switch goes on when nobody can read it any more (also under nohup)."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        to_nowhere([stream for stream in (1, 2) if os.fstat(stream).st_rdev == os.fstat(2).st_rdev])


def shorter(path: Path) -> str:
    """Relative to the current folder where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


class Progress:
    """One line on stderr: rewritten in place on a terminal, a plain line every two seconds elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet
        self._printed = 0.0
        self._open = False

    def update(self, text: str) -> None:
        """Shows where the work stands; may be called as often as wanted."""
        if self._quiet:
            return
        now = time.monotonic()
        if self._terminal:
            if now - self._printed < 0.1:
                return
            _tell(f"\r\x1b[2K{_cut(text, shutil.get_terminal_size().columns - 1)}")
            self._open = True
        elif now - self._printed < _PLAIN_INTERVAL:
            return
        else:
            _tell(text + "\n")
        self._printed = now

    def note(self, text: str) -> None:
        """A line that stays."""
        if self._quiet:
            return
        self.close()
        _tell(wrapped(text) + "\n")

    def close(self) -> None:
        """Ends the rewritten line."""
        if self._open:
            _tell("\r\x1b[2K")
            self._open = False


def _cut(text: str, width: int) -> str:
    """A line that is rewritten in place must not break: what does not fit is left out."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _plain(text: str) -> str:
    """Text as it is: square brackets of evidence are no markup."""
    return text.replace("[", r"\[")


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.flush()


def duration(seconds: float, digits: int = 0) -> str:
    """`12 s`, `34 min`, `5.6 h`."""
    if seconds < 120:
        return f"{seconds:.{digits}f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def left_words(seconds: float | None, low: float | None, high: float | None) -> str:
    """A predicted time with its bounds, in words; None: it can not be predicted, or has no upper bound."""
    if seconds is None:
        return "unknown time"
    most = "?" if high is None else duration(high)
    return f"{duration(seconds)} ({duration(low or 0.0)} to {most})"


def workers_words(workers: Sequence[WorkerStatus]) -> str:
    """How many share the work, on how many machines, and how often one had to step in for another."""
    hosts = len({worker.host for worker in workers})
    words = f"{len(workers)} workers on {hosts} machine{'s' if hosts > 1 else ''}"
    repairs = sum(worker.repairs for worker in workers)
    return f"{words}, {repairs} partitions written again" if repairs else words
