"""What can go wrong, in which phase, and which of it a seed brings: a short list, so that it can be made shorter."""

from collections import Counter
from collections.abc import Container
from typing import Literal, get_args

import msgspec
from tests.simulation.clock import Stream

from bmswitch.model.switch import Phase

Kind = Literal[
    "crash-before-effect",
    "crash-after-effect",
    "crash-after-journal",
    "crash-waiting",
    "crash-writing",
    "journal-error",
    "overtaken-waiting",
    "overtaken-before-effect",
    "freeze-before-effect",
    "freeze-after-look",
    "clock-jump",
    "operator-aborts",
    "slow-answer",
    "lost-request",
    "lost-answer",
    "late-effect",
    "node-unreachable",
    "node-restarts",
    "node-forgets",
    "node-disagrees",
    "source-unreachable",
    "target-unreachable",
    "target-dies",
    "target-refuses",
    "false-success",
    "proof-differs",
    "bucket-error",
    "session-stays",
]

SAID: dict[Kind, str] = {
    "crash-before-effect": "kill -9 of bmswitch: the effect is in the journal and was not begun",
    "crash-after-effect": "kill -9 of bmswitch: the effect has answered and the answer is not in the journal",
    "crash-after-journal": "kill -9 of bmswitch: the answer has just been journalled",
    "crash-waiting": "kill -9 of bmswitch while it waits and looks",
    "crash-writing": "kill -9 of bmswitch in the middle of a journal line",
    "journal-error": "the disk is full: half of a journal line could be written",
    "overtaken-waiting": "the lock is lost: a second bmswitch works while this one stands still",
    "overtaken-before-effect": "the lock is lost: a second bmswitch works when this one is just about to begin the effect",
    "freeze-before-effect": "bmswitch stands still for {ms} ms before the effect begins",
    "freeze-after-look": "bmswitch stands still for {ms} ms between looking and deciding",
    "clock-jump": "the wall clock of bmswitch's host jumps by 5 s",
    "operator-aborts": "the operator presses Ctrl-C",
    "slow-answer": "{verb} takes {ms} ms longer",
    "lost-request": "the request of {verb} is lost",
    "lost-answer": "the answer of {verb} is lost",
    "late-effect": "the request of {verb} will arrive late, after its caller gave up",
    "node-unreachable": "{node} does not answer to orders for {ms} ms",
    "node-restarts": "{node} restarts and is gone for {ms} ms",
    "node-forgets": "{node} restarts, is gone for {ms} ms, and comes back with the state that it had before the switch",
    "node-disagrees": "frontends of {node} disagree for {ms} ms",
    "source-unreachable": "bmswitch can not reach the source for {ms} ms",
    "target-unreachable": "bmswitch can not reach the target for {ms} ms",
    "target-dies": "the target dies for good",
    "target-refuses": "the target refuses the promotion",
    "false-success": "the target says yes to the promotion, and will lead {ms} ms later",
    "proof-differs": "an item on the target differs",
    "bucket-error": "the bucket can not be read",
    "session-stays": "a kept session can not be ended, neither by the command nor by its proxy",
}

PHASES: tuple[Phase, ...] = tuple(
    phase for phase in get_args(Phase) if phase not in ("done", "aborted", "unknown")
)
_EFFECT = tuple(phase for phase in PHASES if phase != "gate")
_CALL = tuple(phase for phase in _EFFECT if phase != "drain")
_ORDER = tuple(phase for phase in _CALL if phase not in ("prove", "stop-old", "soak"))

POSSIBLE: dict[Kind, tuple[Phase, ...]] = {
    **dict.fromkeys(get_args(Kind), PHASES),
    # The gate begins no effect of the loop: its guards are asked before, and are tested on their own.
    "crash-before-effect": _EFFECT,
    "crash-after-effect": _EFFECT,
    "crash-after-journal": _EFFECT,
    "crash-writing": _EFFECT,
    "journal-error": _EFFECT,
    "overtaken-before-effect": _EFFECT,
    "freeze-before-effect": _EFFECT,
    # The drain only looks. A proof and a soak only read: nothing of theirs can arrive late. `core.stop` is one job.
    "slow-answer": _CALL,
    "lost-request": _CALL,
    "lost-answer": _CALL,
    "late-effect": _ORDER,
    "target-refuses": ("promote",),
    "false-success": ("promote",),
    "proof-differs": ("prove",),
    "bucket-error": ("prove",),
    "session-stays": ("kick",),
}
"""In which phases a fault is possible; why not elsewhere is said beside it."""

COMBINATIONS: tuple[tuple[Kind, Phase], ...] = tuple(
    (kind, phase) for kind in POSSIBLE for phase in POSSIBLE[kind]
)
CRASHES: frozenset[Kind] = frozenset(
    {
        "crash-before-effect",
        "crash-after-effect",
        "crash-after-journal",
        "crash-waiting",
        "crash-writing",
        "journal-error",
    }
)


_AGAIN: tuple[Kind, ...] = ("operator-aborts", "crash-waiting", "crash-after-effect")
"""What begins a newer attempt, so that something late meets it."""


_BACK = tuple(combination for combination in COMBINATIONS if combination[1] == "aborting")
"""Trouble on the way back, which is at its most delicate when the target was already pointed at."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong: at the `nth` (from 0) fitting instant of a phase. `node` -1 is every node. `returning`: in the return, not in the switch before it."""

    kind: Kind
    phase: Phase
    nth: int = 0
    ms: int = 0
    node: int = 0
    returning: bool = False


class _Coming(msgspec.Struct):
    fault: Fault
    wait: int


class Hand:
    """The faults that are still to come, and how often each one met which phase."""

    def __init__(self, faults: list[Fault]) -> None:
        self._coming = [_Coming(fault, fault.nth) for fault in faults]
        self.met: Counter[tuple[Kind, Phase]] = Counter()
        self.returning = False

    def put_down(self) -> None:
        """Nothing goes wrong any more."""
        self._coming.clear()

    def due(self, kinds: Container[Kind], phase: Phase) -> Fault | None:
        """The next fault of these kinds whose instant is now; it is then used up."""
        for coming in self._coming:
            fault = coming.fault
            if fault.phase != phase or fault.kind not in kinds or fault.returning != self.returning:
                continue
            if coming.wait > 0:
                coming.wait -= 1
                continue
            self._coming.remove(coming)
            self.met[fault.kind, phase] += 1
            return fault
        return None


def faults_of(seed: int, chance: Stream) -> list[Fault]:
    """One fault in turn from all combinations: alone in each fourth turn, else with more by chance. One run in 25 has none."""
    return _switch_faults(seed, chance) + _return_faults(chance)


def _return_faults(chance: Stream) -> list[Fault]:
    """What goes wrong in the return, should there be one."""
    faults: list[Fault] = []
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        kind, phase = chance.choice(COMBINATIONS)
        faults.append(_fault(kind, phase, chance.below(3), chance))
        if phase == "aborting":
            faults.append(_reason_to_turn_back(chance))
    return [msgspec.structs.replace(fault, returning=True) for fault in faults]


def _switch_faults(seed: int, chance: Stream) -> list[Fault]:
    if seed % 25 == 24:
        return []
    turn, number = divmod(seed - seed // 25, len(COMBINATIONS))
    kind, phase = COMBINATIONS[number]
    alone = turn % 4 == 0
    faults = [_fault(kind, phase, 0 if alone or chance.chance(0.8) else chance.below(3), chance)]
    if phase == "aborting":
        faults.append(_reason_to_turn_back(chance))
    return faults if alone else faults + _more(kind, phase, chance)


def _more(kind: Kind, phase: Phase, chance: Stream) -> list[Fault]:
    more: list[Fault] = []
    if kind == "late-effect" or chance.chance(0.1):
        more.append(_fault(chance.choice(_AGAIN), phase if phase != "gate" else "hold", 0, chance))
    if chance.chance(0.15):
        trouble, _ = chance.choice(_BACK)
        more.append(_fault("operator-aborts", "flip", 0, chance))
        more.append(_fault(trouble, "aborting", chance.below(3), chance))
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        extra, where = chance.choice(COMBINATIONS)
        more.append(_fault(extra, where, chance.below(6), chance))
    return more


def _reason_to_turn_back(chance: Stream) -> Fault:
    phase: Phase = "flip" if chance.chance(0.35) else chance.choice(PHASES[1:10])
    if chance.chance(0.3):
        return _fault("proof-differs", "prove", 0, chance)
    return _fault("operator-aborts", phase, 0, chance)


def _fault(kind: Kind, phase: Phase, nth: int, chance: Stream) -> Fault:
    longest = {"freeze-before-effect": 8000, "freeze-after-look": 8000, "slow-answer": 1200}.get(kind, 2500)
    node = -1 if chance.chance(0.2) else chance.below(3)
    return Fault(kind=kind, phase=phase, nth=nth, ms=chance.between(50, longest), node=node)
