"""Every transition of the switch as data: from which phase to which, and under which guard.

The steps of `forward` and `back` decide; each guard here says on its own, from the journal's facts and one look, when a
transition is right. The simulation sees no other transition than these, sees each of them, and asks its guard. The table and
the picture of docs/switch.md are made from here (`make docs`).

A return is the same switch with source and target exchanged, in a journal of its own: it has these transitions and no others.
"""

from collections.abc import Callable

import msgspec

from bmswitch.model.switch.back import may_abort
from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, Observation, Phase
from bmswitch.model.switch.forward import promoted
from bmswitch.model.switch.state import State

Guard = Callable[[State, Observation], bool]


class Transition(msgspec.Struct, frozen=True):
    """From one phase to the next. The guard's name and the first line of its docstring are told to people."""

    before: Phase
    after: Phase
    guard: Guard

    @property
    def name(self) -> str:
        """The guard's name."""
        return self.guard.__name__.replace("_", "-")

    @property
    def says(self) -> str:
        """When the transition is right, as a sentence."""
        return (self.guard.__doc__ or "").splitlines()[0].rstrip(".")


def all_is_ready(state: State, seen: Observation) -> bool:
    """Every node is read back as pointing at the source and free; the source is RUNNING, the target CLONING."""
    nodes = all(
        node.seen and node.colour == state.source and node.hold_until_ms <= seen.now_ms for node in seen.nodes
    )
    return nodes and seen.source == RUNNING and seen.target == CLONING


def held(state: State, _seen: Observation) -> bool:
    """Every node acknowledged the hold; kept sessions can be ended."""
    return state.hold_until_ms > 0 and state.powers.kick


def held_without_kick(state: State, _seen: Observation) -> bool:
    """Every node acknowledged the hold; kept sessions can not be ended."""
    return state.hold_until_ms > 0 and not state.powers.kick


def kicked(state: State, _seen: Observation) -> bool:
    """Ending kept sessions has come to its end, well or not."""
    return state.answered("kick")


def drained(state: State, _seen: Observation) -> bool:
    """Three looks in a row found no request and no session on the source, under the hold."""
    return state.yes("drain")


def barrier_written(state: State, _seen: Observation) -> bool:
    """The source acknowledged a nonce in every partition of every domain."""
    return state.yes("barrier")


def fenced(state: State, _seen: Observation) -> bool:
    """The source was read back DEMOTED, its log stands still, and the target shows every nonce of the barrier."""
    return state.yes("demote-source") and state.yes("settle")


def proven_equal(state: State, _seen: Observation) -> bool:
    """The target equals the source up to the log's ends; `core.stop` is configured."""
    return state.yes("prove") and state.powers.stop


def proven_without_stop(state: State, _seen: Observation) -> bool:
    """The target equals the source up to the log's ends; `core.stop` is not configured, a way to withdraw rights is."""
    return state.yes("prove") and not state.powers.stop and state.powers.revoke


def proven_without_either(state: State, _seen: Observation) -> bool:
    """The target equals the source up to the log's ends; neither `core.stop` nor a way to withdraw rights is configured."""
    return state.yes("prove") and not state.powers.stop and not state.powers.revoke


def source_stopped(state: State, _seen: Observation) -> bool:
    """The source's core is proven stopped; a way to withdraw its rights is configured."""
    return state.yes("stop-source") and state.powers.revoke


def stopped_without_revoke(state: State, _seen: Observation) -> bool:
    """The source's core is proven stopped; no way to withdraw its rights is configured."""
    return state.yes("stop-source") and not state.powers.revoke


def rights_withdrawn(state: State, _seen: Observation) -> bool:
    """The source's rights to write to the bucket and to its log were withdrawn and read back so."""
    return state.yes("revoke-source")


def target_leads(state: State, _seen: Observation) -> bool:
    """The target was read back RUNNING and accepted a probe write."""
    return promoted(state)


def flipped(state: State, _seen: Observation) -> bool:
    """Every node was read back as pointing at the target, or was given up by name when its time was over."""
    return promoted(state) and state.answered("flip-target")


def released(state: State, _seen: Observation) -> bool:
    """Held requests went on in every node, or it was given up by name when its time was over."""
    return state.answered("release")


def all_was_read_back(state: State, _seen: Observation) -> bool:
    """Every node was read back as pointing at the target and free; the soak has answered."""
    return state.yes("flip-target") and state.yes("release") and state.answered("soak")


def a_node_was_given_up(state: State, _seen: Observation) -> bool:
    """The target serves, but a node was given up: whether it is there can not be read."""
    return promoted(state) and not (state.yes("flip-target") and state.yes("release"))


def node_is_owed(state: State, _seen: Observation) -> bool:
    """Resumed: a node that had been given up is asked again; only going on loses nothing."""
    return state.resumed > 0 and promoted(state) and not (state.yes("flip-target") and state.yes("release"))


def turning_back_loses_nothing(state: State, seen: Observation) -> bool:
    """A doubt, a deadline or the operator says so, and the target has taken no client's write."""
    return may_abort(state, seen.now_ms)


def too_late_to_turn_back(state: State, seen: Observation) -> bool:
    """The hold lapsed while a node may point at the target: only going on loses nothing."""
    return state.was_intended("flip-target") and not state.routed_back and not state.in_force(seen.now_ms)


def put_back(state: State, seen: Observation) -> bool:
    """The source takes writes, the target does not lead, and every node that was ever flipped is read back at the source and free."""
    if not state.was_intended("hold"):
        return True
    writable = not state.was_intended("demote-source") or state.yes("probe-source")
    harmless = not state.was_intended("promote-target") or seen.target in (DEMOTED, CLONING) or _gone(state)
    routed = all(node.seen and node.colour == state.source for node in seen.nodes)
    return writable and harmless and (routed or not state.was_intended("flip-target"))


def _gone(state: State) -> bool:
    return state.yes("demote-target") or state.answer("promote-target") == "no"


def not_put_back(state: State, seen: Observation) -> bool:
    """What must be known for it can not be read, or a command is missing or failed three times: frozen."""
    return state.was_intended("hold") and not put_back(state, seen)


def was_turned_back(state: State, _seen: Observation) -> bool:
    """Resumed: it had turned back before it was frozen; reality is looked at anew."""
    return state.resumed > 0 and state.goal == "abort"


FORWARD: tuple[Phase, ...] = ("gate", "hold", "kick", "drain", "barrier", "fence", "prove", "stop-old")
FORWARD += ("revoke", "promote", "flip")

GIVEN_UP: tuple[Phase, ...] = ("release", "soak", "unknown")
"""Where a resumed switch may stand that had given up a node."""

TRANSITIONS: tuple[Transition, ...] = (
    Transition("gate", "hold", all_is_ready),
    Transition("hold", "kick", held),
    Transition("hold", "drain", held_without_kick),
    Transition("kick", "drain", kicked),
    Transition("drain", "barrier", drained),
    Transition("barrier", "fence", barrier_written),
    Transition("fence", "prove", fenced),
    Transition("prove", "stop-old", proven_equal),
    Transition("prove", "revoke", proven_without_stop),
    Transition("prove", "promote", proven_without_either),
    Transition("stop-old", "revoke", source_stopped),
    Transition("stop-old", "promote", stopped_without_revoke),
    Transition("revoke", "promote", rights_withdrawn),
    Transition("promote", "flip", target_leads),
    Transition("flip", "release", flipped),
    Transition("release", "soak", released),
    Transition("soak", "done", all_was_read_back),
    Transition("soak", "unknown", a_node_was_given_up),
    *(Transition(phase, "aborting", turning_back_loses_nothing) for phase in FORWARD),
    Transition("aborting", "aborted", put_back),
    Transition("aborting", "unknown", not_put_back),
    Transition("aborting", "flip", too_late_to_turn_back),
    Transition("unknown", "aborting", was_turned_back),
    *(Transition(phase, "flip", node_is_owed) for phase in GIVEN_UP),
    *(Transition(phase, "release", node_is_owed) for phase in GIVEN_UP[1:]),
    Transition("flip", "soak", released),
)
