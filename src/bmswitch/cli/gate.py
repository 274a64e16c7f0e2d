"""`bmswitch gate`: the process beside Envoy that owns the hold and its watchdog."""

from pathlib import Path
from typing import Annotated

import typer


def gate(
    directory: Annotated[
        Path,
        typer.Option("--dir", help="The folder that the renderer made for this Envoy.", show_default=False),
    ],
) -> None:
    """Run the process beside Envoy that owns colour, hold and lease (stops on SIGTERM)."""
    from bmswitch.proxy.gate import run_gate  # noqa: PLC0415 -- the other commands need not load a web server

    run_gate(directory)
