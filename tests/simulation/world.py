"""The runner's world in simulated time: what it sees, and the instants at which it is killed, frozen or stopped."""

from collections.abc import Callable

from tests.simulation.clock import Stream
from tests.simulation.faults import Fault, Kind
from tests.simulation.proxies import ProxyTwin
from tests.simulation.site import Site

from bmswitch.model.errors import BmswitchError
from bmswitch.model.switch import VERBS, Action, Node, Observation, Result, State, Verb, comes_too_late
from bmswitch.model.switch.facts import UNKNOWN

TICK_MS = 50
QUICK_TICK_MS = 10

_LOOK: frozenset[Kind] = frozenset(
    {
        "crash-waiting",
        "overtaken-waiting",
        "clock-jump",
        "operator-aborts",
        "node-unreachable",
        "node-restarts",
        "node-forgets",
        "node-disagrees",
        "source-unreachable",
        "target-unreachable",
        "target-dies",
    }
)
_JUMP_MS = 5000


class Killed(BaseException):
    """kill -9 of the runner, here and now."""


class World:
    """One life of the runner, without its effects. `fresh` when it began the attempt itself: only then it has a proof."""

    def __init__(self, site: Site, *, fresh: bool) -> None:
        self.site = site
        self.clock = site.clock
        self.fresh = fresh
        self.chance: Stream = site.clock.stream(f"network{site.era}")
        self.quiet = 0
        self.jumped = 0
        self.asked_to_stop = False
        self.second: Callable[[], None] = _nobody
        """Runs another process from its beginning to its end, while this one stands still."""
        self.permit: Callable[[], None] = _nobody
        """Raises when this process may not act any more."""
        self.overtaken = False
        self.running: set[Verb] = set()
        self.ready: list[tuple[Verb, Result]] = []
        self.unheard: list[Callable[[], None]] = []
        """Sends each late call on its last way: once its caller gives up or is gone."""
        site.awake_since = site.clock.now

    def now_ms(self) -> int:
        """The run's clock."""
        return self.clock.now

    def look(self, state: State) -> Observation:
        """Each node and core as it is read, in some 10 ms; the real one leaves out what no decision needs any more."""
        while fault := self.site.hand.due(_LOOK, state.phase):
            self._happens(fault)
        now = self.clock.now
        committed = state.goal == "switch" and state.source_gone and state.was_intended("promote-target")
        nodes = tuple(node.seen() for node in self.site.nodes)
        if committed:
            nodes = tuple(Node(name=node.name, seen=False) for node in self.site.nodes)
        source = UNKNOWN if state.goal == "switch" and state.source_gone else self.site.source.seen
        target = UNKNOWN if committed else self.site.target.seen
        self.clock.run_for(self.chance.between(0, 20))
        if fault := self.site.hand.due(("freeze-after-look",), state.phase):
            self._freeze(fault)
        quiet = state.phase == "drain" and self.is_quiet(state)
        self.quiet = self.quiet + 1 if quiet else 0
        return Observation(
            now_ms=now,
            nodes=nodes,
            source=source,
            target=target,
            drift_ms=self.jumped,
            quiet_looks=self.quiet,
            left="" if quiet else f"{len(self.site.clients.kept(state.source))} sessions",
            running=frozenset(self.running),
        )

    def is_quiet(self, state: State) -> bool:
        """Nothing runs on the source: no request and no kept session."""
        return self.site.clients.on(state.source) == 0

    def finished(self) -> list[tuple[Verb, Result]]:
        """Answers since the last call."""
        if self.ready and (fault := self.site.hand.due(("crash-after-effect",), self.site.state.phase)):
            self.kill(fault)
        ready, self.ready = self.ready, []
        self.running.difference_update(verb for verb, _ in ready)
        return ready

    def pause(self, state: State) -> None:
        """Until an effect has answered, at most a tick."""
        tick = QUICK_TICK_MS if state.phase == "drain" else TICK_MS
        self.clock.run_until(self.clock.now + tick, lambda: bool(self.ready))

    def begin(self, action: Action, state: State) -> None:
        """Starts an effect."""
        verb = VERBS[action.do]
        if verb in self.running:
            raise AssertionError(f"{verb} was begun twice")
        if fault := self.site.hand.due(("crash-before-effect",), state.phase):
            self.kill(fault)
        if fault := self.site.hand.due(("freeze-before-effect",), state.phase):
            self._freeze(fault)
        if fault := self.site.hand.due(("overtaken-before-effect",), state.phase):
            self.overtake(fault)
        self.running.add(verb)
        try:
            self.permit()
        except BmswitchError as error:
            self.ready.append((verb, Result(answer="unknown", said=error.cause)))
            return
        if comes_too_late(state, verb, self.clock.now):
            self.ready.append((verb, Result(answer="no", said="not done: the hold had ended")))
        else:
            self.start(verb, action, state)

    def start(self, verb: Verb, action: Action, state: State) -> None:
        """The effect itself: `effects.SimWorld`."""
        raise NotImplementedError

    def kill(self, fault: Fault) -> None:
        """The process is gone; what it sent is on its way."""
        for deliver in self.unheard:
            deliver()
        self.site.say_fault(fault)
        raise Killed

    def overtake(self, fault: Fault) -> None:
        """Another process takes over."""
        self.site.say_fault(fault)
        self.overtaken = True
        self.second()
        self.site.say("the first bmswitch goes on")

    def _freeze(self, fault: Fault) -> None:
        self.site.say_fault(fault)
        self.site.awake_since = 0
        self.clock.run_for(fault.ms)
        self.site.awake_since = self.clock.now

    def _happens(self, fault: Fault) -> None:
        if fault.kind == "crash-waiting":
            self.kill(fault)
        if fault.kind == "overtaken-waiting":
            self.overtake(fault)
            return
        hit = [
            node for n, node in enumerate(self.site.nodes) if fault.node in (-1, n % 3)
        ] or self.site.nodes[:1]
        self.site.say_fault(fault, node=", ".join(node.name for node in hit))
        until = self.clock.now + fault.ms
        if fault.kind == "clock-jump":
            self.jumped = _JUMP_MS
        elif fault.kind == "operator-aborts":
            self.asked_to_stop = True
        elif fault.kind == "target-dies":
            self.site.target.died_at = self.clock.now
        elif fault.kind == "source-unreachable":
            self.site.source.cut_until = until
        elif fault.kind == "target-unreachable":
            self.site.target.cut_until = until
        else:
            for node in hit:
                _disturb(node, fault)


def _nobody() -> None:
    """There is no second process."""


def _disturb(node: ProxyTwin, fault: Fault) -> None:
    until = node.clock.now + fault.ms
    if fault.kind == "node-restarts":
        node.restart(fault.ms)
    elif fault.kind == "node-forgets":
        node.forget(fault.ms)
    elif fault.kind == "node-disagrees":
        node.contradicts_until = until
    else:
        node.deaf_until = until
