"""What the switch decides on: budgets, what is seen now, what an action is, what an effect answered. Frozen data, no I/O.

Times are epoch milliseconds of the run's own clock: the wall clock as it was when the process started, moved on by the
monotonic clock. A proxy's hold is an absolute wall time, so both must agree; `Observation.drift_ms` says how far they are
apart.
"""

from typing import Literal, get_args

import msgspec

from bmswitch.model.config import Budgets, Colour, Site

Phase = Literal[
    "gate",
    "hold",
    "kick",
    "drain",
    "barrier",
    "fence",
    "prove",
    "stop-old",
    "revoke",
    "promote",
    "flip",
    "release",
    "soak",
    "done",
    "aborting",
    "aborted",
    "unknown",
]
"""Where a switch stands. `done`, `aborted` and `unknown` are ends."""

Verb = Literal[
    "hold",
    "kick",
    "drain",
    "barrier",
    "demote-source",
    "settle",
    "prove",
    "stop-source",
    "revoke-source",
    "promote-target",
    "probe-target",
    "flip-target",
    "release",
    "soak",
    "flip-source",
    "demote-target",
    "restore-source",
    "start-source",
    "probe-source",
]
"""An effect: each can be repeated, and reads back what it did before it answers."""

VERBS: dict[str, Verb] = {verb: verb for verb in get_args(Verb)}
"""Every effect by its name."""

Move = Verb | Literal["", "wait", "abort", "onward", "end"]
"""An effect, or one of the moves that touch nothing: look again, turn back, turn forward again, end."""

Answer = Literal["yes", "no", "unknown"]
Outcome = Literal["", "switched", "aborted", "unknown"]
Goal = Literal["switch", "abort"]

RUNNING = "RUNNING"
DEMOTED = "DEMOTED"
CLONING = "CLONING"
SILENT = "silent"
"""The core does not answer at all. That alone does not prove that it is stopped: the network may be cut."""
UNKNOWN = "unknown"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets of the switch in milliseconds.

    `margin` is what must be left of a hold for it to count: it covers a skew of the proxies' clocks and the time
    between looking and doing. `late` is how long a core may still act on a call whose answer was lost. `latch` is how
    long a promotion may hang in the leader election (20 s + 20 x 1 s, clone-and-api.md 2.3). `restart` bounds one stop
    or start command.
    """

    hold: int = 5000
    lease: int = 2000
    drain: int = 1500
    barrier: int = 2000
    fence: int = 2000
    prove: int = 2000
    promote: int = 2000
    flip: int = 1000
    soak: int = 10_000
    restart: int = 20_000
    margin: int = 250
    late: int = 1000
    latch: int = 45_000
    drift: int = 200

    @classmethod
    def of(cls, budgets: Budgets, restart: float, soak: float) -> "Limits":
        """The configuration's budgets, the time limit of the core's commands and the length of the soak, all in seconds."""
        names = ("hold", "lease", "drain", "barrier", "fence", "prove", "promote", "flip")
        return cls(
            **{name: int(getattr(budgets, name) * 1000) for name in names},
            restart=int(restart * 1000),
            soak=int(soak * 1000),
        )


class Powers(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has configured for the source: commands of its core, and how its rights to write are withdrawn.

    Kept sessions can always be ended (`kick`): by a command, or by the proxies.
    """

    stop: bool = True
    start: bool = True
    kick: bool = True
    revoke: bool = False

    @classmethod
    def of(cls, site: Site) -> "Powers":
        """Those of one side of the configuration."""
        core = site.core
        return cls(
            stop=core.stop is not None,
            start=core.start is not None,
            revoke=site.rights.any,
        )


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy node as read now. `seen` is false when it did not answer: all else is then unknown."""

    name: str
    seen: bool
    colour: Colour | Literal["unknown"] = "unknown"
    hold_until_ms: int = 0
    fence: int = 0


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One look at reality. `quiet_looks` counts looks in a row that found nothing running on the source, `left` names what
    the last of them found; `running` names effects that have not answered yet. Source and target are each core's state without its prefix, `silent` or `unknown`.
    """

    now_ms: int
    nodes: tuple[Node, ...]
    source: str = UNKNOWN
    target: str = UNKNOWN
    drift_ms: int = 0
    quiet_looks: int = 0
    left: str = ""
    running: frozenset[Verb] = frozenset()


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next. `do` is an effect, `wait` (look again), `abort` (turn back), `onward` (turning
    back came too late) or `end`.

    `until_ms` is the hold's new expiry, `deadline_ms` when an effect must have answered, `said` a sentence for people.
    """

    do: Move
    phase: Phase
    said: str
    until_ms: int = 0
    deadline_ms: int = 0
    outcome: Outcome = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What an effect answered. `unknown`: it may or may not have happened. `facts` are small figures for the journal."""

    answer: Answer
    said: str = ""
    facts: dict[str, int | str] = {}
    at_ms: int = 0
