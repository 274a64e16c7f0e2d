"""`bmswitch cutover --rehearse`: there and back, with a report."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bmswitch.cli.render import Output, Progress, emit
from bmswitch.cli.switching import hooks, show_result

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.workflows.cutover import Hooks
    from bmswitch.workflows.there_and_back import Rehearsal


def rehearse(config: Path, plan: Path | None, *, ask: bool, output: Output) -> None:
    """Asks once, before the switch; the way back is part of what was asked."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 - keeps other commands' start quick
    from bmswitch.workflows.legs import leg_to_switch  # noqa: PLC0415 - the same
    from bmswitch.workflows.plan import load_plan  # noqa: PLC0415 - the same
    from bmswitch.workflows.there_and_back import rehearse as there_and_back  # noqa: PLC0415 - the same

    settings = load_config(config)
    planned = load_plan(leg_to_switch(settings, back=False).config, plan)
    quiet = output is Output.json
    progress = Progress(quiet=quiet)

    @contextmanager
    def lend(turned: "Config", name: str) -> Iterator["Hooks"]:
        with hooks(turned, name, ask=ask and name == "cutover", quiet=quiet) as lent:
            yield lent

    try:
        result = there_and_back(settings, planned, lend, progress.note)
    finally:
        progress.close()
    emit("cutover", result, _show, output)


def _show(screen: Console, result: "Rehearsal") -> None:
    screen.print("[bold]There[/]")
    show_result(screen, result.there)
    screen.print(f"\nthe standby was built and proven in {result.standby_seconds:.1f} s\n")
    screen.print("[bold]And back[/]")
    show_result(screen, result.back)
    screen.print(f"rehearsed in {result.seconds:.0f} s: both ways are open")
