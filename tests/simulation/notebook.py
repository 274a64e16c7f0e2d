"""The real journal on a disk that can fill up, and a look at what is really on it when an effect begins."""

import os
from pathlib import Path

from tests.simulation.effects import SimWorld
from tests.simulation.invariants import journal_comes_first, require
from tests.simulation.site import Site

from bmswitch.journal.journal import Journal
from bmswitch.journal.lines import DamageError, decode
from bmswitch.model.switch import VERBS, Action, Entry, Observation, Result, State, Verb


class Notebook(Journal):
    """A journal whose lines may be torn: by a crash in the middle of one, or by a full disk."""

    def __init__(self, path: Path, site: Site, world: SimWorld) -> None:
        super().__init__(path, durable=False)
        self._site = site
        self._world = world
        self._phase = self._site.state.phase

    def append(self, entry: Entry, at_ms: int, *, flush: bool = True) -> Entry:
        """As the journal."""
        self._phase = entry.phase
        return super().append(entry, at_ms, flush=flush)

    def _write(self, line: bytes, *, flush: bool) -> None:
        fault = self._site.hand.due(("crash-writing", "journal-error"), self._phase)
        if fault is None:
            super()._write(line, flush=flush)
            return
        os.write(self._file, line[: len(line) // 2])
        if fault.kind == "crash-writing":
            self._world.kill(fault)
        self._site.say_fault(fault)
        raise OSError(28, "No space left on device")


class LastLine:
    """The runner's world, which also looks at the disk whenever an effect begins."""

    def __init__(self, world: SimWorld, path: Path) -> None:
        self._world = world
        self._path = path
        self.now_ms = world.now_ms
        self.pause = world.pause

    def look(self, state: State) -> Observation:
        """As the world."""
        return self._world.look(state)

    def finished(self) -> list[tuple[Verb, Result]]:
        """As the world."""
        return self._world.finished()

    def begin(self, action: Action, state: State) -> None:
        """4. The journal comes first."""
        require(4, journal_comes_first(self._world.site, VERBS[action.do], self._last()))
        self._world.begin(action, state)

    def _last(self) -> Entry | None:
        lines = self._path.read_bytes().rsplit(b"\n", 2)
        try:
            return decode(lines[-2]) if lines[-1] == b"" else None
        except (DamageError, IndexError):
            return None
