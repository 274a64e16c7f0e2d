"""What a switch has done, rebuilt from its journal by a fold: nothing that matters is kept in memory only."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from bmswitch.model.config import Colour, other
from bmswitch.model.switch.facts import Action, Goal, Limits, Move, Outcome, Phase, Powers, Result, Verb

Kind = Literal["start", "phase", "intent", "effect", "abort", "onward", "resume", "end", "note"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the journal. `at` is wall time for people, `at_ms` the run's clock; `verb` is empty but for effects.

    `start` opens an attempt: it says which side serves (`source`) and carries the limits and the names of the proxy nodes; `resume` is a new process that goes on with it; `intent` stands
    before each effect and `effect` after it.
    """

    seq: int = 0
    at: str = ""
    at_ms: int = 0
    fence: int = 0
    kind: Kind
    phase: Phase = "gate"
    verb: Move = ""
    said: str = ""
    result: Result | None = None
    until_ms: int = 0
    goal: Goal = "switch"
    outcome: Outcome = ""
    plan_id: str = ""
    source: Colour = "blue"
    limits: Limits | None = None
    powers: Powers | None = None
    nodes: list[str] = []


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. Times are the run's clock in milliseconds, 0 for never.

    `intended` is when each effect was last journalled before being done; `results` its last answer and `tries` how
    often it was begun, both since the attempt turned back if it did. `forward` keeps the answers from before that.
    `hold_from_ms` is the first hold's intent: the whole budget counts from it. `hold_until_ms` is the expiry that every
    node acknowledged. `lapsed` is true once the hold is not proven to have been in force without a gap. `source_gone`:
    the source's core was proven stopped while the hold was in force, so that no client's write can have reached it after the
    proof. `reason` is what was said last about the end, `turned_because` why the attempt turned back. `routed_back`: every node pointed at the source again while the hold was in force, so that the target took no client's write.

    `lost` is when each effect was last given up without an answer, by its deadline or by the end of the process: it may
    still happen for a while after that.
    """

    attempt: int = 0
    fence: int = 0
    plan_id: str = ""
    source: Colour = "blue"
    limits: Limits = Limits()
    powers: Powers = Powers()
    nodes: list[str] = []
    goal: Goal = "switch"
    reason: str = ""
    turned_because: str = ""
    outcome: Outcome = ""
    phase: Phase = "gate"
    since_ms: int = 0
    turned_ms: int = 0
    hold_from_ms: int = 0
    hold_until_ms: int = 0
    asked_until_ms: int = 0
    lapsed: bool = False
    source_gone: bool = False
    routed_back: bool = False
    intended: dict[str, int] = {}
    results: dict[str, Result] = {}
    forward: dict[str, Result] = {}
    tries: dict[str, int] = {}
    entered: dict[str, int] = {}
    lost: dict[str, int] = {}
    resumed: int = 0

    def yes(self, verb: Verb) -> bool:
        """The effect is proven."""
        result = self.results.get(verb)
        return result is not None and result.answer == "yes"

    def answered(self, verb: Verb) -> bool:
        """The effect has answered, whatever it said."""
        return verb in self.results

    def was_intended(self, verb: Verb) -> bool:
        """The effect may have happened: its intent is in the journal."""
        return verb in self.intended

    @property
    def target(self) -> Colour:
        """The side that shall serve when the switch is done."""
        return other(self.source)

    @property
    def cap_ms(self) -> int:
        """The end of the hold's budget: no hold goes beyond it."""
        return self.hold_from_ms + self.limits.hold

    def answer(self, verb: Verb) -> str:
        """The last answer of an effect, before or after turning back; empty when there is none."""
        result = self.results.get(verb) or self.forward.get(verb)
        return result.answer if result else ""

    def in_force(self, now_ms: int) -> bool:
        """The hold stands since it was acknowledged, without a gap, and has more than the margin left."""
        return self.hold_until_ms > 0 and not self.lapsed and now_ms < self.hold_until_ms - self.limits.margin


def fold(entries: Iterable[Entry]) -> State | None:
    """The newest attempt of a journal; None when there is none."""
    state: State | None = None
    for entry in entries:
        if entry.kind == "start":
            state = started(entry)
        elif state is not None:
            state = apply(state, entry)
    return state


def started(entry: Entry) -> State:
    """The state right after an attempt was opened."""
    return State(
        attempt=entry.fence,
        fence=entry.fence,
        plan_id=entry.plan_id,
        source=entry.source,
        limits=entry.limits or Limits(),
        powers=entry.powers or Powers(),
        nodes=entry.nodes,
        since_ms=entry.at_ms,
        entered={"gate": entry.at_ms},
    )


def apply(state: State, entry: Entry) -> State:
    """The state after one more line."""
    if entry.kind != "note" and entry.phase != state.phase:
        state = msgspec.structs.replace(
            state,
            phase=entry.phase,
            since_ms=entry.at_ms,
            entered={entry.phase: entry.at_ms, **state.entered},
        )
    change = _CHANGES.get(entry.kind)
    return change(state, entry) if change else state


def _intent(state: State, entry: Entry) -> State:
    verb = str(entry.verb)
    state = msgspec.structs.replace(
        state,
        intended={**state.intended, verb: entry.at_ms},
        tries={**state.tries, verb: state.tries.get(verb, 0) + 1},
        results={name: result for name, result in state.results.items() if name != verb or name == "hold"},
    )
    if entry.verb != "hold":
        return state
    return msgspec.structs.replace(
        state, hold_from_ms=state.hold_from_ms or entry.at_ms, asked_until_ms=entry.until_ms
    )


def _effect(state: State, entry: Entry) -> State:
    if entry.result is None:
        return state
    result = msgspec.structs.replace(entry.result, at_ms=entry.at_ms)
    state = msgspec.structs.replace(state, results={**state.results, str(entry.verb): result})
    if result.answer != "yes":
        lost = {str(entry.verb): entry.at_ms} if result.answer == "unknown" else {}
        return msgspec.structs.replace(state, lost={**state.lost, **lost})
    held = state.in_force(entry.at_ms)
    if entry.verb == "stop-source" and state.goal == "switch":
        return msgspec.structs.replace(state, source_gone=held)
    if entry.verb == "flip-source":
        return msgspec.structs.replace(state, routed_back=state.routed_back or held)
    if entry.verb == "hold":
        gap = state.hold_until_ms > 0 and not held
        return msgspec.structs.replace(
            state, hold_until_ms=state.asked_until_ms, asked_until_ms=0, lapsed=state.lapsed or gap
        )
    return state


def _abort(state: State, entry: Entry) -> State:
    """Turning back: answers so far are kept apart, as each step back must be proven anew."""
    return msgspec.structs.replace(
        state,
        goal="abort",
        reason=entry.said,
        turned_because=entry.said,
        fence=entry.fence,
        turned_ms=entry.at_ms,
        forward=state.results,
        results={},
        tries={},
    )


def _resume(state: State, entry: Entry) -> State:
    """A new process goes on. A hold that was asked for and not acknowledged may have come after a gap: it has lapsed.

    Turning back starts over (each of its effects can be repeated); going forward keeps what was proven, but for the soak: it
    is asked again, as what it found may have been mended since. A call of the dead process may still be at work on the other
    side for as long as it would have been waited for.
    """
    unheard = {
        verb: max(entry.at_ms, at + state.limits.fence)
        for verb, at in state.intended.items()
        if verb not in state.results and verb not in state.forward and state.lost.get(verb, 0) < at
    }
    kept = {name: result for name, result in state.results.items() if name != "soak"}
    return msgspec.structs.replace(
        state,
        fence=entry.fence,
        outcome="",
        lost={**state.lost, **unheard},
        resumed=state.resumed + 1,
        lapsed=state.lapsed or state.asked_until_ms != 0,
        since_ms=entry.at_ms,
        turned_ms=entry.at_ms if state.goal == "abort" else 0,
        results={} if state.goal == "abort" else kept,
        tries={},
    )


def _onward(state: State, entry: Entry) -> State:
    """Turning back came too late: the target may have taken a client's write, so only forward loses nothing."""
    kept = {name: result for name, result in state.forward.items() if name not in ("flip-target", "release")}
    return msgspec.structs.replace(
        state, goal="switch", reason=entry.said, fence=entry.fence, results=kept, forward={}, tries={}
    )


def _end(state: State, entry: Entry) -> State:
    return msgspec.structs.replace(state, outcome=entry.outcome, reason=entry.said)


_CHANGES: dict[Kind, Callable[[State, Entry], State]] = {
    "intent": _intent,
    "effect": _effect,
    "abort": _abort,
    "onward": _onward,
    "resume": _resume,
    "end": _end,
}


def entry_of(action: Action, fence: int) -> Entry:
    """The line that is written before an action is carried out. Turning around takes a new fence number."""
    kinds: dict[str, Kind] = {"end": "end", "abort": "abort", "onward": "onward", "wait": "phase"}
    kind = kinds.get(action.do, "intent")
    return Entry(
        kind=kind,
        phase=action.phase,
        verb=action.do if kind == "intent" else "",
        said=action.said,
        until_ms=action.until_ms,
        outcome=action.outcome,
        fence=fence + (kind in ("abort", "onward")),
    )
