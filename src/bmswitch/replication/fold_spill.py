"""Writes of items that do not fit into memory: an SQLite file in the order of items and records, read once, in that order.

The file has no name, keeps no journal and is never synced: it is worth nothing after a crash, and nobody looks at it then.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

_CACHE_KIB = 16_384
_ROWS = 10_000
_TABLE = "CREATE TABLE w (item BLOB, number INTEGER, run BLOB, may_go INTEGER, PRIMARY KEY (item, number)) WITHOUT ROWID"
_NEEDLESS = (
    "SELECT number FROM (SELECT number, run, may_go, lead(run) OVER (PARTITION BY item ORDER BY number) AS next FROM w)"
    " WHERE run = next AND may_go"
)


class Spill:
    """Rows of (item, number of the record, run, whether it may be left out). Raises sqlite3.Error when the disk is full."""

    def __init__(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            self._base = sqlite3.connect(file.name, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                self._base.execute(f"PRAGMA {pragma}").fetchall()
            self._base.execute(_TABLE)
        self._rows: list[tuple[bytes, int, bytes | None, bool]] = []

    def add(self, item: bytes, number: int, run: bytes | None, *, may_go: bool) -> None:
        """Keeps one write; the same one may come twice."""
        self._rows.append((item, number, run, may_go))
        if len(self._rows) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Puts waiting rows into the file; in their order, so that each page is touched once."""
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT OR REPLACE INTO w VALUES (?, ?, ?, ?)", sorted(self._rows, key=itemgetter(0, 1))
        )
        self._base.execute("COMMIT")
        self._rows = []

    def needless(self) -> Iterator[int]:
        """Numbers of records whose next write to the same item has the same run."""
        self.flush()
        for (number,) in self._base.execute(_NEEDLESS):
            yield number

    def close(self) -> None:
        """Gives the disk back."""
        self._base.close()
