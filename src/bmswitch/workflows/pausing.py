"""The copy's pause: while the file is there nothing is read, on every machine that works on this run folder.

The file decides, so that a pause survives the process; a signal makes it or removes it (`replicate`: SIGUSR1, SIGUSR2).
"""

import time
from pathlib import Path

from bmswitch.files import replace_file
from bmswitch.model.errors import JournalError
from bmswitch.replication.valve import Valve

FILE = "replicate.pause"
THROTTLED = "workers/throttled"
FAREWELL = "workers/farewell"
_STALE = 10.0
"""Seconds after which a file of a leading process that is gone holds nobody back any more."""
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
    """Closes or opens the valve as the operator's file says."""
    _obey(run_dir / FILE, "paused", valve)


def obey_leading(run_dir: Path, valve: Valve) -> None:
    """The same for a worker, and as the leading process says."""
    obey(run_dir, valve)
    throttled = run_dir / THROTTLED
    if _age(throttled) < _STALE:
        _obey(throttled, "throttled", valve)
    else:
        valve.lift("throttled")


def announce(run_dir: Path, reason: str) -> None:
    """Tells workers on any machine to stand still, or with an empty reason to go on. To be repeated: an old file holds nobody."""
    path = run_dir / THROTTLED
    try:
        if reason:
            replace_file(path, reason.encode() + b"\n")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"{path} can not be written", evidence=str(error)) from error


def note_farewell(run_dir: Path) -> None:
    """Tells all workers that the source's leader has said goodbye: from now on each asks before each batch whether it may write."""
    try:
        (run_dir / FAREWELL).touch(mode=0o600)
    except OSError as error:
        raise JournalError(f"{run_dir / FAREWELL} can not be written", evidence=str(error)) from error


def farewell_seen(run_dir: Path) -> bool:
    """Somebody has noted it."""
    return (run_dir / FAREWELL).exists()


def forget_farewell(run_dir: Path) -> None:
    """A new run begins: its workers will see it again."""
    (run_dir / FAREWELL).unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return _STALE


def _obey(path: Path, name: str, valve: Valve) -> None:
    try:
        said = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        valve.lift(name)
    except OSError as error:
        valve.hold(name, f"{path.name} can not be read: {error.strerror}")
    else:
        valve.hold(name, " ".join(said.split())[:_LONGEST] or f"{path.name} is there")
