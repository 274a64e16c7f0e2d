"""The invariants of `bmswitch.model.switch`, each a small function on the twins' own truth: what is broken, or nothing.

Those of `EACH_EVENT` are asked after every event, those of `EACH_LINE` after every journal line, `BEFORE_EFFECT` when an
effect begins, and `AT_END` when nothing is under way any more. `guarded` is asked after every decision.
"""

from collections.abc import Callable

from tests.simulation.cores import CoreTwin
from tests.simulation.proxies import Order, ProxyTwin
from tests.simulation.site import LIMITS, SKEW_MS, Site

from bmswitch.model.config import other
from bmswitch.model.switch import TRANSITIONS, Action, Entry, Observation, State, Verb, fold
from bmswitch.model.switch.facts import DEMOTED, RUNNING, SILENT

FORWARD_MS = LIMITS.hold + LIMITS.promote + LIMITS.flip
BACK_MS = FORWARD_MS + 3 * LIMITS.restart + LIMITS.latch
ROUNDING_MS = 200


class BrokenInvariantError(AssertionError):
    """An invariant does not hold; `number` is its number, the text says what is broken."""

    def __init__(self, number: int, said: str) -> None:
        super().__init__(f"invariant {number} is broken: {said}")
        self.number = number


def one_side_writes(site: Site) -> str:
    """1. Never do both sides accept clients' writes: not two leaders, and not one reached beside the other."""
    if site.source.leads() and site.target.leads():
        return "both sides lead"
    colour = site.nodes[0].colour
    if all(node.colour == colour for node in site.nodes):
        return ""
    reached = {node.colour for node in site.nodes if not node.holding()}
    if len(reached) == 2 and site.source.accepts(plain=False) and site.target.accepts(plain=False):
        return "clients reach both sides, and both accept writes"
    return ""


def never_neither_for_long(site: Site) -> str:
    """1. Nor does neither side lead for longer than the budget, counted while a runner is there and awake.

    Forward that is the hold, and the promotion and flip that may still run when it ends; back it is the restart of
    blue's core, up to three times. Not asked: without a runner (nobody is there to act, `--resume` is), when green is
    dead, and once the switch ended as *unknown*: there the operator was told that nobody writes.
    """
    if site.source.leads() or site.target.leads():
        site.leaderless_since = 0
        return ""
    site.leaderless_since = site.leaderless_since or site.clock.now
    if not site.awake_since or site.target.dead or site.state.outcome:
        return ""
    lasted = site.clock.now - max(site.leaderless_since, site.awake_since)
    allowed = FORWARD_MS if site.state.goal == "switch" else BACK_MS
    return f"no side accepts writes for {lasted} ms" if lasted > allowed + ROUNDING_MS else ""


def acknowledged_is_served(site: Site) -> str:
    """2. Whoever reaches a side that answers finds there every write that any client saw acknowledged.

    Left out: a demoted blue whose core can not be stopped (the guard `commands` warns), as an unreachable node may
    still point at it.
    """
    for node in site.nodes:
        owed = site.clients.owed[node.colour]
        if owed and not node.holding() and _answers(site, site.cores[node.colour]):
            return (
                f"{node.name} lets clients reach {node.colour}, which lacks {len(owed)} acknowledged writes"
            )
    return ""


def _answers(site: Site, core: CoreTwin) -> bool:
    return not core.dead and core.state != SILENT and (core.state != DEMOTED or site.powers.stop)


def answered_once(site: Site) -> str:
    """3. A request is answered once."""
    return f"{site.clients.twice} was answered twice" if site.clients.twice else ""


def held_within_budget(site: Site) -> str:
    """3. A held request goes on within the hold's budget, which is below the clients' own time limit."""
    for node in site.nodes:
        longest = node.longest_wait
        if node.waiting:
            longest = max(longest, site.clock.now - node.waiting[0].since)
        if longest > LIMITS.hold + SKEW_MS + ROUNDING_MS:
            return f"{node.name} held a request for {longest} ms"
    return ""


def late_changes_nothing(site: Site) -> str:
    """8. An order of an older attempt is refused by a node that has seen a newer one."""
    for node in site.nodes:
        if node.stale is not None:
            return f"{node.name} carried out a {node.stale.verb} of turn {node.stale.era} after one of turn {node.era}"
    return ""


def routing_before_release(site: Site, node: ProxyTwin, order: Order) -> str:
    """5. When a release of the way back reaches a node, this node points at blue, and blue takes writes."""
    if order.verb != "release" or site.state.goal != "abort" or order.era != site.era:
        return ""
    if node.colour != site.serving:
        return f"{node.name} was released on the way back while it points at {node.colour}"
    return (
        "" if site.source.leads() else f"released on the way back while {site.serving} is {site.source.seen}"
    )


def nothing_is_cut_short(site: Site, *, withheld: bool) -> str:
    """2. When the source's rights to write go, nothing that it acknowledged is on its way to its log any more.

    1. They come back only when the target does not lead. (Asked when the change arrives, however late.)
    """
    if withheld and (site.source.state == RUNNING or site.log.pending):
        return "the source's rights are withdrawn while it still writes to its log"
    return (
        ""
        if withheld or not site.target.leads()
        else "the source has its rights again while the target leads"
    )


_RANK: dict[str, int] = {
    "flip-source": 0,
    "demote-target": 1,
    "restore-source": 1,
    "stop-source": 1,
    "start-source": 1,
    "probe-source": 1,
    "release": 2,
}


def way_back_in_order(site: Site, entry: Entry, state: State) -> str:
    """5. The way back is routing, then write permission, then release."""
    rank = _RANK.get(entry.verb)
    if entry.kind != "intent" or state.goal != "abort" or not rank:
        return ""
    if not state.tries.get("flip-source"):
        return f"{entry.verb} on the way back before routing"
    if rank == 2 and state.was_intended("demote-source") and not state.yes("probe-source"):
        return "release on the way back before the source is proven to take writes"
    if rank == 2 and state.was_intended("revoke-source") and not state.yes("restore-source"):
        return "release on the way back before the source has its rights again"
    return ""


def proof_has_position(site: Site, entry: Entry, state: State) -> str:
    """6. Green is promoted only after a proof that states its position: the whole log, which does not grow any more."""
    if entry.kind != "intent" or entry.verb != "promote-target" or state.tries["promote-target"] > 1:
        return ""
    proof = state.results.get("prove")
    if proof is None or proof.answer != "yes":
        return "promoted without a proof"
    if proof.facts.get("position") != site.log.position():
        return (
            f"promoted with a proof for {proof.facts.get('position')}, the log ends at {site.log.position()}"
        )
    return "" if site.log.complete(site.log.ends()) else "promoted before the target had the whole log"


_TRUTH: dict[str, Callable[[Site], bool]] = {
    "demote-source": lambda site: site.source.state in (DEMOTED, SILENT),
    "stop-source": lambda site: site.source.state == SILENT,
    "revoke-source": lambda site: site.source.withheld,
    "restore-source": lambda site: not site.source.withheld,
    "promote-target": lambda site: site.target.state == RUNNING,
    "flip-target": lambda site: all(n.colour == other(site.serving) or n.forgot_at for n in site.nodes),
    "flip-source": lambda site: all(n.colour == site.serving or n.forgot_at for n in site.nodes),
    "probe-source": lambda site: site.source.leads(),
}


def yes_is_true(site: Site, entry: Entry, state: State) -> str:
    """7. What the journal calls done is done. An answer to a flip that comes after turning around tells of the past, and so
    does that of a node that has forgotten it since.
    """
    if entry.verb == ("flip-target" if state.goal == "abort" else "flip-source"):
        return ""
    if entry.kind != "effect" or entry.result is None or entry.result.answer != "yes":
        return ""
    true = _TRUTH.get(entry.verb)
    return f"{entry.verb} was called done and is not" if true and not true(site) else ""


_GUARDS = {(one.before, one.after): one for one in TRANSITIONS}


def guarded(state: State, seen: Observation, action: Action) -> str:
    """9. What is decided leads where the table allows it, and its guard says yes on its own."""
    if action.phase == state.phase:
        return ""
    known = _GUARDS.get((state.phase, action.phase))
    if known is None:
        return f"no transition leads from {state.phase} to {action.phase}"
    return (
        ""
        if known.guard(state, seen)
        else f"from {state.phase} to {action.phase} although {known.name} does not hold"
    )


def journal_comes_first(site: Site, verb: Verb, last: Entry | None) -> str:
    """4. An effect begins when its intent is the last line on the disk, with the fence that it carries."""
    if last is None or last.kind != "intent" or last.verb != verb:
        return f"{verb} began without being in the journal"
    return "" if last.fence == site.state.fence else f"{verb} began with another fence than its line"


def memory_is_journal(on_disk: list[Entry], in_memory: State) -> str:
    """4. Any prefix of the journal folds to the very state that the process had: nothing is kept in memory only."""
    return (
        ""
        if (fold(on_disk) or State()) == in_memory
        else "the process knew something that its journal does not"
    )


def said_is_so(site: Site, state: State) -> str:
    """7. An end that is told is so: every node points there and is free, and that side serves.

    A green that died after the promotion is the exception: the switch ends on green and tells the soak's breach, unless
    green died after the soak. So is a node that came back with an older state during the soak (told) or after it.
    """
    if state.outcome not in ("switched", "aborted"):
        return "" if state.outcome == "unknown" else f"the run ended as {state.outcome!r}"
    side = state.target if state.outcome == "switched" else state.source
    core: CoreTwin = site.cores[side]
    soaked = state.results.get("soak")
    told = state.reason.startswith("soak") or (soaked is not None and soaked.at_ms <= core.died_at)
    for node in site.nodes:
        knowable = not (soaked and (told or soaked.at_ms <= node.forgot_at))
        if (node.colour != side and knowable) or node.holding():
            return f"said to be on {side}, but {node.name} points at {node.colour} or holds"
    if core.withheld:
        return f"said to be on {side}, whose rights to write are withdrawn"
    return (
        ""
        if core.leads() or (side == state.target and core.dead and told)
        else f"said to be on {side}, which is {core.seen}"
    )


def unknown_only_while_it_is(site: Site, state: State) -> str:
    """7. *Unknown* is said only while something can not be known: with everything in reach again, an end is found.

    Left out: a green that died while it was told to lead, and a blue that can not be stopped and started.
    """
    excused = site.target.dead or not (site.powers.stop and site.powers.start)
    return (
        f"nothing is broken any more, and yet: {state.reason}"
        if state.outcome == "unknown" and not excused
        else ""
    )


def all_were_answered(site: Site, state: State) -> str:
    """3. No request was left without an answer."""
    del state
    left = site.clients.asked - len(site.clients.answered)
    return f"{left} requests were never answered" if left else ""


EACH_EVENT: tuple[tuple[int, Callable[[Site], str]], ...] = (
    (1, one_side_writes),
    (1, never_neither_for_long),
    (2, acknowledged_is_served),
    (3, answered_once),
    (3, held_within_budget),
    (8, late_changes_nothing),
)
EACH_LINE: tuple[tuple[int, Callable[[Site, Entry, State], str]], ...] = (
    (5, way_back_in_order),
    (6, proof_has_position),
    (7, yes_is_true),
)
AT_END: tuple[tuple[int, Callable[[Site, State], str]], ...] = (
    (3, all_were_answered),
    (7, said_is_so),
    (7, unknown_only_while_it_is),
)


def after_event(site: Site) -> Callable[[], None]:
    """The check after each event."""

    def check() -> None:
        for number, broken in EACH_EVENT:
            if said := broken(site):
                raise BrokenInvariantError(number, said)

    return check


def require(number: int, said: str) -> None:
    """Raises when something is said to be broken."""
    if said:
        raise BrokenInvariantError(number, said)
