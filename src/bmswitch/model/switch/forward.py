"""The way from blue to green: one small function per phase, each pure.

A step answers with the next action of its phase, or with None when its phase is complete. The first step that answers wins,
so a step never has to know what comes after it.
"""

from collections.abc import Callable

from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, Action, Observation, Phase, Verb
from bmswitch.model.switch.state import State

QUIET_LOOKS = 3
"""Looks in a row that must find nothing running on blue (proxy-cutover.md 9, rule 2)."""

RETRY_MS = 100
"""Shortest time between two tries of the same effect."""

Step = Callable[[State, Observation], Action | None]

_MUST_BE_YES: tuple[Verb, ...] = ("barrier", "demote-blue", "settle", "prove", "stop-blue")


def deadline(state: State, phase: Phase) -> int:
    """When a phase that began at `since_ms` must be complete; 0 for phases without a deadline."""
    limits = state.limits
    allowed = {
        "gate": limits.flip,
        "hold": limits.flip,
        "kick": limits.drain,
        "drain": limits.drain,
        "barrier": limits.barrier,
        "fence": limits.fence,
        "prove": limits.prove,
        "stop-old": limits.restart,
        "promote": limits.promote,
        "flip": limits.flip,
        "release": limits.flip,
        "soak": limits.soak + limits.restart,
    }.get(phase, 0)
    return state.since_ms + allowed if allowed else 0


def turn_back_because(state: State, seen: Observation) -> str:
    """Why the switch must be put back now; empty when it may go on.

    Before the promotion every doubt is a reason. After it, with blue's core proven stopped under the hold, none is left:
    only green can take writes, and going on is both the shortest and the only lossless way.
    """
    if not state.was_intended("promote-green"):
        return _doubt_before_promotion(state, seen)
    if not promoted(state):
        if state.answer("promote-green") == "no":
            return "green refused the promotion"
        return _late(state, seen) if state.phase == "promote" else ""
    if not state.blue_gone and not state.was_intended("flip-green") and hold_lapsed(state, seen):
        return "the hold has lapsed before the flip, and blue's core was not proven stopped"
    return ""


def _doubt_before_promotion(state: State, seen: Observation) -> str:
    strays = [node.name for node in seen.nodes if node.seen and node.colour == "green"]
    doubts = {
        f"the wall clock has jumped by {seen.drift_ms} ms: a hold's expiry can not be trusted": (
            abs(seen.drift_ms) > state.limits.drift
        ),
        "the hold has lapsed": hold_lapsed(state, seen),
        f"{', '.join(strays)} points at green although nobody flipped it": bool(strays),
        f"green is {seen.green}, not {CLONING}: somebody promoted or demoted it": seen.green
        in (RUNNING, DEMOTED),
        "blue serves again although it was demoted": state.yes("demote-blue") and seen.blue == RUNNING,
    }
    found = next((said for said, so in doubts.items() if so), "")
    return found or _failed(state) or _late(state, seen)


def _failed(state: State) -> str:
    for verb in _MUST_BE_YES:
        result = state.results.get(verb)
        if result is not None and result.answer != "yes":
            return f"{verb} answered {result.answer}" + (f": {result.said}" if result.said else "")
    return ""


def _late(state: State, seen: Observation) -> str:
    end = deadline(state, state.phase)
    if end and seen.now_ms > end:
        return f"phase {state.phase} missed its deadline of {end - state.since_ms} ms"
    return ""


def hold_lapsed(state: State, seen: Observation) -> bool:
    """The hold was acknowledged, and by our clock or by any node's own word it is no longer in force."""
    if state.hold_until_ms == 0:
        return False
    if not state.in_force(seen.now_ms):
        return True
    edge = seen.now_ms + state.limits.margin
    return any(node.seen and node.hold_until_ms <= edge for node in seen.nodes)


def held_everywhere(state: State, seen: Observation) -> bool:
    """Every node was read now, knows this attempt's fence, and holds with more than the margin left."""
    return not hold_lapsed(state, seen) and all(
        node.seen and node.fence == state.fence and node.hold_until_ms > 0 for node in seen.nodes
    )


def promoted(state: State) -> bool:
    """Green was read back RUNNING and accepted a probe write."""
    return state.yes("promote-green") and state.yes("probe-green")


def gate(state: State, seen: Observation) -> Action | None:
    """Nothing is touched before every node is read back blue and free, blue RUNNING and green CLONING."""
    if state.was_intended("hold"):
        return None
    unseen = [node.name for node in seen.nodes if not node.seen]
    held = [node.name for node in seen.nodes if node.hold_until_ms > seen.now_ms]
    astray = [node.name for node in seen.nodes if node.seen and node.colour != "blue"]
    doubts = [f"{name} does not answer" for name in unseen] + [f"{name} is held by another" for name in held]
    doubts += [f"{name} does not point at blue" for name in astray]
    if seen.blue != RUNNING:
        doubts.append(f"blue is {seen.blue}")
    if seen.green != CLONING:
        doubts.append(f"green is {seen.green}")
    return wait("gate", "; ".join(doubts)) if doubts else None


def hold(state: State, seen: Observation) -> Action | None:
    """New requests and connections wait in the proxies; renewed while the switch goes on, never beyond the budget."""
    if state.yes("flip-green"):
        return None
    standing = state.hold_until_ms > 0
    phase: Phase = state.phase if standing else "hold"
    if standing and hold_lapsed(state, seen):
        return None
    if "hold" in seen.running:
        return None if standing else wait("hold", "the proxies are taking up the hold")
    if seen.now_ms - state.intended.get("hold", -RETRY_MS) < RETRY_MS:
        return None if standing else wait("hold", "trying again in a moment")
    begun = state.hold_from_ms or seen.now_ms
    until = min(seen.now_ms + state.limits.lease, begun + state.limits.hold)
    action = Action(do="hold", phase=phase, said=f"hold for {until - seen.now_ms} ms", until_ms=until)
    if not standing:
        return action
    stale = any(node.seen and node.fence < state.fence for node in seen.nodes)
    short = state.hold_until_ms - seen.now_ms < state.limits.lease // 2 and until > state.hold_until_ms
    return action if stale or short else None


def kick(state: State, seen: Observation) -> Action | None:
    """Kept IMAP, SMTP and websocket sessions of blue end politely; they come back through the proxy and are held."""
    if not state.powers.kick or state.answered("kick"):
        return None
    return effect(state, seen, "kick", "kick", "end kept sessions on blue")


def drain(state: State, seen: Observation) -> Action | None:
    """What already ran on blue finishes: three looks in a row find no request and no connection."""
    if state.yes("drain"):
        return None
    if seen.quiet_looks < QUIET_LOOKS or not held_everywhere(state, seen):
        return wait("drain", "requests and sessions on blue are finishing")
    return effect(state, seen, "drain", "drain", "nothing runs on blue any more")


def barrier(state: State, seen: Observation) -> Action | None:
    """A nonce per partition, written on blue, is readable on green: all earlier writes have been applied there."""
    return effect(state, seen, "barrier", "barrier", "one nonce per partition, from blue to green")


def fence(state: State, seen: Observation) -> Action | None:
    """Blue is demoted and its log stands still: nothing can be added to what green must have."""
    if not state.yes("demote-blue"):
        if not held_everywhere(state, seen) or seen.green != CLONING:
            return wait("fence", "every node must hold and green be a clone before blue is demoted")
        return effect(state, seen, "demote-blue", "fence", "demote blue")
    return effect(state, seen, "settle", "fence", "blue's log must stand still")


def prove(state: State, seen: Observation) -> Action | None:
    """Everything touched since the last full proof is read on both sides and equal."""
    return effect(state, seen, "prove", "prove", "prove that green equals blue")


def stop_old(state: State, seen: Observation) -> Action | None:
    """Blue's core is stopped: timers, unfenced tables and reminders can not write any more."""
    if not state.powers.stop or state.yes("stop-blue"):
        return None
    if not held_everywhere(state, seen):
        return wait("stop-old", "every node must hold before blue is stopped")
    return effect(state, seen, "stop-blue", "stop-old", "stop blue's core")


def promote(state: State, seen: Observation) -> Action | None:
    """Green leads: state and a probe write are read back."""
    if promoted(state):
        return None
    if not state.was_intended("promote-green"):
        if state.cap_ms - seen.now_ms < state.limits.flip + state.limits.margin:
            return Action(
                do="abort", phase="aborting", said="too little of the hold is left to promote and flip"
            )
        if not held_everywhere(state, seen) or seen.green != CLONING:
            return wait("promote", "every node must hold and green be a clone before it is promoted")
    if not state.yes("promote-green"):
        return effect(state, seen, "promote-green", "promote", "promote green")
    return effect(state, seen, "probe-green", "promote", "write to green and read it back")


def flip(state: State, seen: Observation) -> Action | None:
    """Every frontend of every node points at green. Nodes that do not answer are given up after the deadline, by name."""
    if state.yes("flip-green"):
        return None
    given_up = (
        state.phase == "flip" and state.answered("flip-green") and seen.now_ms > deadline(state, "flip")
    )
    if given_up or state.tries.get("release"):
        return None
    if not state.blue_gone and not state.was_intended("flip-green"):
        left = state.hold_until_ms - seen.now_ms
        if left < state.limits.margin or not held_everywhere(state, seen):
            return wait("flip", "every node must hold before the flip")
    return effect(state, seen, "flip-green", "flip", "point every frontend at green")


def release(state: State, seen: Observation) -> Action | None:
    """Held requests go on to green: from here on only `return` leads back."""
    if state.yes("release"):
        return None
    given_up = (
        state.phase == "release" and state.answered("release") and seen.now_ms > deadline(state, "release")
    )
    if given_up or state.tries.get("soak"):
        return None
    return effect(state, seen, "release", "release", "let held requests go on to green")


def soak(state: State, seen: Observation) -> Action | None:
    """Every frontend is probed as a client would; a breach is reported, traffic stays."""
    if state.answered("soak"):
        return None
    return effect(state, seen, "soak", "soak", "probe every frontend as a client")


def finish(state: State, _seen: Observation) -> Action:
    """The end of the way forward."""
    if not (state.yes("flip-green") and state.yes("release")):
        result = state.results.get("release") if state.yes("flip-green") else state.results.get("flip-green")
        said = f"green serves, but not every proxy node was read back: {result.said if result else ''}"
        return Action(do="end", phase="unknown", said=said, outcome="unknown")
    breach = "" if state.yes("soak") else f"soak: {state.results['soak'].said}"
    return Action(do="end", phase="done", said=breach, outcome="switched")


STEPS: tuple[Step, ...] = (
    gate,
    hold,
    kick,
    drain,
    barrier,
    fence,
    prove,
    stop_old,
    promote,
    flip,
    release,
    soak,
    finish,
)


def effect(state: State, seen: Observation, verb: Verb, phase: Phase, said: str) -> Action | None:
    """The effect, unless it is proven (None), still at work or tried a moment ago (wait)."""
    if state.yes(verb):
        return None
    if verb in seen.running:
        return wait(phase, said)
    result = state.results.get(verb)
    if result is not None and seen.now_ms - result.at_ms < RETRY_MS:
        return wait(phase, f"{said}: {result.answer}, again in a moment")
    end = deadline(state, phase) if phase == state.phase else 0
    return Action(do=verb, phase=phase, said=said, deadline_ms=end or seen.now_ms + _allowed(state, phase))


def _allowed(state: State, phase: Phase) -> int:
    """What a phase that begins now may take."""
    return max(deadline(state, phase) - state.since_ms, 0) or state.limits.restart


def wait(phase: Phase, said: str) -> Action:
    """Look again in a moment."""
    return Action(do="wait", phase=phase, said=said)
