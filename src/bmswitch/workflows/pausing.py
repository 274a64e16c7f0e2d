"""The copy's pause: while the file is there nothing is read, on every machine that works on this run folder.

The file decides, so that a pause survives the process; a signal makes it or removes it (`replicate`: SIGUSR1, SIGUSR2).
"""

from pathlib import Path

from bmswitch.files import replace_file
from bmswitch.model.errors import JournalError
from bmswitch.replication.valve import Valve

FILE = "replicate.pause"
_LONGEST = 200


def pause(run_dir: Path, why: str) -> None:
    """Makes the file, with a reason that status shows. One that is there is left as it is."""
    path = run_dir / FILE
    try:
        if not path.exists():
            replace_file(path, why.encode() + b"\n")
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error


def resume(run_dir: Path) -> None:
    """Removes the file; fine when there is none."""
    path = run_dir / FILE
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"{path} can not be removed", evidence=str(error)) from error


def obey(run_dir: Path, valve: Valve) -> None:
    """Closes or opens the valve as the file says."""
    try:
        said = (run_dir / FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        valve.lift("paused")
    except OSError as error:
        valve.hold("paused", f"{FILE} can not be read: {error.strerror}")
    else:
        valve.hold("paused", " ".join(said.split())[:_LONGEST] or f"{FILE} is there")
