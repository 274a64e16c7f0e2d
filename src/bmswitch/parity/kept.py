"""What a full proof has read so far, on disk: after a kill it goes on behind the last entry whose line is whole.

One line for each entry that was read, with its figures and suspects; it is written once the bodies that the entry's mails name
were looked for, so a line needs no guids. A torn or changed line, and all behind it, is read again.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bmswitch.model.differences import Place
from bmswitch.model.digest import Print
from bmswitch.model.proof import Position
from bmswitch.parity.bodies import Checked
from bmswitch.parity.sealed import sealed, whole_lines
from bmswitch.parity.seen import Seen, Tally


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof is of; one that differs in anything but position and start does not belong to us."""

    plan_id: str
    versions: tuple[str, str]
    bodies: int
    position: Position
    started: float

    def same(self, other: "Header") -> bool:
        """True when the other proof can be gone on with."""
        mine = (self.plan_id, self.versions, self.bodies)
        return mine == (other.plan_id, other.versions, other.bodies)


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """One item that was not the same; `digest` as 32 hex characters, empty when the source has no such item."""

    place: Place
    uid: str
    signals: tuple[tuple[str, int | str | None], ...] = ()
    digest: str = ""
    ids: frozenset[int] = frozenset()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that was read."""

    domain: str
    owner: str
    tallies: dict[str, tuple[int, int]]
    containers: int
    items: int
    overflow: int
    suspects: list[Suspect]
    skipped: list[str] = []


Entry = tuple[str, str]


class Kept:
    """The file of one proof. `seen` and `done` hold what an earlier run has read; use from one thread."""

    def __init__(self, path: Path, header: Header, *, fresh: bool = False) -> None:
        self._path = path
        self.header = header
        self.seen = Seen()
        self.done: set[Entry] = set()
        self.skipped: set[str] = set()
        self.checked = Checked()
        self._waiting: list[Line] = []
        whole = 0 if fresh else self._load()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            os.write(self._file, sealed(header))

    def read(self, domain: str, owner: str, seen: Seen, skipped: set[str]) -> None:
        """An entry was read; it counts once it was cut and committed."""
        self._waiting.append(
            Line(
                domain=domain,
                owner=owner,
                tallies={name: (tally.places, tally.items) for name, tally in seen.tallies.items()},
                containers=seen.containers,
                items=seen.items,
                overflow=seen.overflow,
                suspects=list(_suspects(seen)),
                skipped=sorted(skipped),
            )
        )

    def cut(self) -> list[Line]:
        """The entries read since the last call: their bodies are named by now, and can be looked for."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def commit(self, lines: list[Line], checked: Checked) -> None:
        """The bodies of these entries were looked for: their lines go to the disk."""
        if not lines:
            return
        os.write(self._file, b"".join(map(sealed, lines)) + sealed(checked))
        os.fdatasync(self._file)

    def close(self, *, ended: bool) -> None:
        """Closes the file; a proof that ended needs it no more."""
        os.close(self._file)
        if ended:
            self._path.unlink(missing_ok=True)

    def _load(self) -> int:
        """Takes over what is whole and ours; the length of it in bytes, 0 for nothing."""
        try:
            raw = self._path.read_bytes()
        except OSError:
            return 0
        lines = whole_lines(raw)
        try:
            first, length = next(lines)
            header = msgspec.json.decode(first, type=Header)
        except (StopIteration, msgspec.DecodeError):
            return 0
        if not header.same(self.header):
            return 0
        self.header = header
        waiting, whole = list[Line](), length
        for text, end in lines:
            try:
                checked = msgspec.json.decode(text, type=Checked) if b'"tallies"' not in text else None
                if checked is None:
                    waiting.append(msgspec.json.decode(text, type=Line))
                    continue
            except msgspec.DecodeError:
                break
            self._take(waiting, checked)
            waiting, whole = [], end
        return whole

    def _take(self, lines: list[Line], checked: Checked) -> None:
        self.checked = checked
        for line in lines:
            self.done.add((line.domain, line.owner))
            self.skipped.update(line.skipped)
            self.seen.merge(_seen(line))


def _seen(line: Line) -> Seen:
    seen = Seen(containers=line.containers, items=line.items, overflow=line.overflow)
    seen.tallies = {name: Tally(places, items) for name, (places, items) in line.tallies.items()}
    for one in line.suspects:
        printed = Print(one.signals, int(one.digest, 16)) if one.digest else None
        seen.suspects.setdefault(one.place, {})[one.uid] = (printed, one.ids)
    return seen


def _suspects(seen: Seen) -> Iterator[Suspect]:
    for place, items in seen.suspects.items():
        for uid, (printed, ids) in items.items():
            yield Suspect(
                place=place,
                uid=uid,
                signals=printed.signals if printed else (),
                digest=f"{printed.digest:032x}" if printed else "",
                ids=ids,
            )
