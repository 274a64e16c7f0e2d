"""The way back to blue: routing, write permission, release, in that order. Each step can be repeated and interrupted."""

from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT, Action, Observation, Verb
from bmswitch.model.switch.forward import RETRY_MS, Step, effect, hold_lapsed, wait
from bmswitch.model.switch.state import State

MAX_TRIES = 3
"""Restarts of blue's core before the operator is asked, and releases before a silent node is left to its lease."""

_CORE_EFFECTS: frozenset[Verb] = frozenset({"demote-blue", "stop-blue", "start-blue", "probe-blue"})
_BY_HAND = "on blue: remove /etc/bm/bm-core.disabled and restart bm-core, then `bmswitch cutover --abort`"


def may_abort(state: State, now_ms: int) -> bool:
    """Turning back loses nothing: green has taken no client's write, as no node pointed at it without a hold."""
    if state.outcome == "switched" or state.was_intended("release"):
        return False
    if not state.was_intended("flip-green") or state.routed_back:
        return True
    return state.in_force(now_ms)


def next_step_back(state: State, seen: Observation) -> Action:
    """The next action of a switch that is being put back."""
    if not state.was_intended("hold"):
        return _end_aborted(state, "nothing was touched")
    if state.was_intended("flip-green") and not state.routed_back and not state.in_force(seen.now_ms):
        return Action(
            do="onward",
            phase="flip",
            said="green may have taken a client's write while the hold lapsed: only going on loses nothing",
        )
    if seen.now_ms - state.turned_ms > 3 * state.limits.restart + state.limits.latch:
        return _end_unknown(state, seen, "blue could not be brought back in time")
    for step in STEPS:
        action = step(state, seen)
        if action is not None:
            return action
    return _finish(state, seen)


def _renew(state: State, seen: Observation) -> Action | None:
    """Clients stay held while blue is made to serve, within the same budget."""
    if state.answered("release") or hold_lapsed(state, seen) or "hold" in seen.running:
        return None
    until = min(seen.now_ms + state.limits.lease, state.cap_ms)
    tried = seen.now_ms - state.intended.get("hold", 0) < RETRY_MS
    if state.hold_until_ms == 0 or tried or until <= state.hold_until_ms:
        return None
    if state.hold_until_ms - seen.now_ms >= state.limits.lease // 2:
        return None
    return Action(do="hold", phase="aborting", said=f"hold for {until - seen.now_ms} ms", until_ms=until)


def _routing(state: State, seen: Observation) -> Action | None:
    """Every node points at blue and has seen the new fence: a late message of this attempt changes nothing any more.

    A node that does not answer is given up only when it was never told to point at green. Else green stays as it is
    until every node is proven back, or the hold lapses and the switch goes on.
    """
    may_be_green = state.was_intended("flip-green") and not state.routed_back
    if not may_be_green and state.answered("flip-blue") and seen.now_ms > state.turned_ms + state.limits.flip:
        return None
    return effect(state, seen, "flip-blue", "aborting", "point every frontend at blue")


def _green_is_harmless(state: State, seen: Observation) -> Action | None:
    """Blue may only come back when green is proven not to lead: otherwise both would take writes."""
    if not state.was_intended("promote-green") or state.yes("demote-green") or seen.green == DEMOTED:
        return None
    if "promote-green" in seen.running:
        return wait("aborting", "the promotion has not answered yet")
    if seen.green == RUNNING:
        return effect(state, seen, "demote-green", "aborting", "demote green: it took no client's write")
    if _never_led(state, seen):
        return None
    if seen.green != CLONING and seen.now_ms - state.turned_ms > state.limits.promote:
        return _end_unknown(state, seen, "green was told to lead and can not be read")
    return wait("aborting", f"green is {seen.green} and may still be in its leader election")


def _never_led(state: State, seen: Observation) -> bool:
    """Green is a clone still, and no promotion can be under way: it was refused, or is older than any election."""
    refused = state.answer("promote-green") == "no"
    old = seen.now_ms - _given_up_ms(state, "promote-green") >= state.limits.latch
    return (refused and seen.green in (CLONING, SILENT)) or (old and seen.green == CLONING)


def _given_up_ms(state: State, verb: Verb) -> int:
    """Until when a call of the way forward may have been on its way unheard. Its intent alone is too early."""
    return max(state.lost.get(verb, 0), state.intended[verb])


def _blue_is_writable(state: State, seen: Observation) -> Action | None:
    """Blue is RUNNING and accepted a probe write; a demoted core must be restarted (clone-and-api.md 2.8)."""
    if not state.was_intended("demote-blue") or state.yes("probe-blue"):
        return None
    if seen.running & _CORE_EFFECTS:
        return wait("aborting", "blue's core is being worked on")
    stop_unclear = state.was_intended("stop-blue") and not state.answer("stop-blue")
    if seen.blue == DEMOTED or stop_unclear:
        return _command(state, seen, "stop-blue", "stop blue's core, to start it as leader")
    if seen.blue == SILENT:
        return _command(state, seen, "start-blue", "start blue's core")
    if seen.blue == RUNNING and seen.now_ms - _given_up_ms(state, "demote-blue") >= state.limits.late:
        return effect(state, seen, "probe-blue", "aborting", "write to blue and read it back")
    return wait("aborting", f"blue is {seen.blue}; a late demotion may still arrive")


def _command(state: State, seen: Observation, verb: Verb, said: str) -> Action | None:
    """One of the operator's own commands, at most three times."""
    has = state.powers.stop if verb == "stop-blue" else state.powers.start
    if not has:
        return _end_unknown(state, seen, f"no command to {said}")
    if state.tries.get(verb, 0) >= MAX_TRIES:
        return _end_unknown(state, seen, f"{said}: tried {MAX_TRIES} times")
    result = state.results.get(verb)
    if result is not None and seen.now_ms - result.at_ms < RETRY_MS:
        return wait("aborting", said)
    return Action(do=verb, phase="aborting", said=said, deadline_ms=seen.now_ms + state.limits.restart)


def _release(state: State, seen: Observation) -> Action | None:
    """Held requests go on to blue. A node that does not answer lets them go by itself when its lease ends."""
    if state.tries.get("release", 0) >= MAX_TRIES and state.answered("release"):
        return None
    return effect(state, seen, "release", "aborting", "let held requests go on to blue")


STEPS: tuple[Step, ...] = (_renew, _routing, _green_is_harmless, _blue_is_writable, _release)


def _finish(state: State, seen: Observation) -> Action:
    silent = [node.name for node in seen.nodes if not node.seen or node.colour != "blue"]
    if silent and state.was_intended("flip-green"):
        return _end_unknown(state, seen, f"not read back as blue: {', '.join(silent)}")
    note = f"; {', '.join(silent)} did not answer and was never flipped" if silent else ""
    return _end_aborted(state, state.turned_because + note)


def _end_aborted(state: State, said: str) -> Action:
    return Action(do="end", phase="aborted", said=said or state.reason, outcome="aborted")


def _end_unknown(state: State, seen: Observation, said: str) -> Action:
    """Frozen: what is known, and what the operator must look at. The hold ends with its lease."""
    known = f"{said}; blue is {seen.blue}, green is {seen.green}; put back because: {state.turned_because}; {_BY_HAND}"
    return Action(do="end", phase="unknown", said=known, outcome="unknown")
