"""The real world of the switch: cores, log, proxies and the operator's commands, each effect in a thread of its own.

Effects run beside the loop, so that a lease is renewed while a slow one is still at work. The loop never waits long for
anything: what does not answer in time is not seen.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bmswitch.bluemind.client import Core
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Colour, Config
from bmswitch.model.errors import BmswitchError
from bmswitch.model.plan import Plan
from bmswitch.model.switch import VERBS, Action, Node, Observation, Result, State, Verb, comes_too_late
from bmswitch.model.switch.facts import UNKNOWN
from bmswitch.proxy.api import ProxyNode
from bmswitch.workflows import effects_core, effects_proxy
from bmswitch.workflows.commands import run_command
from bmswitch.workflows.effects_core import LINGER, Farewell, state_of
from bmswitch.workflows.effects_core import left as time_left
from bmswitch.workflows.effects_proxy import Watch
from bmswitch.workflows.kept_sessions import Ending, count, left
from bmswitch.workflows.log_right import LogRight
from bmswitch.workflows.promotion import load_promotion, save_promotion
from bmswitch.workflows.prove import SwitchProof
from bmswitch.workflows.rights import Run, SideRights
from bmswitch.workflows.soak_watch import result_of, save_report, watch_target

_TICK = 0.05
_QUICK_TICK = 0.01
_SPARE = 0.2
"""An effect that takes all of its time would miss its deadline: nobody would hear what it found."""
_SHOWN = 3
_MS = 1000


@dataclass
class Pieces:
    """What the effects work on. `target_ends` reads where the target's own log ends; `orphans` tells what the target missed in the orphans topic up to given end offsets.

    `proof` is None when an attempt is resumed or put back in a new process: then only the way back, or the way on
    after the promotion, can be gone. `permit` is asked right before each effect and raises when this process may not act any more.
    """

    config: Config
    plan: Plan
    source: Core
    target: Core
    nodes: list[ProxyNode]
    farewell: Farewell
    orphans: Callable[[dict[str, list[int]]], list[str]]
    target_ends: Callable[[], dict[str, list[int]]]
    proof: SwitchProof | None = None
    log: Path = field(default_factory=lambda: Path("commands.log"))
    permit: Callable[[], None] = lambda: None


class RealWorld:
    """One process's view; `close` ends its threads."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._base = (time.time(), time.monotonic())
        self._effects = ThreadPoolExecutor(8, thread_name_prefix="effect")
        self._looks = ThreadPoolExecutor(min(32, 2 * len(pieces.nodes) + 4), thread_name_prefix="look")
        self._orders = ThreadPoolExecutor(min(32, 2 * len(pieces.nodes) + 2), thread_name_prefix="order")
        self._watch = Watch(self._looks, pieces.nodes)
        self._changed = threading.Condition()
        self._running: Counter[Verb] = Counter()
        self._ready: list[tuple[Verb, Result]] = []
        self._quiet = 0
        self._left = ""
        self._demoted_at = 0.0

    def close(self) -> None:
        """Does not wait for an effect that hangs: each is bounded by its own deadline."""
        for pool in (self._effects, self._looks, self._orders):
            pool.shutdown(wait=False, cancel_futures=True)

    def now_ms(self) -> int:
        """The wall clock as it was at the start, moved on by the monotonic clock."""
        wall, steady = self._base
        return int((wall + time.monotonic() - steady) * _MS)

    def look(self, state: State) -> Observation:
        """What the next decision needs: each read costs time inside the hold.

        Once the source is gone for good nothing depends on it any more, nor on the hold once the promotion was asked for. After
        the soak the nodes are read once more: nobody may have set one back.
        """
        committed = state.goal == "switch" and state.source_gone and state.was_intended("promote-target")
        source = None if state.goal == "switch" and state.source_gone else self._core(self._pieces.source)
        target = None if committed else self._core(self._pieces.target)
        nodes = self._unread() if committed and not state.answered("soak") else self._watch.look()
        if state.phase == "drain":
            self._count_quiet(state.source)
        seen_source = source.result() if source else UNKNOWN
        seen_target = target.result() if target else UNKNOWN
        with self._changed:
            running = frozenset(verb for verb, count in self._running.items() if count > 0)
        now = self.now_ms()
        return Observation(
            now_ms=now,
            nodes=nodes,
            source=seen_source,
            target=seen_target,
            drift_ms=int(time.time() * _MS) - now,
            quiet_looks=self._quiet,
            left=self._left,
            running=running,
        )

    def begin(self, action: Action, state: State) -> None:
        """Starts the effect in a thread."""
        verb = VERBS[action.do]
        with self._changed:
            self._running[verb] += 1
        self._effects.submit(self._run, verb, action, state)

    def finished(self) -> list[tuple[Verb, Result]]:
        """Answers since the last call. An effect counts as running until its answer was taken: it must not begin twice."""
        with self._changed:
            ready, self._ready = self._ready, []
            self._running.subtract(verb for verb, _ in ready)
        return ready

    def pause(self, state: State) -> None:
        """Until an effect has answered, at most a tick."""
        with self._changed:
            if not self._ready:
                self._changed.wait(_QUICK_TICK if state.phase == "drain" else _TICK)

    def _run(self, verb: Verb, action: Action, state: State) -> None:
        begun = time.monotonic()
        try:
            self._pieces.permit()
            if comes_too_late(state, verb, self.now_ms()):
                result = Result(answer="no", said="not done: the hold had ended while bmswitch stood still")
            else:
                effect: Callable[[Action, State], Result] = getattr(self, verb.replace("-", "_"))
                result = effect(action, state)
        except BmswitchError as error:
            said = " ".join(part for part in (error.cause, error.evidence) if part)
            result = Result(answer="unknown", said=said)
        except Exception as error:  # noqa: BLE001 - a defect in an effect must end as an answer, or the loop waits for ever
            result = Result(answer="unknown", said=f"a defect of bmswitch: {type(error).__name__}")
        facts = {"took_ms": _since(begun), **result.facts}
        with self._changed:
            self._ready.append((verb, Result(answer=result.answer, said=result.said[:400], facts=facts)))
            self._changed.notify_all()

    def _core(self, core: Core) -> Future[str]:
        return self._looks.submit(state_of, core)

    def _unread(self) -> tuple[Node, ...]:
        return tuple(Node(name=node.name, seen=False) for node in self._pieces.nodes)

    def _count_quiet(self, colour: Colour) -> None:
        self._left = left(count(self._looks, self._pieces.nodes, colour))
        self._quiet = 0 if self._left else self._quiet + 1

    def deadline(self, action: Action) -> float:
        """An action's deadline on the monotonic clock."""
        return time.monotonic() + max(0, action.deadline_ms - self.now_ms()) / _MS

    def hold(self, action: Action, state: State) -> Result:
        """Every node holds until the new expiry."""
        return effects_proxy.hold(self._orders, self._pieces.nodes, action.until_ms, state.fence)

    def flip_target(self, _action: Action, state: State) -> Result:
        """Every node points at the target."""
        return effects_proxy.flip(self._orders, self._pieces.nodes, state.target, state.fence)

    def flip_source(self, _action: Action, state: State) -> Result:
        """Every node points at the source."""
        return effects_proxy.flip(self._orders, self._pieces.nodes, state.source, state.fence)

    def release(self, _action: Action, state: State) -> Result:
        """No node holds."""
        return effects_proxy.release(self._orders, self._pieces.nodes, state.fence)

    def kick(self, action: Action, state: State) -> Result:
        """Kept sessions end, kind after kind and some at a time, by the operator's command or by the proxies."""
        return self._ending(state).all(self.deadline(action) - _SPARE)

    def drain(self, _action: Action, _state: State) -> Result:
        """Nothing to do: the looks have found it."""
        return Result(answer="yes", facts={"quiet_looks": self._quiet})

    def barrier(self, _action: Action, _state: State) -> Result:
        """Written on the source, in every partition of every domain; `settle` waits for it on the target."""
        return effects_core.barrier(self._pieces.source, self._pieces.plan.source.domains)

    def demote_source(self, action: Action, _state: State) -> Result:
        """The source steps down; where its log ended before is remembered."""
        self._pieces.farewell.mark()
        result = effects_core.demote(self._pieces.source, self.deadline(action))
        self._demoted_at = time.monotonic()
        return result

    def settle(self, action: Action, state: State) -> Result:
        """The source's log stands still, its orphans hold nothing that the target missed, and the barrier has passed.

        While the source's producer lingers, the proof reads what was touched so far: the source does not change any more.
        """
        pieces, deadline = self._pieces, self.deadline(action)
        begun = time.monotonic()
        if pieces.proof is not None:
            pieces.proof.catch_up(timeout=LINGER)
        caught = {"catch_up_ms": _since(begun)}
        still, ends = pieces.farewell.settle(self._demoted_at, deadline)
        if still.answer != "yes":
            return still
        kept = self._effects.submit(self._keep_ends, ends)
        begun = time.monotonic()
        missed = pieces.orphans(ends)
        read = {"orphans_ms": _since(begun)}
        if missed:
            return Result(answer="no", said=f"{state.target} missed: {'; '.join(missed)}")
        written = state.results.get("barrier")
        through = effects_core.passed(pieces.target, pieces.plan.source.domains, written, deadline)
        begun = time.monotonic()
        kept.result(time_left(deadline))
        read["ends_ms"] = _since(begun)
        return msgspec.structs.replace(through, facts={**caught, **still.facts, **read, **through.facts})

    def _keep_ends(self, source: dict[str, list[int]]) -> None:
        """Where both logs stand before the promotion, for the way back."""
        save_promotion(Path(self._pieces.config.run_dir), source, self._pieces.target_ends())

    def prove(self, action: Action, _state: State) -> Result:
        """Parity of what was touched since the last proof."""
        if self._pieces.proof is None:
            return Result(answer="unknown", said="a new process can not go on with another one's proof")
        proof = self._pieces.proof.prove(timeout=time_left(self.deadline(action)) - 0.02)
        shown = [f"{d.type} {d.container} {d.item}: {d.what}" for d in proof.differences[:_SHOWN]]
        answer = {"equal": "yes", "different": "no"}.get(proof.verdict, "unknown")
        facts: dict[str, int | str] = {
            "containers": proof.containers,
            "items": proof.items,
            "position": effects_core.total(proof.position),
        }
        said = "; ".join([part for part in (proof.why, *shown) if part])
        if answer == "yes":
            return Result(answer="yes", said=said, facts=facts)
        return Result(answer="no" if answer == "no" else "unknown", said=said, facts=facts)

    def stop_source(self, action: Action, _state: State) -> Result:
        """The source's core is gone."""
        return effects_core.stop_core(
            self._pieces.source, lambda: self._command("stop"), self.deadline(action)
        )

    def start_source(self, action: Action, state: State) -> Result:
        """The source's core is RUNNING; in a log that both sides use, the target's addresses are overwritten with its own."""
        done = effects_core.start_core(
            self._pieces.source, lambda: self._command("start"), self.deadline(action)
        )
        shared = self._pieces.config.replication.mode == "shared"
        if done.answer != "yes" or not shared or not state.was_intended("promote-target"):
            return done
        return self._republished(done, state)

    def _republished(self, done: Result, state: State) -> Result:
        """A promoted target has named its servers' addresses in the log, by which reverse proxies find an installation."""
        try:
            self._pieces.source.republish_servers()
        except BmswitchError as error:
            said = f"the log still names {state.target}'s addresses: {error.cause} {error.evidence}".strip()
            return msgspec.structs.replace(done, said=said)
        said = f"{state.source}'s addresses are in the log again; what {state.target} logged since its promotion stays there"
        return msgspec.structs.replace(done, said=said)

    def revoke_source(self, action: Action, state: State) -> Result:
        """The source can write neither to the bucket nor to its log."""
        return self._rights(state.source).withdraw(self.deadline(action))

    def restore_source(self, action: Action, state: State) -> Result:
        """The source may write again, as before."""
        return self._rights(state.source).give_back(self.deadline(action))

    def promote_target(self, action: Action, state: State) -> Result:
        """The target is RUNNING; where both sides use one log, it is let write there first."""
        deadline = self.deadline(action)
        try:
            granted = self._log_right(state.target).grant(deadline)
        except BmswitchError as error:
            granted = Result(answer="no", said=f"{error.cause} {error.evidence}".strip())
        if granted.answer != "yes":
            said = f"{state.target} was not asked to lead: its right to write to the log could not be given: {granted.said}"
            return msgspec.structs.replace(granted, answer="no", said=said)
        return effects_core.promote(self._pieces.target, deadline)

    def demote_target(self, action: Action, state: State) -> Result:
        """The target steps down before it took a client's write; of a log that both sides use it loses its right again."""
        deadline = self.deadline(action)
        done = effects_core.demote(self._pieces.target, deadline)
        if done.answer == "yes":
            self._log_right(state.target).withhold(deadline)
        return done

    def probe_target(self, action: Action, _state: State) -> Result:
        """The target accepts an item write; where both sides use one log, that is in it."""
        pieces = self._pieces
        done = effects_core.probe(pieces.target, pieces.plan.source.domains[0])
        if done.answer != "yes" or pieces.config.replication.mode != "shared":
            return done
        known = load_promotion(Path(pieces.config.run_dir)).source
        return effects_core.logged(Topics(pieces.config.source.kafka), known, self.deadline(action))

    def probe_source(self, _action: Action, _state: State) -> Result:
        """The source accepts an item write."""
        return effects_core.probe(self._pieces.source, self._pieces.plan.source.domains[0])

    def soak(self, _action: Action, state: State) -> Result:
        """Every frontend works as a person expects, for the whole time, and nothing is left on the source."""
        report = watch_target(self._pieces.config, self._ending(state))
        save_report(Path(self._pieces.config.run_dir), report)
        return result_of(report)

    def _ending(self, state: State) -> Ending:
        core, log = self._pieces.config.source.core, self._pieces.log
        return Ending(
            self._orders,
            self._pieces.nodes,
            state.source,
            fence=state.fence,
            pace=self._pieces.config.sessions,
            argv=core.kick,
            run=lambda argv: run_command(argv, log, core.timeout, "kick"),
        )

    def _command(self, name: str) -> Result:
        core = self._pieces.config.source.core
        command = {"stop": core.stop, "start": core.start}[name]
        if command is None:
            return Result(answer="no", said=f"no {name} command is configured")
        return run_command(command, self._pieces.log, core.timeout, "core")

    def _rights(self, colour: Colour) -> SideRights:
        pieces = self._pieces
        return SideRights(
            pieces.config, colour, pieces.plan.source.installation_id, self._runs_for(colour), pieces.permit
        )

    def _log_right(self, colour: Colour) -> LogRight:
        pieces = self._pieces
        return LogRight(
            pieces.config, colour, pieces.plan.source.installation_id, self._runs_for(colour), pieces.permit
        )

    def _runs_for(self, colour: Colour) -> Run:
        """How one side's commands are run."""
        log, timeout = self._pieces.log, self._pieces.config.site(colour).core.timeout
        return lambda command, kind, most: run_command(command, log, min(timeout, most), kind)


def _since(begun: float) -> int:
    """Milliseconds since a monotonic moment."""
    return int((time.monotonic() - begun) * _MS)
