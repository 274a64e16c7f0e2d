"""The stand-in of the central reverse proxy's directory job, as a process of its own (`bmswitch.lab.crp`)."""

import sys
from pathlib import Path

from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.supervisor.process import Process, await_ready, spawn
from bmswitch.lab.supervisor.state import State

NAME = "crp"
READY = 20.0


def start(layout: Layout, state: State) -> Process:
    """Starts it without waiting; the log's topics must be there or come."""
    ready = _ready_file(layout)
    ready.unlink(missing_ok=True)
    options = [
        "--kafka",
        state.bootstraps["blue"],
        "--installation",
        state.installation_id,
        "--ready",
        str(ready),
    ]
    return spawn(layout, NAME, [sys.executable, "-m", "bmswitch.lab.crp", *options])


def finish(layout: Layout, process: Process) -> None:
    """Waits until its topic is there."""
    await_ready(layout, process, _ready_file(layout).exists, READY)


def _ready_file(layout: Layout) -> Path:
    return layout.kafka / "crp.ready"
