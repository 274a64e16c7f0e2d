"""Files and sockets that a proxy reads, and the clock that they agree on."""

import os
import time
from pathlib import Path

from bmswitch import files
from bmswitch.model.errors import ConfigError

_SOCKET_PATH_LIMIT = 107  # bytes, sockaddr_un of Linux without its closing zero


def replace_file(path: Path, content: str, *, durable: bool = True, mode: int = 0o644) -> None:
    """`files.replace_file` for what a proxy reads, which often runs as another user."""
    files.replace_file(path, content.encode(), durable=durable, mode=mode)


def socket_path(path: Path) -> str:
    """The path as text, if a unix socket can have it.

    Raises:
        ConfigError: longer than the 107 bytes that Linux allows.
    """
    text = str(path)
    if len(os.fsencode(text)) > _SOCKET_PATH_LIMIT:
        raise ConfigError(
            f"the path {text} is too long for a unix socket",
            evidence=f"{len(os.fsencode(text))} bytes, {_SOCKET_PATH_LIMIT} are allowed",
            next_command="use a shorter folder for the proxy's files",
        )
    return text


def wall_ms() -> int:
    """Epoch milliseconds: leases are agreed on in them, between processes."""
    return time.time_ns() // 1_000_000
