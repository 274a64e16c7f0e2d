"""The way from the source (which serves) to the target (its clone): one small function per phase, each pure.

A step answers with the next action of its phase, or with None when its phase is complete. The first step that answers wins,
so a step never has to know what comes after it.
"""

from collections.abc import Callable

from bmswitch.model.switch.facts import (
    CLONING,
    DEMOTED,
    RUNNING,
    SILENT,
    UNKNOWN,
    Action,
    Observation,
    Phase,
    Verb,
)
from bmswitch.model.switch.state import State

QUIET_LOOKS = 3
"""Looks in a row that must find nothing running on the source (proxy-cutover.md 9, rule 2)."""

RETRY_MS = 100
"""Shortest time between two tries of the same effect."""

Step = Callable[[State, Observation], Action | None]

_MUST_BE_YES: tuple[Verb, ...] = (
    "barrier",
    "demote-source",
    "settle",
    "prove",
    "stop-source",
    "revoke-source",
)


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
        "revoke": limits.fence,
        "promote": limits.promote,
        "flip": limits.flip,
        "release": limits.flip,
        "soak": limits.soak + limits.restart,
    }.get(phase, 0)
    return state.since_ms + allowed if allowed else 0


def turn_back_because(state: State, seen: Observation) -> str:
    """Why the switch must be put back now; empty when it may go on.

    Before the promotion every doubt is a reason. After it, with the source's core proven stopped under the hold, none is left:
    only the target can take writes, and going on is both the shortest and the only lossless way.
    """
    if not state.was_intended("promote-target"):
        return _doubt_before_promotion(state, seen)
    if not promoted(state):
        if state.answer("promote-target") == "no":
            return f"{state.target} was not promoted: {state.results['promote-target'].said or 'it refused'}"
        return _late(state, seen) if state.phase == "promote" else ""
    if not state.source_gone and not state.was_intended("flip-target") and hold_lapsed(state, seen):
        return f"the hold has lapsed before the flip, and {state.source}'s core was not proven stopped"
    return ""


def _doubt_before_promotion(state: State, seen: Observation) -> str:
    strays = [node.name for node in seen.nodes if node.seen and node.colour == state.target]
    doubts = {
        f"the wall clock has jumped by {seen.drift_ms} ms: a hold's expiry can not be trusted": (
            abs(seen.drift_ms) > state.limits.drift
        ),
        f"the hold has lapsed{_where(state, seen)}": hold_lapsed(state, seen),
        f"another process began it: nothing here proves that {state.target} equals {state.source}": (
            state.resumed > 0 and not state.yes("prove")
        ),
        f"{', '.join(strays)} points at {state.target} although nobody flipped it": bool(strays),
        f"{state.target} is {seen.target}, not {CLONING}: somebody promoted or demoted it": seen.target
        in (RUNNING, DEMOTED),
        f"{state.source} serves again although it was demoted": state.yes("demote-source")
        and seen.source == RUNNING,
    }
    found = next((said for said, so in doubts.items() if so), "") or _failed(state) or _late(state, seen)
    return found + _unread(state, seen) if found else ""


def _unread(state: State, seen: Observation) -> str:
    """What can not be read now: often the cause of a lapsed hold or a missed deadline, and never one by itself."""
    silent = [node.name for node in seen.nodes if not node.seen]
    cores = {state.target: seen.target}
    if not state.was_intended("stop-source"):
        cores[state.source] = seen.source
    silent += [f"{name}'s core" for name, core in cores.items() if core in (SILENT, UNKNOWN)]
    return f"; no answer from: {', '.join(silent)}" if silent else ""


def _where(state: State, seen: Observation) -> str:
    """The nodes that say so by themselves while the hold should be in force."""
    edge = seen.now_ms + state.limits.margin
    free = [node.name for node in seen.nodes if node.seen and node.hold_until_ms <= edge]
    return f" on {', '.join(free)}" if free and state.in_force(seen.now_ms) else ""


def _failed(state: State) -> str:
    for verb in _MUST_BE_YES:
        result = state.results.get(verb)
        if result is not None and result.answer != "yes":
            return f"{verb} answered {result.answer}" + (f": {result.said}" if result.said else "")
    return ""


def _late(state: State, seen: Observation) -> str:
    end = deadline(state, state.phase)
    if end and seen.now_ms > end:
        still = f"; still on {state.source}: {seen.left}" if state.phase == "drain" and seen.left else ""
        return f"phase {state.phase} missed its deadline of {end - state.since_ms} ms{still}"
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


_NEED_THE_HOLD: frozenset[Verb] = frozenset(
    {"demote-source", "stop-source", "revoke-source", "promote-target"}
)


def comes_too_late(state: State, verb: Verb, now_ms: int) -> bool:
    """Asked again in the very moment of doing: the process may have stood still since it decided.

    What is only right under the hold is left undone when the hold has ended meanwhile. An effect that was begun before, by this
    process or by one that died, is not asked: it may have happened already, and a `no` now would hide that.
    """
    begun_before = state.tries.get(verb, 0) > 1 or verb in state.lost
    if state.goal != "switch" or verb not in _NEED_THE_HOLD or begun_before:
        return False
    return not state.in_force(now_ms)


def promoted(state: State) -> bool:
    """The target was read back RUNNING and accepted a probe write."""
    return state.yes("promote-target") and state.yes("probe-target")


def gate(state: State, seen: Observation) -> Action | None:
    """Nothing is touched before every node is read back the source and free, the source RUNNING and the target CLONING."""
    if state.was_intended("hold"):
        return None
    unseen = [node.name for node in seen.nodes if not node.seen]
    held = [node.name for node in seen.nodes if node.hold_until_ms > seen.now_ms]
    astray = [node.name for node in seen.nodes if node.seen and node.colour != state.source]
    doubts = [f"{name} does not answer" for name in unseen] + [f"{name} is held by another" for name in held]
    doubts += [f"{name} does not point at {state.source}" for name in astray]
    if seen.source != RUNNING:
        doubts.append(f"{state.source} is {seen.source}")
    if seen.target != CLONING:
        doubts.append(f"{state.target} is {seen.target}")
    return wait("gate", "; ".join(doubts)) if doubts else None


def hold(state: State, seen: Observation) -> Action | None:
    """New requests and connections wait in the proxies; renewed while the switch goes on, never beyond the budget.

    A node that is not seen now may be back without its hold (restarted from an older state): holding it again would hide
    the gap, so nothing is renewed until it is seen, or the hold lapses. With the source stopped there is nothing to hide.
    Once a release was begun nothing is held again, also when a node that was given up is flipped at last.
    """
    if state.yes("flip-target") or state.was_intended("release"):
        return None
    standing = state.hold_until_ms > 0
    phase: Phase = state.phase if standing else "hold"
    unseen = not state.source_gone and not all(node.seen for node in seen.nodes)
    if standing and (unseen or hold_lapsed(state, seen)):
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
    """Kept sessions of the source end, mail before websockets before long polls; they come back through the proxy and are held."""
    if not state.powers.kick or state.answered("kick"):
        return None
    return effect(state, seen, "kick", "kick", f"end kept sessions on {state.source}")


def drain(state: State, seen: Observation) -> Action | None:
    """What already ran on the source finishes: three looks in a row find no request and no connection."""
    if state.yes("drain"):
        return None
    if seen.quiet_looks < QUIET_LOOKS or not held_everywhere(state, seen):
        return wait("drain", f"requests and sessions on {state.source} are finishing")
    return effect(state, seen, "drain", "drain", f"nothing runs on {state.source} any more")


def barrier(state: State, seen: Observation) -> Action | None:
    """A nonce per partition is written on the source. `settle` waits until the target shows all of them."""
    return effect(
        state, seen, "barrier", "barrier", f"one nonce per partition, from {state.source} to {state.target}"
    )


def fence(state: State, seen: Observation) -> Action | None:
    """The source is demoted, its log stands still and the barrier has passed: the target has applied all that was written
    before, and nothing can be added. One wait for both, as the source's producer lingers over nonces and farewell alike
    (docs/decisions/0005).
    """
    if not state.yes("demote-source"):
        if not held_everywhere(state, seen) or seen.target != CLONING:
            return wait(
                "fence",
                f"every node must hold and {state.target} be a clone before {state.source} is demoted",
            )
        return effect(state, seen, "demote-source", "fence", f"demote {state.source}")
    return effect(
        state,
        seen,
        "settle",
        "fence",
        f"{state.source}'s log must stand still, and {state.target} show the barrier",
    )


def prove(state: State, seen: Observation) -> Action | None:
    """Everything touched since the last full proof is read on both sides and equal."""
    return effect(state, seen, "prove", "prove", f"prove that {state.target} equals {state.source}")


def stop_old(state: State, seen: Observation) -> Action | None:
    """The source's core is stopped: timers, unfenced tables and reminders can not write any more."""
    if not state.powers.stop or state.yes("stop-source"):
        return None
    if not held_everywhere(state, seen) or seen.target != CLONING:
        said = f"every node must hold and {state.target} be a clone before {state.source} is stopped"
        return wait("stop-old", said)
    return effect(state, seen, "stop-source", "stop-old", f"stop {state.source}'s core")


def revoke(state: State, seen: Observation) -> Action | None:
    """The source's rights to write to the bucket and to its log are withdrawn (docs/decisions/0004).

    Not before the proof, which reads the source, nor before its core is stopped, which may still write what it had
    acknowledged. Not after the promotion: from then on nothing may stand between the target and its clients.
    """
    if not state.powers.revoke or state.yes("revoke-source"):
        return None
    if not held_everywhere(state, seen):
        return wait("revoke", f"every node must hold before {state.source}'s rights are withdrawn")
    return effect(state, seen, "revoke-source", "revoke", f"withdraw {state.source}'s rights to write")


def promote(state: State, seen: Observation) -> Action | None:
    """The target leads: state and a probe write are read back."""
    if promoted(state):
        return None
    if not state.was_intended("promote-target"):
        if state.cap_ms - seen.now_ms < state.limits.flip + state.limits.margin:
            said = f"too little of the hold is left to promote and flip{_unread(state, seen)}"
            return Action(do="abort", phase="aborting", said=said)
        if not held_everywhere(state, seen) or seen.target != CLONING:
            return wait(
                "promote", f"every node must hold and {state.target} be a clone before it is promoted"
            )
    if not state.yes("promote-target"):
        return effect(state, seen, "promote-target", "promote", f"promote {state.target}")
    return effect(state, seen, "probe-target", "promote", f"write to {state.target} and read it back")


def flip(state: State, seen: Observation) -> Action | None:
    """Every frontend of every node points at the target. Nodes that do not answer are given up after the deadline, by name."""
    if state.yes("flip-target"):
        return None
    given_up = (
        state.phase == "flip" and state.answered("flip-target") and seen.now_ms > deadline(state, "flip")
    )
    if given_up or state.tries.get("release") or state.tries.get("soak"):
        return None
    if not state.source_gone and not state.was_intended("flip-target"):
        left = state.hold_until_ms - seen.now_ms
        if left < state.limits.margin or not held_everywhere(state, seen):
            return wait("flip", "every node must hold before the flip")
    return effect(state, seen, "flip-target", "flip", f"point every frontend at {state.target}")


def release(state: State, seen: Observation) -> Action | None:
    """Held requests go on to the target: from here on only `return` leads back."""
    if state.yes("release"):
        return None
    given_up = (
        state.phase == "release" and state.answered("release") and seen.now_ms > deadline(state, "release")
    )
    if given_up or state.tries.get("soak"):
        return None
    if "hold" in seen.running:
        return wait(state.phase, "a renewal of the hold is under way: it must not come after the release")
    return effect(state, seen, "release", "release", f"let held requests go on to {state.target}")


def soak(state: State, seen: Observation) -> Action | None:
    """Every frontend is used as a person would, and sessions left on the source are ended; a breach is told, traffic stays."""
    if state.answered("soak"):
        return None
    return effect(state, seen, "soak", "soak", "probe every frontend as a client")


def finish(state: State, seen: Observation) -> Action:
    """The end of the way forward."""
    if not (state.yes("flip-target") and state.yes("release")):
        result = (
            state.results.get("release") if state.yes("flip-target") else state.results.get("flip-target")
        )
        said = (
            f"{state.target} serves, but not every proxy node was read back: {result.said if result else ''}"
        )
        return Action(do="end", phase="unknown", said=said, outcome="unknown")
    astray = [node.name for node in seen.nodes if node.seen and node.colour == state.source]
    said = f"{', '.join(astray)} points at {state.source} again, set back by another hand" if astray else ""
    if not state.yes("soak"):
        said = "; ".join(filter(None, (said, state.results["soak"].said)))
    return Action(do="end", phase="done", said=f"soak: {said}" if said else "", outcome="switched")


STEPS: tuple[Step, ...] = (
    gate,
    hold,
    kick,
    drain,
    barrier,
    fence,
    prove,
    stop_old,
    revoke,
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
