"""The effects in simulated time, each as the real one: act, then read back; answers are slow, lost, or come late."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from tests.simulation.cores import LINGER_MS, PARTITIONS, CoreTwin
from tests.simulation.faults import Fault, Kind
from tests.simulation.invariants import nothing_is_cut_short, require, routing_before_release
from tests.simulation.proxies import Order, ProxyTwin
from tests.simulation.world import World

from bmswitch.model.switch import Action, Answer, Result, State, Verb
from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT

CALL_TIMEOUT_MS = 400
CORE_LATE_MS = 800
"""How long after its caller gave up a core may still act on a call (`Limits.late` is 1000)."""

_CAN_BE_LATE: frozenset[Verb] = frozenset(get_args(Verb)) - {
    "drain",
    "settle",
    "prove",
    "soak",
    "stop-source",
    "start-source",
}
_FATES: tuple[Kind, ...] = ("slow-answer", "lost-request", "lost-answer")
_YES = Result(answer="yes")
_NO_ANSWER = Result(answer="unknown", said="no answer in time")


class SimWorld(World):
    """One life of the runner."""

    def start(self, verb: Verb, action: Action, state: State) -> None:
        """The effect by its name."""
        effect: Callable[[Verb, Action, State], None] = getattr(self, "_" + verb.replace("-", "_"))
        effect(verb, action, state)

    def _answer(self, verb: Verb, result: Result) -> None:
        if verb in self.running:
            self.ready.append((verb, result))

    def _fate(self, verb: Verb, state: State) -> Fault | None:
        kinds = (*_FATES, "late-effect") if verb in _CAN_BE_LATE else _FATES
        fault = self.site.hand.due(kinds, state.phase)
        if fault:
            self.site.say_fault(fault, verb=verb)
        return fault

    def _call(
        self,
        verb: Verb,
        state: State,
        took: int,
        act: Callable[[], None],
        read: Callable[[], Result],
        *,
        until: int = 0,
    ) -> None:
        """One call: it arrives and acts, then its caller reads back until it is as wanted or time is up."""
        fault = self._fate(verb, state)
        fate = fault.kind if fault else ""
        slow = fault.ms if fault and fate == "slow-answer" else 0

        def arrive() -> None:
            act()
            if fate != "lost-answer":
                self.clock.after(2, look)

        def look() -> None:
            result = read()
            if result.answer == "unknown" and self.clock.now < until:
                self.clock.after(10, look)
            else:
                self._answer(verb, result)

        if fate == "late-effect" and fault:
            longest = self.site.state.limits.latch // 2 if verb == "promote-target" else CORE_LATE_MS
            self._late(min(fault.ms, longest), act)
        elif fate != "lost-request":
            self.clock.after(took + slow, arrive)
        if fate in ("lost-request", "lost-answer", "late-effect"):
            self.clock.after(CALL_TIMEOUT_MS, lambda: self._answer(verb, _NO_ANSWER))

    def _late(self, ms: int, act: Callable[[], None]) -> None:
        """The call arrives `ms` after its caller gave up, or was killed."""
        sent: list[bool] = []

        def give_up() -> None:
            if not sent:
                sent.append(True)
                self.clock.after(ms, act)

        self.unheard.append(give_up)
        self.clock.after(CALL_TIMEOUT_MS, give_up)

    def _order(self, verb: Verb, state: State, order: Order) -> None:
        """The same order to every node, side by side; yes when all of them acknowledged and read back as ordered."""
        fault = self._fate(verb, state)
        said: dict[str, str] = {node.name: "no answer" for node in self.site.nodes}
        ends = [self._one(node, n, order, said, fault) for n, node in enumerate(self.site.nodes)]

        def answer() -> None:
            wrong = {name: word for name, word in said.items() if word}
            word: Answer = "no" if "old fence" in wrong.values() else "unknown" if wrong else "yes"
            self._answer(
                verb, Result(answer=word, said="; ".join(f"{name}: {why}" for name, why in wrong.items()))
            )

        self.clock.after(min(max(ends), CALL_TIMEOUT_MS) + 1, answer)

    def _one(
        self, node: ProxyTwin, number: int, order: Order, said: dict[str, str], fault: Fault | None
    ) -> int:
        """Sends the order to one node; when its answer is there."""

        def deliver(*, heard: bool) -> None:
            if node.deaf:
                return
            require(5, routing_before_release(self.site, node, order))
            word = (
                "old fence" if not node.obey(order) else "" if order.done_on(node) else "reads back otherwise"
            )
            if heard:
                said[node.name] = word

        took = self.chance.between(1, 15)
        fate = (
            fault.kind if fault and (fault.node == -1 or fault.node % len(self.site.nodes) == number) else ""
        )
        if fate == "slow-answer" and fault:
            took += fault.ms
            self.clock.after(took, lambda: deliver(heard=True))
            return min(took, CALL_TIMEOUT_MS)
        if fate == "late-effect":
            self.site.late(lambda: deliver(heard=False))
        elif fate == "lost-answer":
            self.clock.after(took, lambda: deliver(heard=False))
        elif not fate:
            self.clock.after(took, lambda: deliver(heard=True))
            return CALL_TIMEOUT_MS if node.deaf else took
        return CALL_TIMEOUT_MS

    def _hold(self, verb: Verb, action: Action, state: State) -> None:
        self._order(verb, state, Order("hold", state.fence, self.site.era, until_ms=action.until_ms))

    def _flip_target(self, verb: Verb, _action: Action, state: State) -> None:
        self._order(verb, state, Order("flip", state.fence, self.site.era, colour=state.target))

    def _flip_source(self, verb: Verb, _action: Action, state: State) -> None:
        self._order(verb, state, Order("flip", state.fence, self.site.era, colour=state.source))

    def _release(self, verb: Verb, _action: Action, state: State) -> None:
        self._order(verb, state, Order("release", state.fence, self.site.era))

    def _kick(self, verb: Verb, action: Action, state: State) -> None:
        """Kind after kind, one session at a time; a session that stays is found by the drain."""
        stays = self.site.hand.due(("session-stays",), state.phase)
        if stays:
            self.site.say_fault(stays)

        def step() -> None:
            there = self.site.clients.kept(state.source)[1 if stays else 0 :]
            if there and self.clock.now < action.deadline_ms:
                there[0].end()
                self.clock.after(2, step)

        def ended() -> Result:
            left = self.site.clients.kept(state.source)
            return (
                Result(answer="no", said=f"still on {state.source}: {len(left)} sessions") if left else _YES
            )

        self._call(verb, state, self.chance.between(5, 30), step, ended, until=action.deadline_ms)

    def _drain(self, verb: Verb, _action: Action, _state: State) -> None:
        self._answer(verb, _YES)

    def _barrier(self, verb: Verb, action: Action, state: State) -> None:
        """Writes a nonce per partition on the source; `settle` looks for all of them on the target."""
        log, source = self.site.log, self.site.source
        self.site.barriers += 1
        self.site.nonces = [f"nonce{self.site.barriers}-{partition}" for partition in range(PARTITIONS)]
        nonces = list(enumerate(self.site.nonces))

        def put(partition: int, nonce: str) -> None:
            if source.leads():
                source.store.add(nonce)
                log.publish(partition, nonce)

        def write() -> None:
            for partition, nonce in nonces:
                self.clock.after(self.chance.between(1, 90), partial(put, partition, nonce))

        def written() -> bool:
            return all(nonce in source.store for _, nonce in nonces)

        self._polled(verb, state, write, lambda: self._poll(verb, action.deadline_ms, written))

    def _polled(self, verb: Verb, state: State, act: Callable[[], None], poll: Callable[[], None]) -> None:
        """A call, then looks until it is so."""
        fault = self._fate(verb, state)
        fate = fault.kind if fault else ""
        if fault and fate == "late-effect":
            self._late(min(fault.ms, CORE_LATE_MS), act)
        elif fate != "lost-request":
            act()
        if fate in ("lost-request", "lost-answer", "late-effect"):
            self.clock.after(CALL_TIMEOUT_MS, lambda: self._answer(verb, _NO_ANSWER))
        else:
            self.clock.after(fault.ms if fault else self.chance.between(2, 20), poll)

    def _poll(self, verb: Verb, deadline: int, so: Callable[[], bool]) -> None:
        """Looks every 10 ms until it is so, or the deadline has passed."""
        if verb not in self.running:
            return
        if so():
            self._answer(verb, Result(answer="yes", facts={"position": self.site.log.position()}))
        elif self.clock.now >= deadline:
            self._answer(verb, Result(answer="unknown", said="not in time"))
        else:
            self.clock.after(10, partial(self._poll, verb, deadline, so))

    def _settle(self, verb: Verb, action: Action, state: State) -> None:
        begun, log = self.clock.now, self.site.log

        def settled() -> bool:
            still = self.clock.now - max(log.grown_ms, begun) > LINGER_MS
            return still and all(nonce in self.site.target.store for nonce in self.site.nonces)

        self._polled(verb, state, _only_read, lambda: self._poll(verb, action.deadline_ms, settled))

    def _prove(self, verb: Verb, action: Action, state: State) -> None:
        """Up to the log's ends as they are now. A new process has no proof to go on with."""
        ends, log = self.site.log.ends(), self.site.log
        if not self.fresh:
            self._answer(
                verb, Result(answer="unknown", said="a new process can not go on with another one's proof")
            )
        elif fault := self.site.hand.due(("proof-differs", "bucket-error"), state.phase):
            self.site.say_fault(fault)
            differs = fault.kind == "proof-differs"
            result = Result(answer="no" if differs else "unknown", said=fault.kind.replace("-", " "))
            self.clock.after(60, lambda: self._answer(verb, result))
        else:
            self._polled(
                verb,
                state,
                _only_read,
                lambda: self._poll(verb, action.deadline_ms, lambda: log.complete(ends)),
            )

    def _demote_source(self, verb: Verb, action: Action, state: State) -> None:
        self._demote(verb, action, state, self.site.source)

    def _demote_target(self, verb: Verb, action: Action, state: State) -> None:
        self._demote(verb, action, state, self.site.target)

    def _demote(self, verb: Verb, action: Action, state: State, core: CoreTwin) -> None:
        if core.cut:
            self.clock.after(CALL_TIMEOUT_MS, lambda: self._answer(verb, _NO_ANSWER))
            return
        took, until = self.chance.between(5, 40), action.deadline_ms
        self._call(verb, state, took, core.demote, lambda: _reads(core, DEMOTED), until=until)

    def _promote_target(self, verb: Verb, action: Action, state: State) -> None:
        target = self.site.target
        if fault := self.site.hand.due(("target-refuses", "false-success"), state.phase):
            self.site.say_fault(fault)
            target.refuses = fault.kind == "target-refuses"
            target.election_ms = 0 if target.refuses else fault.ms
        if target.cut:
            self.clock.after(CALL_TIMEOUT_MS, lambda: self._answer(verb, _NO_ANSWER))
            return
        self._call(
            verb, state, self.chance.between(10, 80), target.promote, self.promotion, until=action.deadline_ms
        )

    def promotion(self) -> Result:
        """`no` only when the target said so itself and is a clone still."""
        target = self.site.target
        refused = target.refuses and not target.dead and target.state == CLONING
        return Result(answer="no", said="refused") if refused else _reads(target, RUNNING)

    def _probe_target(self, verb: Verb, _action: Action, state: State) -> None:
        self._probe(verb, state, self.site.target)

    def _probe_source(self, verb: Verb, _action: Action, state: State) -> None:
        self._probe(verb, state, self.site.source)

    def _probe(self, verb: Verb, state: State, core: CoreTwin) -> None:
        def read() -> Result:
            return _YES if core.leads() and not core.cut else _NO_ANSWER

        self._call(verb, state, self.chance.between(3, 20), _only_read, read)

    def _stop_source(self, verb: Verb, _action: Action, state: State) -> None:
        """The operator's command: a child that goes on when its parent is killed."""
        self._command(verb, state, self.chance.between(20, 300), SILENT)

    def _start_source(self, verb: Verb, _action: Action, state: State) -> None:
        self._command(verb, state, self.chance.between(200, 1500), RUNNING)

    def _command(self, verb: Verb, state: State, took: int, wanted: str) -> None:
        source = self.site.source
        fault = self._fate(verb, state)
        fate = fault.kind if fault else ""
        self.site.commands += 1
        job = self.site.commands

        def act() -> None:
            if job != self.site.commands:
                return
            if source.cut or fate == "lost-request":
                self._answer(verb, Result(answer="unknown", said="the command failed"))
                return
            if wanted == SILENT:
                self.site.log.flush()
                source.state = SILENT
            elif source.state == SILENT:
                source.state = RUNNING
            good = fate != "lost-answer" and source.state == wanted
            self._answer(verb, _YES if good else Result(answer="unknown", said="the command failed"))

        self.clock.after(took + (fault.ms if fault and fate == "slow-answer" else 0), act)

    def _revoke_source(self, verb: Verb, action: Action, state: State) -> None:
        self._rights(verb, action, state, withheld=True)

    def _restore_source(self, verb: Verb, action: Action, state: State) -> None:
        self._rights(verb, action, state, withheld=False)

    def _rights(self, verb: Verb, action: Action, state: State, *, withheld: bool) -> None:
        """Rights are changed where they are kept, whether the core can be reached or not."""
        source = self.site.source

        def act() -> None:
            if (
                source is self.site.source
            ):  # else it comes after the sides were exchanged: a standby has nothing to lose
                require(2 if withheld else 1, nothing_is_cut_short(self.site, withheld=withheld))
            source.withheld = withheld

        def read() -> Result:
            return _YES if source.withheld == withheld else _NO_ANSWER

        self._call(verb, state, self.chance.between(5, 120), act, read, until=action.deadline_ms)

    def _soak(self, verb: Verb, _action: Action, state: State) -> None:
        def probed() -> Result:
            serves = self.site.target.leads()
            bad = [n.name for n in self.site.nodes if not serves or n.colour != state.target or n.deaf]
            return Result(answer="no" if bad else "yes", said=", ".join(bad))

        self._call(verb, state, 100, _only_read, probed)


def _reads(core: CoreTwin, wanted: str) -> Result:
    return (
        _YES
        if core.seen == wanted
        else Result(answer="unknown", said=f"reads {core.seen}, expected {wanted}")
    )


def _only_read() -> None:
    """The call changes nothing."""
