"""One mirror as a process of its own, as `bmswitch replicate` runs it: `mirror_worker RUN_DIR BLUE GREEN ID [ledger]`."""

import signal
import sys
import threading
from pathlib import Path

import msgspec
from tests.integration.mirror_run import config_for, plan_for

from bmswitch.workflows.mirroring import Mirroring


def main(run_dir: str, blue: str, green: str, installation: str, *more: str) -> None:
    """Mirrors every topic of the installation until SIGTERM."""
    Path(run_dir).mkdir()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    plan = plan_for("bench")
    source = msgspec.structs.replace(plan.source, installation_id=installation)
    plan = msgspec.structs.replace(plan, source=source)
    running = Mirroring(config_for(run_dir, blue, green), plan, lambda: True)
    if "ledger" in more:
        running.keep_touched()
    while running.alive and not stop.wait(0.05):
        pass
    running.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
