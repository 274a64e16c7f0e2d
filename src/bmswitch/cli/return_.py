"""`bmswitch return`: the same switch in the other direction, through the standby."""

from pathlib import Path

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output
from bmswitch.cli.switching import AbortOption, DryRunOption, ResumeOption, YesOption, chosen, switch


def return_(
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    *,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    abort: AbortOption = False,
    output: OutputOption = Output.human,
) -> None:
    """Go back to the side that served before, with everything that was written since (needs `bmswitch standby`)."""
    how = chosen(dry_run=dry_run, resume=resume, abort=abort)
    switch("return", config, plan, back=True, how=how, ask=not yes, output=output)
