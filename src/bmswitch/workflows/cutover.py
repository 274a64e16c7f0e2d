"""The switch: lock, gate, prepared proof, then the loop until traffic is on the target, or back on the source.

Order: everything that takes time happens before the hold. An attempt that was interrupted is gone on with (`resume`) or put
back (`abort`); both rebuild what was done from the journal and look at reality anew.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bmswitch.journal.journal import Journal
from bmswitch.journal.lock import Lock
from bmswitch.model.accepting import refused
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, RefusedError, UnknownError
from bmswitch.model.guards import ask, refusals
from bmswitch.model.plan import Finding, Plan, approved
from bmswitch.model.switch import (
    Action,
    Entry,
    Limits,
    Observation,
    Powers,
    State,
    fold,
    may_abort,
    next_action,
)
from bmswitch.proxy.api import ProxyNode
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.breach import ended
from bmswitch.workflows.cutover_fits import refuse_other_nodes, refuse_other_plan
from bmswitch.workflows.cutover_result import SwitchResult, finish
from bmswitch.workflows.cutover_site import Site, open_site
from bmswitch.workflows.effects import RealWorld
from bmswitch.workflows.facts import at_gate
from bmswitch.workflows.history import remember_switch
from bmswitch.workflows.legs import JOURNAL
from bmswitch.workflows.plan import check_fresh, refuse_stops
from bmswitch.workflows.proof_files import load_proof
from bmswitch.workflows.prove import SwitchProof, open_switch_proof
from bmswitch.workflows.switch_loop import Book, Tell, run_switch

LOCK = "cutover.lock"
_PREPARE_TIMEOUT = 120.0


@dataclass
class Hooks:
    """What the command line lends: the line per journal entry, a note, the question, and the operator's Ctrl-C."""

    tell: Tell
    note: Callable[[str], None]
    confirm: Callable[[list[Finding]], None]
    stop: threading.Event


def start_switch(config: Config, plan: Plan, hooks: Hooks) -> SwitchResult:
    """A new attempt.

    Raises:
        BusyError: another cutover runs.
        RefusedError: a guard says no, or an earlier attempt is still open.
        StalePlanError, PlanError: blue is not what the plan was made for, or the plan itself says stop.
        AbortedError, UnknownError: how it ended, when not on green; with `result`.
    """
    with _locked(config, "cutover", hooks) as journal, open_site(config, plan) as site:
        _refuse_open_attempt(journal)
        check_fresh(plan, config)
        refuse_stops(plan)
        findings = examine(site)
        _refuse(findings, config)
        site.pieces.proof = _prepared(site, hooks)
        try:
            hooks.confirm(findings)
            _refuse(examine(site), config)
            _try_the_way(site, hooks)
            _refresh(site, site.pieces.proof, hooks)
            site.pieces.permit = journal.check
            world = RealWorld(site.pieces)
            try:
                book = Book(journal, world, hooks.tell)
                book.write(_start(config, plan, journal, site.pieces.nodes))
                return _ended(run_switch(world, book, _decide(hooks)), config, plan)
            finally:
                world.close()
        finally:
            site.pieces.proof.close()


def go_on(config: Config, plan: Plan, hooks: Hooks, *, abort: bool) -> SwitchResult:
    """Carries an interrupted attempt to its end, forward where that is safe, or back.

    Raises:
        RefusedError: there is nothing to go on with, other proxy nodes are configured, or putting back would lose a client's write.
        StalePlanError: it was begun with another plan, and the way is forward.
        AbortedError, UnknownError: how it ended, when not on green; with `result`.
    """
    with _locked(config, "cutover --abort" if abort else "cutover --resume", hooks) as journal:
        state = _last(journal)
        if state.outcome in ("switched", "aborted"):
            return _already(state, config, abort=abort)
        refuse_other_nodes(state, config)
        if note := refuse_other_plan(state, plan.id, abort=abort):
            hooks.note(note)
        with open_site(config, plan) as site:
            site.pieces.permit = journal.check
            world = RealWorld(site.pieces)
            try:
                book = Book(journal, world, hooks.tell)
                fence = _fence(journal, site.pieces.nodes)
                book.write(Entry(kind="resume", phase=state.phase, fence=fence, said="a new process goes on"))
                if abort and book.state.goal == "switch":
                    _turn_back(book, world.now_ms())
                return _ended(run_switch(world, book, _decide(hooks)), config, plan)
            finally:
                world.close()


def look_only(config: Config, plan: Plan) -> list[Finding]:
    """Every guard's answer, for `--dry-run`; nothing is touched."""
    with open_site(config, plan) as site:
        return examine(site, dry=True)


def examine(site: Site, *, dry: bool = False) -> list[Finding]:
    """Asks every guard now; `dry` leaves out the canary in the bucket."""
    facts = at_gate(site.config, site.plan, nodes=site.pieces.nodes, orphans=site.orphans_from, dry=dry)
    findings = ask(facts, "gate", site.plan.skips)
    if site.plan.back:  # the way back waits for nobody's signature
        return findings
    return [*findings, approved(site.plan, site.config.plan.approvals_needed)]


@contextlib.contextmanager
def _locked(config: Config, command: str, hooks: Hooks) -> Iterator[Journal]:
    run_dir = Path(config.run_dir)
    with Lock(run_dir / LOCK, command) as lock:
        if lock.taken_over:
            hooks.note(f"the lock was left behind: {lock.taken_over}; taken over")
        with Journal(run_dir / JOURNAL, still_ours=lock.check) as journal:
            if journal.cut:
                hooks.note(f"journal: {journal.cut}")
            yield journal


def _prepared(site: Site, hooks: Hooks) -> SwitchProof:
    """The proof brought up to date while traffic runs."""
    last = load_proof(Path(site.config.run_dir))
    if last is None:
        raise RefusedError(
            f"{site.config.standby} was never proven equal to {site.config.serving}",
            next_command="bmswitch verify",
        )
    proof = open_switch_proof(site.config, site.plan, last)
    try:
        _refresh(site, proof, hooks)
    except BaseException:
        proof.close()
        raise
    return proof


def _try_the_way(site: Site, hooks: Hooks) -> None:
    """A whole barrier, while traffic runs: the one in the hold is waited for after the demotion, where it is dear to fail.

    See docs/decisions/0005.
    """
    pieces, budget = site.pieces, site.config.budgets.barrier
    try:
        took = run_barrier(pieces.source, pieces.target, site.plan.source.domains, timeout=budget)
    except UnknownError as error:
        raise RefusedError(
            f"what is written on {site.config.serving} is not shown on {site.config.standby} in time",
            evidence=f"{error.cause}: {error.evidence}",
            consequence=f"traffic is on {site.config.serving}, untouched",
            next_command=error.next_command,
        ) from error
    hooks.note(f"a barrier passed in {took:.1f} s")


def _refresh(site: Site, proof: SwitchProof, hooks: Hooks) -> None:
    done = proof.prepare(timeout=_PREPARE_TIMEOUT)
    bad = refused(done.differences, site.plan.accepted)
    if bad:
        first = bad[0]
        raise RefusedError(
            f"{site.config.standby} differs from {site.config.serving} in {len(bad)} items that changed since the last proof",
            evidence=f"{first.type} {first.container} {first.item}: {first.what}",
            consequence=f"traffic is on {site.config.serving}, untouched",
            next_command="bmswitch verify",
        )
    hooks.note(f"proof brought up to date in {done.seconds:.1f} s: {done.proved} items, {done.waiting} left")


def _refuse(findings: list[Finding], config: Config) -> None:
    found = refusals(findings)
    if not found:
        return
    first = found[0]
    others = f" (and {len(found) - 1} more: {', '.join(f.guard for f in found[1:])})" if found[1:] else ""
    raise RefusedError(
        f"{first.guard}: {first.cause}{others}",
        evidence=first.evidence,
        consequence=f"traffic is on {config.serving}, untouched",
        next_command=first.command or "bmswitch cutover --dry-run shows every guard",
    )


def _refuse_open_attempt(journal: Journal) -> None:
    state = _newest(journal)
    if state.attempt and state.outcome not in ("switched", "aborted"):
        raise RefusedError(
            f"a switch is open: it stands at {state.phase} since {journal.entries[-1].at}",
            consequence="nothing was done",
            next_command="bmswitch cutover --resume, or bmswitch cutover --abort",
        )
    if state.outcome == "switched":
        raise RefusedError(
            f"the switch is done: {state.target} serves",
            consequence="nothing was done",
            next_command="bmswitch status; bmswitch standby, then bmswitch return, lead back",
        )


def _newest(journal: Journal) -> State:
    return fold(journal.entries) or State()


def _ended(state: State, config: Config, plan: Plan) -> SwitchResult:
    """The result, written into the site's history first: an end that is an error is remembered, too."""
    remember_switch(config, plan, state)
    return ended(state, config)


def _last(journal: Journal) -> State:
    state = _newest(journal)
    if not state.attempt:
        raise RefusedError("there is no switch to go on with", next_command="bmswitch cutover")
    return state


def _already(state: State, config: Config, *, abort: bool) -> SwitchResult:
    if abort and state.outcome == "switched":
        raise _point_of_no_return(state)
    return finish(state, Path(config.run_dir), config.soak)


def _turn_back(book: Book, now_ms: int) -> None:
    if not may_abort(book.state, now_ms):
        raise _point_of_no_return(book.state)
    book.write(
        Entry(kind="abort", phase="aborting", fence=book.state.fence + 1, said="asked by the operator")
    )


def _point_of_no_return(state: State) -> RefusedError:
    return RefusedError(
        f"{state.target} may have taken clients' writes: putting {state.source} back would lose them",
        evidence=f"a node pointed at {state.target} without a hold",
        consequence="nothing was done",
        next_command="--resume if it has not ended; else bmswitch standby, then bmswitch return",
    )


def _start(config: Config, plan: Plan, journal: Journal, nodes: list[ProxyNode]) -> Entry:
    core = config.source.core
    return Entry(
        kind="start",
        source=config.serving,
        fence=_fence(journal, nodes),
        plan_id=plan.id,
        nodes=[node.name for node in config.proxies],
        said="; ".join([f"plan {plan.id}", *(f"{s.who} skips {s.guard}: {s.reason}" for s in plan.skips)]),
        limits=Limits.of(config.budgets, core.timeout, config.soak.seconds),
        powers=Powers.of(config.source),
    )


def _fence(journal: Journal, nodes: list[ProxyNode]) -> int:
    """Above every number of the journal and of the nodes: also when the journal was moved away."""
    seen = [entry.fence for entry in journal.entries]
    for node in nodes:
        with contextlib.suppress(BmswitchError):
            seen.append(node.read().fence)
    return max(seen, default=0) + 1


def _decide(hooks: Hooks) -> Callable[[State, Observation], Action]:
    """The model's decision; Ctrl-C turns back where that loses nothing, and is passed over, with a word, where it would."""
    told = False

    def decide(state: State, seen: Observation) -> Action:
        nonlocal told
        asked = hooks.stop.is_set() and state.goal == "switch" and not state.outcome
        if asked and may_abort(state, seen.now_ms):
            return Action(do="abort", phase="aborting", said="stopped by the operator")
        if asked and not told:
            hooks.note(f"too late to turn back: {state.target} may have taken clients' writes; going on")
            told = True
        return next_action(state, seen)

    return decide
