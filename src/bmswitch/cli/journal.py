"""`bmswitch journal`: what the switch of this run folder did, line by line."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, emit, sentence

if TYPE_CHECKING:
    from bmswitch.model.switch import Entry

_STYLES = {
    "no": "red",
    "unknown": "yellow",
    "abort": "red",
    "onward": "yellow",
    "end": "bold",
    "start": "bold",
}

app = typer.Typer(help="What the switch did, line by line.", rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """What the switch did, line by line."""


@app.command()
def show(config: ConfigFile = Path("bmswitch.yaml"), output: OutputOption = Output.human) -> None:
    """Read and check the journal; changes nothing."""
    from bmswitch.journal.journal import read_journal  # noqa: PLC0415 - help stays fast
    from bmswitch.workflows.legs import JOURNAL, load_working  # noqa: PLC0415 - the same

    path = Path(load_working(config).run_dir) / JOURNAL
    entries, torn = read_journal(path)
    result = {"file": str(path), "entries": entries, "torn": torn}

    def human(screen: Console, _result: object) -> None:
        _show(screen, entries)
        if torn:
            screen.print(torn.replace("cut off", "the next cutover cuts it off"))
        if not entries:
            screen.print("no switch was begun in this run folder")

    emit("journal", result, human, output)


def _show(screen: Console, entries: "list[Entry]") -> None:
    """One line an entry, wrapped below its own text; time since the hold of its attempt."""
    from bmswitch.model.switch import apply, fold  # noqa: PLC0415 - help stays fast
    from bmswitch.model.switch.story import told  # noqa: PLC0415 - the same

    state = None
    for entry in entries:
        state = fold([entry]) if entry.kind == "start" else apply(state, entry) if state else None
        if entry.kind == "start":
            heading = f"plan {entry.plan_id}, {entry.at[:10]}, times in UTC and since the hold"
            screen.print(heading, style="bold", markup=False, highlight=False)
        held = state.hold_from_ms if state else 0
        since = f"+{(entry.at_ms - held) / 1000:.3f} s" if held else ""
        lead = f"{entry.seq:>4} {entry.at[11:23]} {since:>10} {entry.phase:<9} "
        sentence(screen, told(entry), lead=lead, style=_STYLES.get(_weight(entry), ""), lead_style="dim")


def _weight(entry: "Entry") -> str:
    return entry.result.answer if entry.result else entry.kind
