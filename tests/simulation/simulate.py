"""One simulated switch from a seed: run, kill, stop, lose, resume or abort, until it has ended; invariants all the time.

Replay a failing seed: `python -m tests.simulation.simulate SEED`, with a mutant's name after it if one was used.
"""

import sys
import tempfile
from pathlib import Path

import msgspec
from tests.simulation.clock import Clock
from tests.simulation.world import Faults, Killed, SimWorld, Site

from bmswitch.journal.journal import Journal, read_journal
from bmswitch.model.config import Colour
from bmswitch.model.errors import UnknownError
from bmswitch.model.switch import Entry, Limits, State, fold, may_abort, next_action
from bmswitch.workflows.switch_loop import Book, Decide, run_switch

LIMITS = Limits(soak=100, restart=4000, latch=3000)
LIVES = 5
LOAD_MS = 40_000


class BrokenInvariantError(AssertionError):
    """An invariant does not hold; the text says which and when."""


class Run(msgspec.Struct):
    """How it went. `story` has one line per journal entry."""

    seed: int
    outcome: str
    reason: str
    lives: int
    hold_ms: int
    story: list[str]


class Checker:
    """Invariants 1, 2, 3, 6 and 7 of `model.switch`, on the twins' own truth."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def always(self) -> None:
        """After each event."""
        blue, green = self.site.blue, self.site.green
        if blue.leads() and green.leads():
            raise BrokenInvariantError("1: both sides accept writes")
        routed = {node.colour for node in self.site.nodes if not node.holding()}
        if routed == {"blue", "green"} and blue.accepts(plain=False) and green.accepts(plain=False):
            raise BrokenInvariantError("1: clients reach both sides and both accept writes")

    def at_end(self, state: State, entries: list[Entry]) -> None:
        """When nothing is under way any more."""
        self._waits()
        self._proof(entries)
        routed = {node.colour for node in self.site.nodes}
        if state.outcome == "switched":
            self._serves("green", routed, state)
        elif state.outcome == "aborted":
            self._serves("blue", routed, state)
        elif state.outcome != "unknown":
            raise BrokenInvariantError(f"4: the run ended as {state.outcome!r}")

    def _proof(self, entries: list[Entry]) -> None:
        """Green was promoted only after a proof that states its position, and had restored everything by then."""
        proved = False
        for entry in entries:
            if entry.verb == "prove" and entry.result is not None and entry.result.answer == "yes":
                proved = entry.result.facts.get("position", 0) != 0
            if entry.verb == "promote-green" and entry.kind == "intent" and not proved:
                raise BrokenInvariantError("6: promoted without a proof for a stated position")
        if self.site.promoted_with and self.site.promoted_with[0] != self.site.promoted_with[1]:
            raise BrokenInvariantError("6: promoted before green had restored the whole log")

    def _serves(self, side: Colour, routed: set[Colour], state: State) -> None:
        core = self.site.blue if side == "blue" else self.site.green
        if routed != {side} or any(node.holding() for node in self.site.nodes):
            raise BrokenInvariantError(f"7: said to be on {side}, but the proxies point at {sorted(routed)}")
        breach_told = state.outcome == "switched" and state.reason.startswith("soak")
        if not core.leads() and not (core.dead and breach_told):
            raise BrokenInvariantError(f"7: said to be on {side}, which is {core.seen}")
        clients = self.site.clients
        lost = sorted(name for name in clients.ledger if name not in core.store)
        if not self.site.powers.stop:
            # A demoted core that can not be stopped still takes unfenced writes once a hold has lapsed: docs/switch.md.
            lost = [name for name in lost if name not in clients.unfenced]
        if lost:
            raise BrokenInvariantError(
                f"2: {len(lost)} acknowledged writes are not on {side}, the first: {lost[0]}"
            )

    def _waits(self) -> None:
        clients = self.site.clients
        twice = [name for name, times in clients.answered.items() if times != 1]
        if twice:
            raise BrokenInvariantError(f"3: {twice[0]} was answered {clients.answered[twice[0]]} times")
        longest = max(node.longest_wait for node in self.site.nodes)
        if longest > LIMITS.hold + 200:
            raise BrokenInvariantError(f"3: a request was held for {longest} ms")


def faults_of(clock: Clock, *, calm: bool = False) -> Faults:
    """What goes wrong in this life; most lives have one or two troubles."""
    if calm:
        return Faults()
    pick = clock.chance
    return Faults(
        kill_at=clock.random.randrange(1, 700) if pick(0.5) else -1,
        stop_at=clock.random.randrange(1, 700) if pick(0.3) else -1,
        stop_ms=clock.between(300, 8000),
        jump_at=clock.random.randrange(1, 700) if pick(0.05) else -1,
        lost=clock.random.choice((0.0, 0.0, 0.1, 0.3)),
        deaf=clock.random.choice((0.0, 0.0, 0.0, 0.003)),
        slow=clock.random.choice((1.0, 1.0, 3.0)),
        green_dies_at=clock.random.randrange(1, 700) if pick(0.08) else -1,
    )


def simulate(seed: int, decide: Decide = next_action, folder: Path | None = None) -> Run:
    """One whole story.

    Raises:
        BrokenInvariantError: with the seed and how to replay it in its text.
    """
    with tempfile.TemporaryDirectory(dir=folder or shared_memory()) as made:
        try:
            return _simulate(seed, decide, Path(made) / "journal.ndjson")
        except (BrokenInvariantError, UnknownError) as error:
            raise BrokenInvariantError(
                f"seed {seed}: {error}\nreplay: python -m tests.simulation.simulate {seed}"
            ) from error


def shared_memory() -> Path | None:
    """A folder that costs no disk, where there is one."""
    place = Path("/dev/shm")  # noqa: S108 -- a private folder is made in it
    return place if place.is_dir() else None


def _simulate(seed: int, decide: Decide, path: Path) -> Run:
    clock = Clock(seed)
    site = Site(clock)
    checker = Checker(site)
    clock.check = checker.always
    site.clients.start(clock.now + LOAD_MS)
    clock.run_until(clock.now + 500)
    calm = clock.chance(0.1)
    state = State()
    lives = 0
    for life in range(LIVES):
        lives = life + 1
        faults = faults_of(clock, calm=calm or life == LIVES - 1)
        state = live(site, path, faults, decide, abort=life > 0 and clock.chance(0.4))
        clock.run_until(clock.now + (clock.between(0, 400) if clock.chance(0.5) else clock.between(0, 6000)))
        if state.outcome in ("switched", "aborted"):
            break
    clock.run_until(clock.now + 3_000)
    state = again(site, path, state, decide)
    site.clients.until = clock.now + 1_000
    clock.run_until(clock.now + LIMITS.hold + 3_000)
    checker.at_end(state, read_journal(path)[0])
    if state.outcome == "unknown" and not site.green.dead and site.powers.stop:
        raise BrokenInvariantError(f"4: nothing is broken any more and yet: {state.reason}")
    held = state.entered.get("soak", 0) - state.entered.get("hold", 0)
    return Run(seed, state.outcome, state.reason, lives, max(held, 0), story(path))


def again(site: Site, path: Path, before: State, decide: Decide) -> State:
    """Invariant 4: the same end once more changes nothing."""
    touched = [(node.colour, node.fence) for node in site.nodes]
    state = live(site, path, Faults(), decide, abort=False)
    if before.outcome in ("switched", "aborted"):
        if state.outcome != before.outcome:
            raise BrokenInvariantError(f"4: {before.outcome}, and {state.outcome} when run again")
        if touched != [(node.colour, node.fence) for node in site.nodes]:
            raise BrokenInvariantError("4: running again after the end touched a proxy")
    return state


def live(site: Site, path: Path, faults: Faults, decide: Decide, *, abort: bool) -> State:
    """One life of the runner: opens the journal, goes on where it stands (or turns back), runs until its end or its death."""
    world = SimWorld(site, faults)
    journal = Journal(path, durable=False)
    try:
        book = Book(journal, world, lambda _entry, _state: None)
        opened(book, site, abort=abort)
        return run_switch(world, book, decide)
    except Killed:
        if site.clock.chance(0.3):
            with path.open("ab") as file:
                file.write(b'{"seq":99,"torn')
        return fold(journal.entries) or State()
    finally:
        journal.close()


def opened(book: Book, site: Site, *, abort: bool) -> None:
    """What the command does before the loop: start, resume, or turn back where that loses nothing."""
    state = book.state
    if not state.attempt:
        book.write(Entry(kind="start", fence=1, limits=LIMITS, powers=site.powers))
        return
    if state.outcome in ("switched", "aborted"):
        return
    book.write(Entry(kind="resume", fence=state.fence + 1, phase=state.phase))
    if abort and state.goal == "switch" and may_abort(book.state, site.clock.now):
        book.write(
            Entry(kind="abort", fence=book.state.fence + 1, phase="aborting", said="asked by the operator")
        )


def story(path: Path) -> list[str]:
    """The journal in short, times relative to its first line."""
    entries, _ = read_journal(path)
    return [_line(entry, entries[0].at_ms) for entry in entries]


def _line(entry: Entry, begun: int) -> str:
    said = f"{entry.result.answer} {entry.result.said}" if entry.result else entry.said
    return (
        f"{entry.at_ms - begun:6d} {entry.fence:2d} {entry.kind:7s} {entry.phase:9s} {entry.verb:14s} {said}"
    )


def main(arguments: list[str]) -> int:
    """Replays one seed and prints its story."""
    from tests.simulation.mutants import MUTANTS  # noqa: PLC0415 -- only for replays

    decide = MUTANTS[arguments[1]] if len(arguments) > 1 else next_action
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "journal.ndjson"
        try:
            run = _simulate(int(arguments[0]), decide, path)
        except (BrokenInvariantError, UnknownError) as error:
            sys.stdout.write("\n".join(story(path)) + f"\nbroken: {error}\n")
            return 1
        sys.stdout.write("\n".join(run.story) + f"\n{run.outcome}: {run.reason}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
