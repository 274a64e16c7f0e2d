"""bmswitch itself, ended or frozen at one exact instant: `python -m tests.integration.killed SIGNAL VERB INSTANT WAY ARGS...`.

SIGNAL is SIGKILL, SIGSTOP (it stands still until somebody sends SIGCONT) or JUMP (the wall clock, as this process reads it, jumps).

It runs the real command line. Only the journal's `append`, the effects and the pause of the loop are wrapped, and the wrapper
does nothing but send this process a real signal. So the product needs no switch for tests, and the kill is where its name says.

`back` lets the operator press Ctrl-C (a real SIGINT) once blue's core has been stopped, `turned` once green leads; the instant is
then counted on the way back.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Literal, get_args

from bmswitch.cli.main import run
from bmswitch.journal.journal import Journal
from bmswitch.model.switch import Action, Entry, Result, State, Verb
from bmswitch.workflows.effects import RealWorld

Instant = Literal["before-effect", "after-effect", "after-journal", "waiting"]
Way = Literal["forward", "back", "turned"]

INSTANTS: tuple[Instant, ...] = get_args(Instant)
TURNS_AT: dict[Way, Verb] = {"back": "stop-source", "turned": "probe-target"}
JUMP, JUMPS = "JUMP", 5.0
_A_MOMENT = 0.005


class Killer:
    """Waits for its instant, which comes once. `armed` is false until the way back has begun, when it is the way back that is meant."""

    def __init__(self, number: str, verb: str, instant: str, way: Way) -> None:
        self.number = number
        self.verb, self.instant, self.turn_at = verb, instant, TURNS_AT.get(way)
        self.armed = self.turn_at is None

    def at(self, verb: str, instant: Instant) -> None:
        """The signal, if this is the instant."""
        if self.armed and (verb, instant) == (self.verb, self.instant):
            self.armed, self.turn_at = False, None
            self.strike()

    def strike(self) -> None:
        """A signal to this process; JUMP moves its wall clock by five seconds instead, and then it goes on."""
        if self.number != JUMP:
            os.kill(os.getpid(), signal.Signals[self.number])
            return
        real = time.time
        time.time = lambda: real() + JUMPS

    def written(self, entry: Entry) -> None:
        """A line is on the disk."""
        if entry.kind == "abort" and self.turn_at:
            self.armed = True
        if entry.kind == "intent":
            self.at(entry.verb, "before-effect")
        if entry.kind == "effect":
            self.at(entry.verb, "after-journal")
            if entry.verb == self.turn_at:
                os.kill(os.getpid(), signal.SIGINT)


def install(killer: Killer) -> None:
    """Wraps the three places."""
    append, pause = Journal.append, RealWorld.pause
    method = killer.verb.replace("-", "_")
    effect: Callable[[RealWorld, Action, State], Result] = getattr(RealWorld, method)

    def append_and_die(journal: Journal, entry: Entry, at_ms: int, *, flush: bool = True) -> Entry:
        written = append(journal, entry, at_ms, flush=flush)
        killer.written(written)
        return written

    def effect_and_die(world: RealWorld, action: Action, state: State) -> Result:
        result = effect(world, action, state)
        killer.at(killer.verb, "after-effect")
        return result

    def pause_and_die(world: RealWorld, state: State) -> None:
        waits_for = "drain" if state.phase == "drain" else killer.verb
        if waits_for == killer.verb and (state.phase == "drain" or _at_work(world, killer.verb)):
            time.sleep(_A_MOMENT)
            killer.at(killer.verb, "waiting")
        pause(world, state)

    Journal.append = append_and_die  # type: ignore[assignment, method-assign]
    setattr(RealWorld, method, effect_and_die)
    RealWorld.pause = pause_and_die  # type: ignore[assignment, method-assign]


def _at_work(world: RealWorld, verb: str) -> bool:
    return any(count > 0 for name, count in world._running.items() if name == verb)


if __name__ == "__main__":
    number, verb, instant, way, *arguments = sys.argv[1:]
    if instant not in INSTANTS or way not in get_args(Way):
        sys.exit(f"{instant} {way}: no such instant")
    install(Killer(number, verb, instant, way))  # type: ignore[arg-type]
    sys.exit(run(arguments))
