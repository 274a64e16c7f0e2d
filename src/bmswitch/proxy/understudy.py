"""Ends a hold on time when the gate has died: the second half of the watchdog, a process of its own.

The gate starts it, waits for one byte on its standard output and keeps the other end of its standard input open. End of file means that the gate is gone,
however it went. Then the understudy waits for the end of the lease and lets everything go, unless a new gate has the lock. Requests that
the dead gate held are asked about again by Envoy: the understudy answers them for some seconds. It runs once: `python -m bmswitch.proxy.understudy DIR`.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from bmswitch.model.errors import BmswitchError, BusyError
from bmswitch.proxy.envoy_files import HOLD_SOCKET
from bmswitch.proxy.files import wall_ms
from bmswitch.proxy.gate_files import GateFiles
from bmswitch.proxy.layout import HOLD_CAP_MS
from bmswitch.proxy.waiting_room import Question, WaitingRoom

_LOOK: Final = 0.02  # seconds between two looks at the state: a new gate may have changed it
_LATE: Final = 2.0  # seconds: several times the longest pause between two of Envoy's questions (0.5 s)


def main() -> int:
    """Returns 0 in each case: there is nobody to tell."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # who stops a whole service must not make a hold last
    os.write(1, b"!")  # ready: the gate waits for it
    os.close(1)
    while os.read(0, 1):
        pass
    files = GateFiles(Path(sys.argv[1]))
    was_held = _lease(files) > wall_ms()
    if not _let_go(files, time.monotonic() + HOLD_CAP_MS / 1000) or not was_held:
        return 0
    place = files.directory / HOLD_SOCKET
    place.unlink(missing_ok=True)
    asyncio.run(_answer_the_late(place))
    return 0


def _let_go(files: GateFiles, latest: float) -> bool:
    """Waits for the end of the lease and ends the hold; False when a new gate lives and does it itself."""
    while True:
        while time.monotonic() < latest and _lease(files) > wall_ms():
            time.sleep(_LOOK)
        try:
            descriptor = files.lock(timeout=0)
        except BusyError:
            return False
        try:
            if time.monotonic() < latest and _lease(files) > wall_ms():
                continue  # another gate came, held and went since the look
            files.write_hold(held=False)
            return True
        finally:
            os.close(descriptor)


async def _answer_the_late(path: Path) -> None:
    """Every question gets its yes at once; a gate that starts meanwhile takes the path over."""
    mask = os.umask(0o177)
    try:
        room = WaitingRoom()
        server = await asyncio.get_running_loop().create_unix_server(
            lambda: Question(room), path, backlog=4096
        )
    finally:
        os.umask(mask)
    async with server:
        await asyncio.sleep(_LATE)


def _lease(files: GateFiles) -> int:
    """Epoch milliseconds; a state that can not be read holds nobody."""
    try:
        return files.state().hold_until_ms
    except BmswitchError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
