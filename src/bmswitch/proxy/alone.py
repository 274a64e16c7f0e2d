"""One writer at a time: a lock beside the file that a proxy reads."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bmswitch.model.errors import UnreachableError

_LOOK: Final = 0.01


@contextlib.contextmanager
def alone(file: Path, timeout: float) -> Iterator[None]:
    """Nobody else changes `file` meanwhile, as long as everybody asks here.

    Raises:
        UnreachableError: another process keeps the lock for `timeout` seconds, or it can not be opened.
    """
    path = file.with_name(file.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnreachableError(f"the lock {path} can not be opened", evidence=str(error)) from error
    try:
        _take(descriptor, path, timeout)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise UnreachableError(f"another process keeps the lock {path}") from None
            time.sleep(_LOOK)
        else:
            return
