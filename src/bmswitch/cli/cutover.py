"""`bmswitch cutover`: moves traffic to the upgraded side, or puts everything back."""

from pathlib import Path
from typing import Annotated

import typer

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output
from bmswitch.cli.switching import AbortOption, DryRunOption, ResumeOption, YesOption, chosen, switch


def cutover(
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    *,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    abort: AbortOption = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Switch, soak, build a standby, return, and report.")
    ] = False,
    output: OutputOption = Output.human,
) -> None:
    """Hold, drain, prove, promote, flip, release; or put everything back."""
    how = chosen(dry_run=dry_run, resume=resume, abort=abort)
    if not rehearse:
        switch("cutover", config, plan, back=False, how=how, ask=not yes, output=output)
        return
    from bmswitch.cli.rehearse import rehearse as there_and_back  # noqa: PLC0415 - help stays fast

    if how != "start":
        raise typer.BadParameter("--rehearse goes with none of --resume, --abort and --dry-run")
    there_and_back(config, plan, ask=not yes, output=output)
