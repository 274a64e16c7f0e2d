"""Everything that outlives a runner: cores, log, proxies, clients, orders on their way; and what happened, as sentences."""

from collections.abc import Callable
from functools import partial

from tests.simulation.clients import Clients
from tests.simulation.clock import Clock
from tests.simulation.cores import CoreTwin, LogTwin
from tests.simulation.faults import SAID, Fault, Hand
from tests.simulation.proxies import ProxyTwin

from bmswitch.model.config import Colour, other
from bmswitch.model.switch import Entry, Limits, Phase, Powers, State
from bmswitch.model.switch.facts import CLONING, RUNNING, SILENT

LIMITS = Limits(soak=100, restart=4000, latch=3000)
SKEW_MS = 250
"""The clocks of the nodes and of bmswitch are so far apart at most: more is stopped by `proxy check`."""
NEVER_MS = 5000
"""An order that no newer attempt overtakes arrives this late."""


class Site:
    """`serving` is the side from which the switch starts: both directions are tried. `returns`: when it has switched, it returns. `state` is what the runner's journal folds to. `era` counts starts, resumes and turnings."""

    def __init__(
        self, clock: Clock, faults: list[Fault], *, fences: bool = True, skew: int = SKEW_MS
    ) -> None:
        self.clock = clock
        self.hand = Hand(faults)
        chance = clock.stream("site")
        self.serving: Colour = clock.stream("direction").choice(("blue", "green"))
        self.source = CoreTwin(clock, RUNNING)
        self.target = CoreTwin(clock, CLONING)
        self.cores = {self.serving: self.source, other(self.serving): self.target}
        self.nodes = [
            ProxyTwin(clock, f"p{n}", self.serving, chance.between(-skew, skew), knows_fences=fences)
            for n in range(chance.choice((1, 2, 3)))
        ]
        self.clients = Clients(clock, self.nodes, self.cores)
        for name, side in (("log", self.serving), ("log of the return", other(self.serving))):
            clone = other(side)
            restored = partial(self.clients.restored, clone)
            self.clients.logs[side] = LogTwin(clock, name, self.cores[clone], restored)
        self.returns = clock.stream("return").chance(0.5)
        self.returning = False
        self.powers = Powers(
            stop=not chance.chance(0.06),
            start=not chance.chance(0.03),
            kick=not chance.chance(0.03),
            revoke=not chance.chance(0.1),
        )
        self.clients.forgives_unfenced = not self.powers.stop
        self.barriers = 0
        self.nonces: list[str] = []
        self.state = State()
        self.moves: set[tuple[Phase, Phase]] = set()
        """From which phase to which the switch has gone."""
        self.era = 0
        self.awake_since = 0
        """When the runner was last started or woken up; 0 while there is none."""
        self.leaderless_since = 0
        self.commands = 0
        """How often the operator's commands were begun. They are jobs of one unit: a newer one ends an older one."""
        self.chronicle: list[tuple[int, str]] = []
        self._on_the_way: list[Callable[[], None]] = []

    @property
    def log(self) -> LogTwin:
        """The source's."""
        return self.clients.logs[self.serving]

    def turn_round(self) -> None:
        """The target serves now: it is the source of the return, and what served before becomes its standby.

        The standby tails the new source's log from the promotion on, which is where this log begins.
        """
        self.returning = True
        self.hand.returning = True
        self.serving = other(self.serving)
        self.source, self.target = self.target, self.source
        self.target.state = SILENT
        for node in self.nodes:
            node.remember()
        self.say(f"{other(self.serving)} is started again as a clone of {self.serving}")

    def standby(self) -> None:
        """It tails."""
        self.target.follow()
        self.log.tail()

    def say(self, sentence: str) -> None:
        """Something happened."""
        self.chronicle.append((self.clock.now, sentence))

    def say_fault(self, fault: Fault, **names: str) -> None:
        """Something went wrong."""
        said = SAID[fault.kind].format(ms=fault.ms, **names)
        self.say(f"FAULT in phase {fault.phase}: {said}")

    def turned(self, entry: Entry, state: State) -> None:
        """The runner has written a line; late orders of an older era arrive once a newer one has begun."""
        if entry.kind != "start" and self.state.phase != state.phase:
            self.moves.add((self.state.phase, state.phase))
        self.state = state
        if entry.kind not in ("start", "resume", "abort", "onward"):
            return
        self.era += 1
        late, self._on_the_way = self._on_the_way, []
        for deliver in late:
            self.clock.after(self.clock.stream(f"late{self.era}").between(0, 400), deliver)

    def late(self, deliver: Callable[[], None]) -> None:
        """An order that arrives after a newer attempt began, or very late."""
        delivered: list[bool] = []

        def once() -> None:
            if not delivered:
                delivered.append(True)
                deliver()

        self._on_the_way.append(once)
        self.clock.after(NEVER_MS, once)
