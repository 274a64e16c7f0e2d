"""`bmswitch journal`: what the switch of this run folder did, line by line."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, emit, table

if TYPE_CHECKING:
    from bmswitch.model.switch import Entry

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
    shown = table("#", "time", "fence", "phase", "what", "said")
    for entry in entries:
        what = f"{entry.kind} {entry.verb}".strip()
        said = f"{entry.result.answer} {entry.result.said}" if entry.result else entry.said
        shown.add_row(str(entry.seq), entry.at[11:23], str(entry.fence), entry.phase, what, said)
    screen.print(shown)
