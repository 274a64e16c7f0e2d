"""`bmswitch standby`: the side that served before becomes a clone of the one that serves now, ready for `return`."""

from pathlib import Path

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, Progress, emit
from bmswitch.cli.replicate import show_copied, stopped_by_signals, told
from bmswitch.cli.switching import YesOption, ask_for_name


def standby(
    config: ConfigFile = Path("bmswitch.yaml"),
    *,
    yes: YesOption = False,
    output: OutputOption = Output.human,
) -> None:
    """Empty the machines that served before, rebuild them as a clone, prove it, and keep it up to date until stopped."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 - keeps other commands' start quick
    from bmswitch.workflows.standby import open_standby, run_standby  # noqa: PLC0415 - the same

    settings = load_config(config)
    leg = open_standby(settings)
    if not yes and not leg.begun:
        ask_for_name(leg.config, "standby", "empties and rebuilds")
    progress = Progress(quiet=output is Output.json)
    with stopped_by_signals() as stop:
        try:
            result = run_standby(
                settings,
                leg,
                tell=lambda status: progress.update(told(status)),
                note=progress.note,
                stop=stop,
            )
        finally:
            progress.close()
    emit("standby", result, show_copied, output)
