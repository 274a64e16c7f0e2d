"""Wrong switches, each with one safety taken out: the simulation is only worth something if it finds them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from unittest import mock

import msgspec
from tests.simulation import simulate
from tests.simulation.effects import SimWorld
from tests.simulation.faults import Kind
from tests.simulation.simulate import Switch, opened
from tests.simulation.site import LIMITS, Site

from bmswitch.journal.journal import Journal
from bmswitch.model.switch import (
    Action,
    Entry,
    Observation,
    Result,
    State,
    Verb,
    back,
    entry_of,
    forward,
    next_action,
)
from bmswitch.model.switch.forward import Step
from bmswitch.workflows import switch_loop
from bmswitch.workflows.switch_loop import Book, Decide, World, run_switch


@dataclass
class Mutant:
    """A wrong switch, and the invariants of which it must break one. Seeds with faults of `shown_by` are tried first."""

    breaks: tuple[int, ...]
    switch: Switch
    shown_by: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        self.switch.table = 9 in self.breaks


def _without(*names: str) -> Switch:
    steps = tuple(step for step in forward.STEPS if step.__name__ not in names)
    return Switch(decide=lambda state, seen: next_action(state, seen, steps))


def _back(*steps: Step) -> Switch:
    return _patched(back, "STEPS", steps)


def _patched(module: object, name: str, value: object) -> Switch:
    def decide(state: State, seen: Observation) -> Action:
        with mock.patch.object(module, name, value):
            return next_action(state, seen)

    return Switch(decide=decide)


def _before(early: Step, later: Step) -> Switch:
    steps = [step for step in forward.STEPS if step is not early]
    steps.insert(steps.index(later), early)
    return Switch(decide=lambda state, seen: next_action(state, seen, tuple(steps)))


def _never_lapsed(state: State, seen: Observation) -> Action:
    """A hold that has run out is taken for one that stands."""
    with (
        mock.patch.object(forward, "hold_lapsed", return_value=False),
        mock.patch.object(forward, "held_everywhere", return_value=True),
        mock.patch.object(back, "hold_lapsed", return_value=False),
        mock.patch.object(State, "in_force", lambda self, _now: self.hold_until_ms > 0),
    ):
        return next_action(state, seen)


def _hold_for_ever(state: State, seen: Observation) -> Action:
    """The lease is renewed beyond the budget."""
    far = msgspec.structs.replace(state.limits, hold=60_000)
    return next_action(msgspec.structs.replace(state, limits=far), seen)


def _unknown_is_done(state: State, seen: Observation) -> Action:
    """What did not answer is taken for done."""
    believed = {
        verb: msgspec.structs.replace(result, answer="yes") if result.answer == "unknown" else result
        for verb, result in state.results.items()
    }
    return next_action(msgspec.structs.replace(state, results=believed), seen)


def _proof_is_yes(state: State, seen: Observation) -> Action:
    """Whatever the proof says, it is taken for equal."""
    believed = {
        verb: msgspec.structs.replace(result, answer="yes") if verb == "prove" else result
        for verb, result in state.results.items()
    }
    return next_action(msgspec.structs.replace(state, results=believed), seen)


class _Trusting(SimWorld):
    """Green's word for the promotion is enough: nothing is read back."""

    def promotion(self) -> Result:
        return Result(answer="yes")


class _OldProof(SimWorld):
    """A proof is given without waiting for green to have what it is for."""

    def _prove(self, verb: Verb, _action: Action, _state: State) -> None:
        position = self.site.log.position()
        self.clock.after(20, lambda: self._answer(verb, Result(answer="yes", facts={"position": position})))


class _NoPosition(SimWorld):
    """A proof that does not say for which position."""

    def _answer(self, verb: Verb, result: Result) -> None:
        super()._answer(verb, msgspec.structs.replace(result, facts={}))


class _CountsRequestsOnly(SimWorld):
    """The drain does not wait for kept sessions."""

    def is_quiet(self, state: State) -> bool:
        return self.site.clients.on(state.source) == len(self.site.clients.kept(state.source))


def _journal_last(world: World, book: Book, decide: Decide) -> State:
    """The loop with its two halves changed: the effect begins, then its line is written."""
    for _ in range(switch_loop.MAX_TURNS):
        for verb, result in world.finished():
            book.write(
                Entry(kind="effect", phase=book.state.phase, verb=verb, result=result, fence=book.state.fence)
            )
        action = decide(book.state, world.look(book.state))
        if action.do in ("wait", "end", "abort", "onward"):
            if action.do != "wait":
                book.write(entry_of(action, book.state.fence))
            if action.do == "end":
                return book.state
        else:
            world.begin(action, book.state)
            book.write(entry_of(action, book.state.fence))
        world.pause(book.state)
    raise AssertionError("no end")


def _remembers() -> Switch:
    """A resumed process goes on with what was seen before, without looking at reality."""
    last: dict[str, Observation] = {}

    class Remembering(SimWorld):
        def look(self, state: State) -> Observation:
            seen = super().look(state)
            if self.fresh or not last:
                last["seen"] = seen
            return msgspec.structs.replace(last["seen"], now_ms=seen.now_ms, running=seen.running)

    return Switch(world=Remembering)


def _keeps_its_state(world: World, book: Book, decide: Decide) -> State:
    """Answers count in memory before they are on the disk."""
    finished = world.finished

    def early() -> list[tuple[Verb, Result]]:
        ready = finished()
        for verb, result in ready:
            book.state = msgspec.structs.replace(book.state, results={**book.state.results, verb: result})
        return ready

    with mock.patch.object(world, "finished", early):
        return run_switch(world, book, decide)


def _same_fence(book: Book, site: Site, abort: bool) -> None:  # noqa: FBT001 -- as `opened`
    """A new process goes on with the old one's fence number."""
    write = book.write

    def lower(entry: Entry) -> None:
        kept = entry.kind in ("resume", "abort")
        write(msgspec.structs.replace(entry, fence=book.state.fence) if kept else entry)

    with mock.patch.object(book, "write", lower):
        opened(book, site, abort)


def _starts_anew(book: Book, site: Site, abort: bool) -> None:  # noqa: FBT001 -- as `opened`
    """A new process begins a new attempt instead of going on with the open one."""
    del abort
    if book.state.outcome not in ("switched", "aborted"):
        book.write(Entry(kind="start", fence=book.state.fence + 1, limits=LIMITS, powers=site.powers))


def _always_back(state: State, seen: Observation) -> Action:
    """Turning back never comes too late."""
    if state.goal == "abort":
        state = msgspec.structs.replace(state, routed_back=True)
    return next_action(state, seen)


def _gives_up(state: State, seen: Observation) -> Action | None:
    """The way back goes on without a node that does not answer, whatever it was told before."""
    if state.answered("flip-source") and seen.now_ms > state.turned_ms + state.limits.flip:
        return None
    return back._routing(state, seen)


def _does_not_wait_for_a_late_withdrawal(state: State, seen: Observation) -> Action | None:
    """Rights are given back at once, whatever may still be under way."""
    hasty = msgspec.structs.replace(state.limits, late=0)
    return back._source_has_its_rights(msgspec.structs.replace(state, limits=hasty), seen)


def _may_always_abort() -> AbstractContextManager[object]:
    return mock.patch.object(simulate, "may_abort", lambda state, _now: state.outcome != "switched")


def _nobody_looks_who_writes() -> AbstractContextManager[object]:
    return mock.patch.object(Journal, "_require_ours", return_value=None)


def _tails_from_now(site: Site) -> None:
    """The standby of a return begins at the end of the log, not at the promotion."""
    site.log.applied = site.log.ends()
    site.standby()


MUTANTS: dict[str, Mutant] = {
    "promote-without-asking-the-proof": Mutant((9,), Switch(decide=_proof_is_yes), ("proof-differs",)),
    "skip-a-phase": Mutant((9,), _without("barrier")),
    "release-before-the-flip": Mutant((9,), _before(forward.release, forward.flip)),
    "standby-that-tails-from-now": Mutant((2,), Switch(standby=_tails_from_now)),
    "clocks-further-apart-than-the-margin": Mutant((1, 2, 3), Switch(skew=2500)),
    "journal-that-does-not-look-who-writes": Mutant(
        (1, 2, 4, 5, 7),
        Switch(around=_nobody_looks_who_writes),
        ("overtaken-waiting", "overtaken-before-effect"),
    ),
    "release-before-routing-on-the-way-back": Mutant(
        (5,),
        _back(
            back._renew,
            back._release,
            back._routing,
            back._target_is_harmless,
            back._source_has_its_rights,
            back._source_is_writable,
        ),
    ),
    "skip-the-fence": Mutant((1, 2, 6), _without("fence", "stop_old")),
    "promote-before-the-fence": Mutant((1, 2, 5, 6), _without("fence")),
    "start-source-while-green-may-lead": Mutant(
        (1, 2),
        _back(
            back._renew, back._routing, back._source_has_its_rights, back._source_is_writable, back._release
        ),
    ),
    "flip-before-the-barrier": Mutant((1, 2, 4), _before(forward.flip, forward.barrier)),
    "skip-the-kick-and-the-drain": Mutant((1, 2, 6), _without("kick", "drain")),
    "ignore-lease-expiry": Mutant(
        (1, 2), Switch(decide=_never_lapsed), ("freeze-before-effect", "freeze-after-look")
    ),
    "turn-back-although-green-took-writes": Mutant(
        (1, 2), Switch(decide=_always_back, around=_may_always_abort), ("operator-aborts",)
    ),
    "give-up-a-node-that-may-point-at-green": Mutant(
        (2, 5, 7),
        _back(
            back._renew,
            _gives_up,
            back._target_is_harmless,
            back._source_has_its_rights,
            back._source_is_writable,
            back._release,
        ),
        ("node-restarts", "node-unreachable", "node-disagrees"),
    ),
    "hold-beyond-the-budget": Mutant((3,), Switch(decide=_hold_for_ever), ("false-success",)),
    "journal-after-the-effect": Mutant((4,), Switch(loop=_journal_last)),
    "keep-answers-in-memory": Mutant((4,), Switch(loop=_keeps_its_state)),
    "resume-from-memory": Mutant((1, 2, 4, 5, 7), _remembers()),
    "start-anew-instead-of-resuming": Mutant((1, 2, 4, 7), Switch(opened=_starts_anew)),
    "release-before-write-permission": Mutant(
        (5,),
        _back(
            back._renew,
            back._routing,
            back._release,
            back._target_is_harmless,
            back._source_has_its_rights,
            back._source_is_writable,
        ),
    ),
    "write-permission-before-routing": Mutant(
        (5,),
        _back(
            back._renew,
            back._target_is_harmless,
            back._source_has_its_rights,
            back._source_is_writable,
            back._routing,
            back._release,
        ),
    ),
    "withdraw-rights-before-the-barrier": Mutant((2,), _before(forward.revoke, forward.barrier)),
    "never-give-rights-back": Mutant(
        (5, 7),
        _back(back._renew, back._routing, back._target_is_harmless, back._source_is_writable, back._release),
    ),
    "give-rights-back-while-the-target-may-lead": Mutant(
        (1,),
        _back(
            back._renew,
            back._routing,
            back._source_has_its_rights,
            back._target_is_harmless,
            back._source_is_writable,
            back._release,
        ),
    ),
    "give-rights-back-before-a-late-withdrawal": Mutant(
        (2, 5, 7),
        _back(
            back._renew,
            back._routing,
            back._target_is_harmless,
            _does_not_wait_for_a_late_withdrawal,
            back._source_is_writable,
            back._release,
        ),
        ("late-effect",),
    ),
    "never-restore-write-permission": Mutant(
        (5, 7),
        _back(
            back._renew, back._routing, back._target_is_harmless, back._source_has_its_rights, back._release
        ),
    ),
    "skip-the-proof-and-the-barrier": Mutant((6,), _without("barrier", "prove")),
    "proof-that-does-not-wait": Mutant((2, 6), Switch(world=_OldProof)),
    "proof-without-a-position": Mutant((6,), Switch(world=_NoPosition)),
    "drain-without-kept-sessions": Mutant((1, 2, 6), Switch(world=_CountsRequestsOnly), ("session-stays",)),
    "unknown-is-done": Mutant((1, 2, 3, 5, 6, 7), Switch(decide=_unknown_is_done)),
    "trust-the-promotions-answer": Mutant((7,), Switch(world=_Trusting), ("false-success",)),
    "forget-late-calls": Mutant(
        (7,), _patched(back, "_given_up_ms", lambda state, verb: state.intended[verb]), ("late-effect",)
    ),
    "ignore-the-fence-number": Mutant((8,), Switch(fences=False), ("late-effect",)),
    "resume-with-the-old-fence": Mutant((2, 3, 5, 7, 8), Switch(opened=_same_fence), ("late-effect",)),
}
"""By name: what is wrong."""
