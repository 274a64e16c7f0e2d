"""A list of what was done, appended line by line and flushed to the disk before each effect; the CRC32 is each line's last key."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bmswitch.journal.lines import encode
from bmswitch.model.errors import JournalError


class Notes:
    """One open file; made (0600) when missing. Raises JournalError when it can not be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, note: msgspec.Struct) -> None:
        """On the disk when this returns."""
        try:
            os.write(self._file, encode(note))
            os.fdatasync(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> JournalError:
        return JournalError(f"{self.path} can not be written", evidence=str(error))
