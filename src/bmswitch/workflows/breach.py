"""What follows the end of a switch: its result, and when the soak found a breach, what the configuration wants then."""

import os
import subprocess
from pathlib import Path

import msgspec

from bmswitch.model.config import Argv, Config
from bmswitch.model.errors import BmswitchError
from bmswitch.model.switch import State
from bmswitch.workflows.cutover_result import SwitchResult, finish

LOG = "page.log"
_PATIENCE = 30.0


def ended(state: State, config: Config) -> SwitchResult:
    """The result of a switch that has just ended; the operator's pager is run when the soak found a breach and it is wanted.

    Raises:
        AbortedError, UnknownError: as of `finish`, with `result`.
    """
    try:
        return finish(state, Path(config.run_dir), config.soak)
    except BmswitchError as error:
        result = error.result
        if isinstance(result, SwitchResult) and result.on_breach == "page" and config.soak.page:
            said = page(config.soak.page, result, Path(config.run_dir) / LOG)
            error.consequence = f"{error.consequence}; {said}"
        raise


def page(command: Argv, result: SwitchResult, log: Path) -> str:
    """Runs the pager with the result as JSON on its standard input and the breach in `BMSWITCH_BREACH`; says how that went.

    No secret is in either. What it prints goes to `log` (0600).
    """
    environment = {**os.environ, "BMSWITCH_BREACH": result.breach, "BMSWITCH_SERVING": result.serving}
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        code = subprocess.run(
            command,
            input=msgspec.json.encode(result),
            stdout=handle,
            stderr=handle,
            env=environment,
            timeout=_PATIENCE,
            check=False,
            start_new_session=True,
        ).returncode
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not end within {_PATIENCE:g} s, see {log}"
    except OSError as error:
        return f"nobody was paged: {command[0]} can not be run: {error.strerror}"
    finally:
        os.close(handle)
    return f"{command[0]} was run" if code == 0 else f"{command[0]} ended with {code}, see {log}"
