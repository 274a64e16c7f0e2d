"""Files that are replaced in one step: a reader sees the old content or the new one, never half of it."""

import os
from collections.abc import Iterable
from pathlib import Path


def replace_file(
    path: Path, content: bytes | Iterable[bytes], *, durable: bool = True, mode: int = 0o600
) -> None:
    """Writes a temporary file beside `path` and renames it; `durable` also waits until both are on the disk.

    Raises:
        OSError: the old content, or none, is then still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines([content] if isinstance(content, bytes) else content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
