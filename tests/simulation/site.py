"""Everything that outlives a runner: cores, log, proxies, clients, orders on their way; and what happened, as sentences."""

from collections.abc import Callable

from tests.simulation.clients import Clients
from tests.simulation.clock import Clock
from tests.simulation.cores import CoreTwin, LogTwin
from tests.simulation.faults import SAID, Fault, Hand
from tests.simulation.proxies import ProxyTwin

from bmswitch.model.config import Colour, other
from bmswitch.model.switch import Entry, Limits, Phase, Powers, State
from bmswitch.model.switch.facts import CLONING, RUNNING

LIMITS = Limits(soak=100, restart=4000, latch=3000)
NEVER_MS = 5000
"""An order that no newer attempt overtakes arrives this late."""


class Site:
    """`serving` is the side from which the switch starts: both directions are tried. `state` is what the runner's journal folds to. `era` counts starts, resumes and turnings."""

    def __init__(self, clock: Clock, faults: list[Fault], *, fences: bool = True) -> None:
        self.clock = clock
        self.hand = Hand(faults)
        chance = clock.stream("site")
        self.serving: Colour = clock.stream("direction").choice(("blue", "green"))
        self.source = CoreTwin(clock, RUNNING)
        self.target = CoreTwin(clock, CLONING)
        self.cores = {self.serving: self.source, other(self.serving): self.target}
        self.nodes = [
            ProxyTwin(clock, f"p{n}", self.serving, chance.between(-60, 60), knows_fences=fences)
            for n in range(chance.choice((1, 2, 3)))
        ]
        self.clients = Clients(clock, self.nodes, self.cores, self.serving)
        self.log = self.clients.log = LogTwin(clock, self.target, self.clients.restored)
        self.powers = Powers(
            stop=not chance.chance(0.06),
            start=not chance.chance(0.03),
            kick=not chance.chance(0.03),
            revoke=not chance.chance(0.1),
        )
        self.clients.forgives_unfenced = not self.powers.stop
        self.barriers = 0
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
