"""Before a clone of a shared log begins: it loses its right to write there, until it is promoted."""

import time
from pathlib import Path

from bmswitch.model.config import Argv, Config
from bmswitch.model.errors import RefusedError
from bmswitch.model.plan import Plan
from bmswitch.model.switch import Result
from bmswitch.workflows.commands import run_command
from bmswitch.workflows.cutover_site import COMMAND_LOG
from bmswitch.workflows.log_right import LogRight


def withhold_log_right(config: Config, plan: Plan) -> None:
    """Takes it away, as `rights.kafka` of the clone's side says; nothing without that (the plan has warned).

    Raises:
        RefusedError: a command failed. UnreachableError, AccessError: Kafka does not answer, or we may not change its rights.
    """
    timeout, log = config.target.core.timeout, Path(config.run_dir) / COMMAND_LOG

    def run(command: Argv, kind: str, most: float) -> Result:
        return run_command(command, log, min(timeout, most), kind)

    right = LogRight(config, config.standby, plan.source.installation_id, run, lambda: None)
    done = right.withhold(time.monotonic() + timeout)
    if done.answer != "yes":
        raise RefusedError(
            f"{config.standby}'s right to write to the log could not be withheld",
            evidence=done.said,
            consequence=f"{config.standby}'s clone was not asked for: it could write to {config.serving}'s log",
            next_command=f"mend {config.standby}.rights.kafka, then bmswitch replicate",
        )
