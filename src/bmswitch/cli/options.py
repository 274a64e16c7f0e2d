"""Options that several commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from bmswitch.cli.render import Output

ConfigFile = Annotated[
    Path, typer.Option("-c", "--config", help="The configuration file.", show_default=True)
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="The plan file; default: plan.json in the run folder.", show_default=False),
]
OutputOption = Annotated[Output, typer.Option("--output", help="For people, or one JSON object.")]
