"""The history of a site: each run's prediction beside what it took, in `history.ndjson` of the run folder that all legs share."""

import contextlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.history import Run
from bmswitch.model.plan import Plan
from bmswitch.model.switch import State
from bmswitch.workflows.cutover_result import result_of

FILE = "history.ndjson"
_LEG = re.compile(r"leg-\d+")
_MOST = 500


def history_path(config: Config) -> Path:
    """Where it is; the legs of a run folder have one together."""
    run_dir = Path(config.run_dir)
    return (run_dir.parent if _LEG.fullmatch(run_dir.name) else run_dir) / FILE


def load_history(config: Config) -> list[Run]:
    """The newest runs, oldest first. A line that can not be read is left out: nothing rests on it but estimates."""
    found: list[Run] = []
    with contextlib.suppress(OSError):
        for line in history_path(config).read_bytes().splitlines()[-_MOST:]:
            with contextlib.suppress(msgspec.MsgspecError):
                found.append(msgspec.json.decode(line, type=Run))
    return found


def remember(config: Config, plan: Plan, step: str, seconds: float, said: str) -> Run:
    """One line more. A history that can not be written is not worth a run: it is left out."""
    run = Run(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        plan_id=plan.id,
        step=step,
        source=plan.serving,
        source_version=plan.source.version,
        target_version=plan.target.version or config.target.version,
        records=plan.volume.total_records,
        seconds=round(seconds, 3),
        said=said,
        predicted=next((one.estimate for one in plan.steps if one.command == step), None),
    )
    with contextlib.suppress(OSError):
        handle = os.open(history_path(config), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, msgspec.json.encode(run) + b"\n")
        finally:
            os.close(handle)
    return run


def remember_switch(config: Config, plan: Plan, state: State) -> None:
    """A switch that has ended, with the time for which clients were held."""
    step = "return" if plan.back else "cutover"
    remember(config, plan, step, result_of(state).hold_ms / 1000, state.outcome or "unknown")
