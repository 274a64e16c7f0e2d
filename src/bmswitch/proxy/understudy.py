"""Ends a hold on time when the gate has died: the second half of the watchdog, a process of its own.

The gate starts it, waits for one byte on its standard output and keeps the other end of its standard input open. End of file means that the gate is gone,
however it went. Then Envoy's held requests, which it asks about again at once, wait here; at the end of the lease the understudy lets everything go,
unless a new gate has the lock and does that itself. It runs once: `python -m bmswitch.proxy.understudy DIR`.
"""

import asyncio
import os
import signal
import socket
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
_GONE: Final = 0.5  # seconds within which a dead gate has lost its lock
_LATE: Final = 2.0  # seconds for which a question that comes after the end is answered


def main() -> int:
    """Returns 0 in each case: there is nobody to tell."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # who stops a whole service must not make a hold last
    os.write(1, b"!")  # ready: the gate waits for it
    os.close(1)
    while os.read(0, 1):
        pass
    files = GateFiles(Path(sys.argv[1]))
    door = _open_door(files)
    if door is not None:
        asyncio.run(_stand_in(files, door, time.monotonic() + HOLD_CAP_MS / 1000))
    return 0


def _open_door(files: GateFiles) -> socket.socket | None:
    """Where Envoy asks from now on; None when a new gate is there already.

    Under the lock: a gate that starts afterwards puts its own socket there, and is never robbed of it. The kernel closes
    a dead gate's files one after the other: the pipe may end before the lock does.
    """
    try:
        descriptor = files.lock(timeout=_GONE)
    except BusyError:
        return None
    mask = os.umask(0o177)
    try:
        path = files.directory / HOLD_SOCKET
        path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(str(path))
        return door
    finally:
        os.umask(mask)
        os.close(descriptor)


async def _stand_in(files: GateFiles, door: socket.socket, latest: float) -> None:
    """Keeps what is held until the lease ends, by whomever; then lets it go, and whoever asks late."""
    room = WaitingRoom(spread=_spread(files))
    if _lease(files) > wall_ms():
        room.close()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Question(room), sock=door, backlog=4096)
    async with server:
        while not _let_go(files, latest):  # noqa: ASYNC110 -- other processes are looked at: they send no event
            await asyncio.sleep(_LOOK)
        room.open()
        late = time.monotonic() + _LATE
        while room.waiting or time.monotonic() < late:  # noqa: ASYNC110 -- the same
            await asyncio.sleep(_LOOK)


def _let_go(files: GateFiles, latest: float) -> bool:
    """True when the hold is over: ended here, or by a new gate. One that lives ends the hold of TCP itself."""
    if time.monotonic() < latest and _lease(files) > wall_ms():
        return False
    try:
        descriptor = files.lock(timeout=0)
    except BusyError:
        return True
    try:
        if time.monotonic() < latest and _lease(files) > wall_ms():
            return False  # another gate came, held and went since the look
        files.write_hold(held=False)
        return True
    finally:
        os.close(descriptor)


def _lease(files: GateFiles) -> int:
    """Epoch milliseconds; a state that can not be read holds nobody."""
    try:
        return files.state().hold_until_ms
    except BmswitchError:
        return 0


def _spread(files: GateFiles) -> float:
    """Seconds for a release."""
    try:
        return files.config().spread_ms / 1000
    except BmswitchError:
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
