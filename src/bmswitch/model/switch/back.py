"""The way back to the source: routing, write permission, release, in that order. Each step can be repeated and interrupted."""

from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT, Action, Observation, Verb
from bmswitch.model.switch.forward import RETRY_MS, Step, effect, hold_lapsed, wait
from bmswitch.model.switch.state import State

MAX_TRIES = 3
"""Restarts of the source's core before the operator is asked, and releases before a silent node is left to its lease."""

_CORE_EFFECTS: frozenset[Verb] = frozenset({"demote-source", "stop-source", "start-source", "probe-source"})
_BY_HAND = "remove /etc/bm/bm-core.disabled and restart bm-core, then `bmswitch cutover --abort`"


def may_abort(state: State, now_ms: int) -> bool:
    """Turning back loses nothing: the target has taken no client's write, as no node pointed at it without a hold."""
    if state.outcome == "switched" or state.was_intended("release"):
        return False
    if not state.was_intended("flip-target") or state.routed_back:
        return True
    return state.in_force(now_ms)


def next_step_back(state: State, seen: Observation) -> Action:
    """The next action of a switch that is being put back."""
    if not state.was_intended("hold"):
        return _end_aborted(state, "nothing was touched")
    if state.was_intended("flip-target") and not state.routed_back and not state.in_force(seen.now_ms):
        return Action(
            do="onward",
            phase="flip",
            said=f"{state.target} may have taken a client's write while the hold lapsed: only going on loses nothing",
        )
    if seen.now_ms - state.turned_ms > 3 * state.limits.restart + state.limits.latch:
        return _end_unknown(state, seen, f"{state.source} could not be brought back in time")
    for step in STEPS:
        action = step(state, seen)
        if action is not None:
            return action
    return _finish(state, seen)


def _renew(state: State, seen: Observation) -> Action | None:
    """Clients stay held while the source is made to serve, within the same budget."""
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
    """Every node points at the source and has seen the new fence: a late message of this attempt changes nothing any more.

    A node that does not answer is given up only when it was never told to point at the target. Else the target stays as it is
    until every node is proven back, or the hold lapses and the switch goes on.
    """
    may_be_target = state.was_intended("flip-target") and not state.routed_back
    if (
        not may_be_target
        and state.answered("flip-source")
        and seen.now_ms > state.turned_ms + state.limits.flip
    ):
        return None
    return effect(state, seen, "flip-source", "aborting", f"point every frontend at {state.source}")


def _target_is_harmless(state: State, seen: Observation) -> Action | None:
    """The source may only come back when the target is proven not to lead: otherwise both would take writes."""
    if not state.was_intended("promote-target") or state.yes("demote-target") or seen.target == DEMOTED:
        return None
    if "promote-target" in seen.running:
        return wait("aborting", "the promotion has not answered yet")
    if seen.target == RUNNING:
        return effect(
            state, seen, "demote-target", "aborting", f"demote {state.target}: it took no client's write"
        )
    if _never_led(state, seen):
        return None
    if seen.target != CLONING and seen.now_ms - state.turned_ms > state.limits.promote:
        return _end_unknown(state, seen, f"{state.target} was told to lead and can not be read")
    return wait("aborting", f"{state.target} is {seen.target} and may still be in its leader election")


def _never_led(state: State, seen: Observation) -> bool:
    """The target is a clone still, and no promotion can be under way: it was refused, or is older than any election."""
    refused = state.answer("promote-target") == "no" and "promote-target" not in state.lost
    old = seen.now_ms - _given_up_ms(state, "promote-target") >= state.limits.latch
    return (refused and seen.target in (CLONING, SILENT)) or (old and seen.target == CLONING)


def _given_up_ms(state: State, verb: Verb) -> int:
    """Until when a call of the way forward may have been on its way unheard. Its intent alone is too early."""
    return max(state.lost.get(verb, 0), state.intended[verb])


def _source_has_its_rights(state: State, seen: Observation) -> Action | None:
    """Rights that may have been withdrawn are given back: later than a late withdrawal can arrive, before the core starts."""
    if not state.was_intended("revoke-source") or state.yes("restore-source"):
        return None
    said = f"give {state.source} its rights to write back"
    unheard = "revoke-source" in state.lost or state.answer("revoke-source") in ("", "unknown")
    early = unheard and seen.now_ms - _given_up_ms(state, "revoke-source") < state.limits.late
    if early or "revoke-source" in seen.running:
        return wait("aborting", f"{said}: their withdrawal may still be under way")
    if state.answered("restore-source") and state.tries.get("restore-source", 0) >= MAX_TRIES:
        return _end_unknown(state, seen, f"{said}: tried {MAX_TRIES} times")
    return effect(state, seen, "restore-source", "aborting", said)


def _source_is_writable(state: State, seen: Observation) -> Action | None:
    """The source is RUNNING and accepted a probe write; a demoted core must be restarted (clone-and-api.md 2.8)."""
    if not state.was_intended("demote-source") or state.yes("probe-source"):
        return None
    if seen.running & _CORE_EFFECTS:
        return wait("aborting", f"{state.source}'s core is being worked on")
    stop_unclear = state.was_intended("stop-source") and not state.answer("stop-source")
    if seen.source == DEMOTED or stop_unclear:
        return _command(state, seen, "stop-source", f"stop {state.source}'s core, to start it as leader")
    if seen.source == SILENT:
        return _command(state, seen, "start-source", f"start {state.source}'s core")
    if seen.source == RUNNING and seen.now_ms - _given_up_ms(state, "demote-source") >= state.limits.late:
        return effect(state, seen, "probe-source", "aborting", f"write to {state.source} and read it back")
    return wait("aborting", f"{state.source} is {seen.source}; a late demotion may still arrive")


def _command(state: State, seen: Observation, verb: Verb, said: str) -> Action | None:
    """One of the operator's own commands, at most three times."""
    has = state.powers.stop if verb == "stop-source" else state.powers.start
    if not has:
        return _end_unknown(state, seen, f"no command to {said}")
    if state.tries.get(verb, 0) >= MAX_TRIES:
        return _end_unknown(state, seen, f"{said}: tried {MAX_TRIES} times")
    result = state.results.get(verb)
    if result is not None and seen.now_ms - result.at_ms < RETRY_MS:
        return wait("aborting", said)
    return Action(do=verb, phase="aborting", said=said, deadline_ms=seen.now_ms + state.limits.restart)


def _release(state: State, seen: Observation) -> Action | None:
    """Held requests go on to the source. A node that does not answer lets them go by itself when its lease ends."""
    if state.tries.get("release", 0) >= MAX_TRIES and state.answered("release"):
        return None
    if "hold" in seen.running:
        return wait("aborting", "a renewal of the hold is under way: it must not come after the release")
    return effect(state, seen, "release", "aborting", f"let held requests go on to {state.source}")


STEPS: tuple[Step, ...] = (
    _renew,
    _routing,
    _target_is_harmless,
    _source_has_its_rights,
    _source_is_writable,
    _release,
)


def _finish(state: State, seen: Observation) -> Action:
    silent = [node.name for node in seen.nodes if not node.seen or node.colour != state.source]
    if silent and state.was_intended("flip-target"):
        return _end_unknown(state, seen, f"not read back as {state.source}: {', '.join(silent)}")
    note = f"; {', '.join(silent)} did not answer and was never flipped" if silent else ""
    return _end_aborted(state, state.turned_because + note)


def _end_aborted(state: State, said: str) -> Action:
    return Action(do="end", phase="aborted", said=said or state.reason, outcome="aborted")


def _end_unknown(state: State, seen: Observation, said: str) -> Action:
    """Frozen: what is known, and what the operator must look at. The hold ends with its lease."""
    by_hand = f"on {state.source}: {_BY_HAND}"
    known = f"{said}; {state.source} is {seen.source}, {state.target} is {seen.target}; put back because: {state.turned_because}; {by_hand}"
    return Action(do="end", phase="unknown", said=known, outcome="unknown")
