"""`bmswitch quarantine`: the records that could not be understood, and what was decided about them."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, count, emit, sentence, table
from bmswitch.model.errors import RecordError

if TYPE_CHECKING:
    from bmswitch.workflows.quarantine import Line, Shown
    from bmswitch.workflows.quarantine_retry import Retried

app = typer.Typer(
    help="Records that could not be understood: look, retry, accept.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
Number = Annotated[int, typer.Argument(min=1, help="The record's number in `quarantine list`.")]
Which = Annotated[str, typer.Argument(help="A number of `quarantine list`, or `all` that wait.")]
Why = Annotated[str, typer.Option("--reason", help="Why green may miss the record.")]
Who = Annotated[str, typer.Option("--who", help="Who takes that on himself.")]


@app.command("list")
def list_(config: ConfigFile = Path("bmswitch.yaml"), output: OutputOption = Output.human) -> None:
    """Every parked record and its state; changes nothing."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.quarantine import listed  # noqa: PLC0415 -- the same

    lines = listed(load_working(config))
    waiting = sum(line.state == "parked" for line in lines)
    result = {"records": lines, "waiting": waiting}
    emit("quarantine", result, lambda screen, _: _list(screen, lines, waiting), output)


@app.command()
def show(
    number: Number, config: ConfigFile = Path("bmswitch.yaml"), output: OutputOption = Output.human
) -> None:
    """One parked record: key and value, shortened, without secrets."""
    from bmswitch.workflows import quarantine as work  # noqa: PLC0415 -- the same
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same

    emit("quarantine", work.show(load_working(config), number), _show, output)


@app.command()
def retry(
    which: Which, config: ConfigFile = Path("bmswitch.yaml"), output: OutputOption = Output.human
) -> None:
    """Pass it through today's cures; what is understood is written to green's log. replicate must not run."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan import load_plan  # noqa: PLC0415 -- the same
    from bmswitch.workflows.quarantine_retry import retry as work  # noqa: PLC0415 -- the same

    if which != "all" and not (which.isdigit() and int(which) > 0):
        raise typer.BadParameter("a number or `all`", param_hint="WHICH")
    settings = load_working(config)
    done = work(settings, load_plan(settings), None if which == "all" else int(which))
    left = [one for one in done if one.outcome == "parked"]
    result = {"records": done, "still_parked": len(left)}
    if not left or output is Output.human:
        emit("quarantine", result, lambda screen, _: _retried(screen, done), output)
    if left:
        error = RecordError(
            f"{len(left)} of {len(done)} records are still not understood",
            evidence=f"number {left[0].number}: {left[0].said}",
            consequence="they stay parked; what was understood is on green's log",
            next_command=f"bmswitch quarantine show {left[0].number}; accept it if green may miss it",
        )
        error.result = result
        raise error


@app.command()
def accept(
    number: Number,
    reason: Why,
    who: Who,
    config: ConfigFile = Path("bmswitch.yaml"),
    output: OutputOption = Output.human,
) -> None:
    """Let green miss the record: by name, for a reason, written down for good."""
    from bmswitch.workflows import quarantine as work  # noqa: PLC0415 -- the same
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same

    emit("quarantine", work.accept(load_working(config), number, reason=reason, who=who), _accepted, output)


def _list(screen: Console, lines: "list[Line]", waiting: int) -> None:
    if not lines:
        screen.print("no record was parked in this run folder")
        return
    shown = table("#", "state", "place", "reason", "said")
    for line in lines:
        said = f"{line.who}: {line.why}" if line.who else line.why
        place = f"{line.topic} {line.partition}:{line.offset}"
        shown.add_row(str(line.number), line.state, place, Text(line.reason), Text(said))
    screen.print(shown)
    if waiting:
        screen.print(f"{count(waiting)} wait: `bmswitch quarantine show N`, then retry or accept")
    else:
        screen.print("none waits: the gate of the switch lets them pass")


def _show(screen: Console, seen: "Shown") -> None:
    line = seen.line
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(line.at))
    said = f", {line.state} by {line.who}: {line.why}" if line.who else f", {line.state} {line.why}".rstrip()
    size = "a tombstone" if line.value_bytes < 0 else f"{count(line.value_bytes)} bytes"
    sentence(screen, f"{line.topic} partition {line.partition} offset {line.offset}", lead="record  ")
    sentence(screen, f"{at} UTC{said}", lead="parked  ")
    sentence(screen, line.reason, lead="reason  ")
    sentence(screen, seen.key, lead="key     ")
    sentence(screen, f"({size}) {seen.value}", lead="value   ")


def _retried(screen: Console, done: "list[Retried]") -> None:
    if not done:
        screen.print("no record waits")
    for one in done:
        sentence(screen, one.said, lead=f"{one.number}  {one.outcome}  ")


def _accepted(screen: Console, line: "Line") -> None:
    sentence(screen, f"record {line.number} is accepted by {line.who}: {line.why}")
