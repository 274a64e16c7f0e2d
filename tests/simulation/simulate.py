"""One simulated switch from a seed: run, kill, freeze, lose, resume or abort, until it has ended; invariants all the time."""

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import msgspec
from tests.simulation import invariants
from tests.simulation.clock import Clock
from tests.simulation.effects import SimWorld
from tests.simulation.faults import Fault, Kind, faults_of
from tests.simulation.invariants import BrokenInvariantError, require
from tests.simulation.notebook import LastLine, Notebook
from tests.simulation.site import LIMITS, SKEW_MS, Site
from tests.simulation.story import line_of
from tests.simulation.world import Killed

from bmswitch.journal.journal import read_journal
from bmswitch.model.errors import BusyError, JournalError, UnknownError
from bmswitch.model.switch import Action, Entry, Observation, Phase, State, fold, may_abort, next_action
from bmswitch.workflows import switch_loop
from bmswitch.workflows.switch_loop import Book, Decide, World, run_switch

LOAD_MS = 60_000
MAX_TURNS = 3_000
"""A life of the real switch takes some hundred."""
Opened = Callable[[Book, Site, bool], None]


class Run(msgspec.Struct):
    """How it went: `outcome` of the switch, and `returned` how its return ended, if there was one. `met` counts the faults that really happened, by phase; `story` is what happened, as sentences."""

    seed: int
    outcome: str
    returned: str
    reason: str
    lives: int
    met: Counter[tuple[Kind, Phase]]
    story: list[str]
    acknowledged: int
    moves: set[tuple[Phase, Phase]]


@dataclass
class Switch:
    """What is tried: the real switch, or one with a part taken out (`mutants.py`)."""

    decide: Decide = next_action
    loop: Callable[[World, Book, Decide], State] = run_switch
    world: type[SimWorld] = SimWorld
    fences: bool = True
    skew: int = SKEW_MS
    opened: Opened = field(default_factory=lambda: opened)
    table: bool = True
    """Invariant 9 is asked too. It would hide what else a mutant breaks."""
    standby: Callable[[Site], None] = Site.standby
    around: Callable[[], AbstractContextManager[object]] = nullcontext


class FoundError(AssertionError):
    """A seed whose run broke an invariant, with its story so far."""

    def __init__(self, seed: int, error: Exception, story: list[str]) -> None:
        super().__init__(f"seed {seed}: {error}\nreplay: .venv/bin/python -m tests.simulation.replay {seed}")
        self.seed = seed
        self.number = error.number if isinstance(error, BrokenInvariantError) else 4
        self.said = str(error)
        self.story = story


def simulate(seed: int, switch: Switch | None = None, faults: list[Fault] | None = None) -> Run:
    """One whole story; `faults` instead of the seed's own.

    Raises:
        FoundError: an invariant is broken.
    """
    clock = Clock(seed)
    if faults is None:
        faults = faults_of(seed, clock.stream("faults"))
    switch = switch or Switch()
    site = Site(clock, faults, fences=switch.fences, skew=switch.skew)
    few_turns = mock.patch.object(switch_loop, "MAX_TURNS", MAX_TURNS)
    with tempfile.TemporaryDirectory(dir=shared_memory()) as folder, switch.around(), few_turns:
        try:
            state, switched, lives = _tried(site, switch, Path(folder) / "journal.ndjson", len(faults))
        except (BrokenInvariantError, JournalError, UnknownError) as error:
            raise FoundError(seed, error, _story(site)) from error
    return Run(
        seed=seed,
        outcome=switched,
        returned=state.outcome if site.returning else "",
        reason=state.reason,
        lives=lives,
        met=site.hand.met,
        story=_story(site),
        acknowledged=site.clients.acknowledged,
        moves=site.moves,
    )


def shared_memory() -> Path | None:
    """A folder that costs no disk, where there is one."""
    place = Path("/dev/shm")  # noqa: S108 -- a private folder is made in it
    return place if place.is_dir() else None


def _tried(site: Site, switch: Switch, path: Path, faults: int) -> tuple[State, str, int]:
    """The switch, in half of all seeds its return, and the end; with the outcome of the switch, and how often it was run."""
    clock = site.clock
    clock.check = invariants.after_event(site)
    site.clients.start(clock.now + LOAD_MS)
    clock.run_for(400)
    state, lives = _leg(site, switch, path, faults)
    switched = state.outcome
    astray = any(node.colour != state.target for node in site.nodes)
    if site.returns and switched == "switched" and not site.target.dead and not astray:
        _turned_round(site, state, switch)
        path = path.with_name("leg-2.ndjson")
        state, more = _leg(site, switch, path, faults)
        lives += more
    clock.run_for(3_000)
    site.hand.put_down()
    state = again(site, path, switch, state)
    site.clients.until = clock.now + 300
    clock.run_for(LIMITS.hold + 1_000)
    for number, broken in invariants.AT_END:
        require(number, broken(site, state))
    return state, switched, lives


def _leg(site: Site, switch: Switch, path: Path, faults: int) -> tuple[State, int]:
    """One direction: as many lives as it needs."""
    clock, chance = site.clock, site.clock.stream("lives of the return" if site.returning else "lives")
    state, life = State(), 0
    for life in range(faults + 2):
        abort, pause = life > 0 and chance.chance(0.4), chance.choice((50, 400, 2500, 6000))
        state = live(site, path, switch, fresh=life == 0, abort=abort)
        clock.run_for(chance.between(0, pause))
        if state.outcome in ("switched", "aborted"):
            break
    return state, life + 1


def _turned_round(site: Site, state: State, switch: Switch) -> None:
    """The standby is made: at once, as a rehearsal does, or when clients have written to the new side for a while."""
    clock, chance = site.clock, site.clock.stream("turning round")
    require(7, invariants.said_is_so(site, state))
    clock.run_for(chance.choice((0, 0, 500, 3000)))
    site.turn_round()
    clock.run_for(chance.between(200, 1500))
    switch.standby(site)
    clock.run_for(chance.choice((50, 400, 2000)))


def again(site: Site, path: Path, switch: Switch, before: State) -> State:
    """4. Running again from the end of the journal ends in the same state, and touches nothing."""
    touched = [(node.colour, node.fence) for node in site.nodes]
    state = live(site, path, switch, fresh=False, abort=False)
    if before.outcome in ("switched", "aborted"):
        same = state.outcome == before.outcome
        require(4, "" if same else f"{before.outcome}, and {state.outcome} when run again")
        untouched = touched == [(node.colour, node.fence) for node in site.nodes]
        require(4, "" if untouched else "running again after the end touched a proxy")
    return state


def live(site: Site, path: Path, switch: Switch, *, fresh: bool, abort: bool) -> State:
    """One life of the runner: opens the journal, goes on where it stands (or turns back), runs until its end or death."""
    world = switch.world(site, fresh=fresh)
    journal = Notebook(path, site, world)

    def second() -> None:
        turns_back = site.clock.stream(f"second{site.era}").chance(0.4)
        live(site, path, switch, fresh=False, abort=turns_back)

    world.second = second
    world.permit = journal.check
    book = Book(journal, world, teller(site, world))
    site.state = book.state
    try:
        switch.opened(book, site, abort)
        return switch.loop(LastLine(world, path), book, stoppable(switch, world))
    except (Killed, BusyError, JournalError):
        on_disk = read_journal(path)[0]
        if not world.overtaken:
            require(4, invariants.memory_is_journal(on_disk, book.state))
        return fold(on_disk) or State()
    finally:
        site.awake_since = 0
        journal.close()


def opened(book: Book, site: Site, abort: bool) -> None:  # noqa: FBT001 -- mutants take its place
    """What the command does before the loop: start, resume, or turn back where that loses nothing."""
    state = book.state
    if not state.attempt:
        fence = 1 + max(0 if node.deaf else node.fence for node in site.nodes)
        book.write(Entry(kind="start", fence=fence, source=site.serving, limits=LIMITS, powers=site.powers))
        return
    if state.outcome in ("switched", "aborted"):
        return
    book.write(Entry(kind="resume", fence=state.fence + 1, phase=state.phase))
    if abort and state.goal == "switch" and may_abort(book.state, site.clock.now):
        said = "asked by the operator"
        book.write(Entry(kind="abort", fence=book.state.fence + 1, phase="aborting", said=said))


def teller(site: Site, world: SimWorld) -> Callable[[Entry, State], None]:
    """After each line: the site knows, invariants are asked, and the runner may be killed."""

    def tell(entry: Entry, state: State) -> None:
        site.turned(entry, state)
        if said := line_of(entry):
            site.say(said)
        for number, broken in invariants.EACH_LINE:
            require(number, broken(site, entry, state))
        if entry.kind == "effect" and (fault := site.hand.due(("crash-after-journal",), state.phase)):
            world.kill(fault)

    return tell


def stoppable(switch: Switch, world: SimWorld) -> Decide:
    """Every decision, its transition checked. Ctrl-C turns back where that loses nothing, and is passed over where it would (as the command does)."""

    def decided(state: State, seen: Observation) -> Action:
        asked = world.asked_to_stop and state.goal == "switch" and not state.outcome
        if asked and may_abort(state, seen.now_ms):
            action = Action(do="abort", phase="aborting", said="stopped by the operator")
        else:
            action = switch.decide(state, seen)
        if switch.table and not state.outcome:
            require(9, invariants.guarded(state, seen, action))
        return action

    return decided


def _story(site: Site) -> list[str]:
    begun = site.chronicle[0][0] if site.chronicle else 0
    return [f"{(at - begun) / 1000:8.3f} s  {said}" for at, said in site.chronicle]
