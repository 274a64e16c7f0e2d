"""The runner of the switch: look, decide, journal, act, and again. It knows no policy; the model knows no I/O."""

from collections.abc import Callable
from typing import Protocol

from bmswitch.journal.journal import Journal
from bmswitch.model.errors import UnknownError
from bmswitch.model.switch import (
    Action,
    Entry,
    Observation,
    Result,
    State,
    Verb,
    apply,
    entry_of,
    fold,
    next_action,
)

MAX_TURNS = 100_000
"""Bound of the loop; deadlines end it long before."""

_ONLY_TOLD = frozenset({"effect", "phase", "note"})
"""Lines before which nothing has to be on the disk, as no effect follows them directly."""

Decide = Callable[[State, Observation], Action]
Tell = Callable[[Entry, State], None]


class World(Protocol):
    """Reality as the runner sees it; the real one is `workflows.effects`, the simulated one is in the tests."""

    def now_ms(self) -> int:
        """The run's clock."""

    def look(self, state: State) -> Observation:
        """What is so now, as far as the state's phase needs it; bounded."""

    def begin(self, action: Action, state: State) -> None:
        """Starts an effect and returns at once; it is `running` until its answer was taken from `finished`."""

    def finished(self) -> list[tuple[Verb, Result]]:
        """Effects that have answered since the last call."""

    def pause(self, state: State) -> None:
        """Returns after a moment, or as soon as an effect has answered."""


class Book:
    """The journal and the state that it folds to, kept together: what is not written does not count."""

    def __init__(self, journal: Journal, world: World, tell: Tell) -> None:
        self._journal = journal
        self._world = world
        self._tell = tell
        self.state = fold(journal.entries) or State()

    def write(self, entry: Entry) -> None:
        """One line; then the state moves on.

        What stands before an effect is on the disk when this returns. An answer goes there with the next such line: if the
        machine loses it, the effect counts as unanswered, as after a crash a moment earlier.
        """
        written = self._journal.append(entry, self._world.now_ms(), flush=entry.kind not in _ONLY_TOLD)
        if entry.kind == "start":
            self.state = fold([written]) or self.state
        else:
            self.state = apply(self.state, written)
        self._tell(written, self.state)


def run_switch(world: World, book: Book, decide: Decide = next_action) -> State:
    """Carries the open attempt of the journal to an end.

    Raises:
        JournalError: nothing can be written any more; holds end by their own lease.
    """
    for _ in range(MAX_TURNS):
        for verb, result in world.finished():
            book.write(
                Entry(kind="effect", phase=book.state.phase, verb=verb, result=result, fence=book.state.fence)
            )
        action = decide(book.state, world.look(book.state))
        if action.do == "wait":
            if action.phase != book.state.phase:
                book.write(entry_of(action, book.state.fence))
            else:
                world.pause(book.state)
            continue
        if action.do != "end" or not book.state.outcome:
            book.write(entry_of(action, book.state.fence))
        if action.do == "end":
            return book.state
        if action.do not in ("abort", "onward"):
            world.begin(action, book.state)
            world.pause(book.state)
    raise UnknownError("the switch came to no end", next_command="bmswitch cutover --abort")
