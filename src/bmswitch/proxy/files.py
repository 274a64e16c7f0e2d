"""Files that are replaced in one step: a reader sees the old content or the new one, never half of it."""

import os
from pathlib import Path

from bmswitch.model.errors import ConfigError

_SOCKET_PATH_LIMIT = 107  # bytes, sockaddr_un of Linux without its closing zero


def replace_file(path: Path, content: str, *, durable: bool = True, mode: int = 0o644) -> None:
    """Writes a temporary file beside `path` and renames it; `durable` also waits until both are on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        if durable:
            os.fsync(stream.fileno())
    os.replace(temporary, path)  # noqa: PTH105 -- the rename is the point, said in the words of the system call
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
