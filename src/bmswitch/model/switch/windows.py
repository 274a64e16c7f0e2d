"""Who could write when, as the switch itself knows it: upper bounds from its journal, for sites without a ledger of clients."""

import msgspec

from bmswitch.model.switch.facts import Result, Verb
from bmswitch.model.switch.state import State


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, both upper bounds. `both_ms`: both sides could have taken a write. `nobody_ms`: clients could write nowhere.

    `fenced_by` is what proves that the side which ceased to serve can not write: `stop` (its core is gone), `demote` (items only,
    decision 1), empty when it never ceased.
    """

    both_ms: int
    nobody_ms: int
    fenced_by: str = ""


def windows(state: State) -> Windows:
    """The windows of an attempt that has ended, from the moment at which the first node was told to hold.

    Forward the source could write until it was proven gone, and the target could from the moment at which it was told to lead. Back the
    target could until it was proven demoted, and the source could from the moment at which its core was told to start.
    """
    if not state.hold_from_ms:
        return Windows(both_ms=0, nobody_ms=0)
    released = _yes(state, "release") or state.hold_until_ms
    if state.goal == "abort":
        again = _yes(state, "probe-source") if state.was_intended("demote-source") else 0
        both = _both(_yes(state, "demote-target"), state.intended.get("start-source", 0))
        return Windows(both_ms=both, nobody_ms=_span(state, max(released, again)), fenced_by="")
    stopped, demoted = _yes(state, "stop-source"), _yes(state, "demote-source")
    both = _both(stopped or demoted, state.intended.get("promote-target", 0))
    fenced_by = "stop" if stopped else "demote" if demoted else ""
    return Windows(
        both_ms=both, nobody_ms=_span(state, max(released, _yes(state, "flip-target"))), fenced_by=fenced_by
    )


def _both(ended: int, begun: int) -> int:
    return max(0, ended - begun) if ended and begun else 0


def _span(state: State, until: int) -> int:
    return max(0, until - state.hold_from_ms)


def _yes(state: State, verb: Verb) -> int:
    """When an effect was proven; 0 when it was not."""
    result: Result | None = state.results.get(verb) or state.forward.get(verb)
    return result.at_ms if result is not None and result.answer == "yes" else 0
