"""`bmswitch provision`: build green and prove that it is fit."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output, Progress, emit, sentence

if TYPE_CHECKING:
    from bmswitch.workflows.provision import Provisioned


def provision(
    config: ConfigFile = Path("bmswitch.yaml"), plan: PlanFile = None, output: OutputOption = Output.human
) -> None:
    """Build green with the configured driver, prove that it is fit, write blue's probe entries."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.plan import load_plan  # noqa: PLC0415 -- the same
    from bmswitch.workflows.provision import run_provision  # noqa: PLC0415 -- the same

    loaded = load_working(config)
    progress = Progress(quiet=output is Output.json)
    emit("provision", run_provision(loaded, load_plan(loaded, plan), progress.note), _show, output)


def _show(screen: Console, result: "Provisioned") -> None:
    for check in result.checks:
        sentence(screen, check, lead=" fit  ", lead_style="green")
    screen.print(f"Green is fit: BlueMind {result.version}, state {result.state}, {result.seconds:.1f} s")
    screen.print("next: bmswitch replicate")
