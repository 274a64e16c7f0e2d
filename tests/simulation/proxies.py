"""Twin of a proxy node: colour, lease and fence survive its restart, as the drivers write them to the disk first."""

from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from tests.simulation.clock import Clock

from bmswitch.model.config import Colour
from bmswitch.model.switch import Node


class Order(NamedTuple):
    """One order on its way. `era` counts starts, resumes and turnings: the truth that the fence number must tell."""

    verb: Literal["hold", "flip", "release"]
    fence: int
    era: int
    until_ms: int = 0
    colour: Colour = "blue"

    def done_on(self, node: "ProxyTwin") -> bool:
        """What the runner reads back after the order. A hold is read by the next look."""
        if self.verb == "flip":
            return node.colour == self.colour and node.fence == self.fence and not node.contradicts
        return self.verb == "hold" or not node.holding()


class Waiting(NamedTuple):
    """Held work: since when, how it goes on, and how it is refused."""

    since: int
    go: Callable[[], None]
    refuse: Callable[[], None]


class ProxyTwin:
    """One node. Its own clock is off by `skew` ms, and it keeps its hold by itself."""

    def __init__(
        self, clock: Clock, name: str, colour: Colour, skew: int, *, knows_fences: bool = True
    ) -> None:
        self.clock = clock
        self.name = name
        self.skew = skew
        self.knows_fences = knows_fences
        self.colour = colour
        self.hold_until = 0
        self.fence = 0
        self.era = 0
        self.stale: Order | None = None
        """An order of an older era that was carried out after a newer one."""
        self.deaf_until = 0
        self.down_until = 0
        self.contradicts_until = 0
        self.life = 0
        self.waiting: deque[Waiting] = deque()
        self.in_flight: dict[Colour, int] = {"blue": 0, "green": 0}
        self.longest_wait = 0
        self.forgot_at = 0
        self.remember()

    @property
    def deaf(self) -> bool:
        """The control channel does not answer; traffic goes on unless the node is down."""
        return self.clock.now < self.deaf_until

    @property
    def contradicts(self) -> bool:
        """Its frontends disagree: it reads `unknown`."""
        return self.clock.now < self.contradicts_until

    def holding(self) -> bool:
        """By the node's own clock."""
        return self.clock.now + self.skew < self.hold_until

    def seen(self) -> Node:
        """As the runner reads it."""
        if self.deaf:
            return Node(name=self.name, seen=False)
        return Node(
            name=self.name,
            seen=True,
            colour="unknown" if self.contradicts else self.colour,
            hold_until_ms=self.hold_until if self.holding() else 0,
            fence=self.fence,
        )

    def obey(self, order: Order) -> bool:
        """Carries out one order; False when its fence is old. An older hold of the same fence never shortens a newer one."""
        if self.knows_fences and order.fence < self.fence:
            return False
        if order.era < self.era:
            self.stale = order
        self.era = max(self.era, order.era)
        renewed = order.fence == self.fence
        self.fence = order.fence
        if order.verb == "hold":
            self.hold_until = max(order.until_ms, self.hold_until if renewed else 0)
            self.clock.after(order.until_ms - self.skew - self.clock.now + 1, self.let_go)
        elif order.verb == "flip":
            self.colour = order.colour
        else:
            self.hold_until = 0
        self.let_go()
        return True

    def pass_or_wait(self, go: Callable[[], None], refuse: Callable[[], None]) -> None:
        """A request or a new connection arrives."""
        if self.clock.now < self.down_until:
            refuse()
        elif self.holding():
            self.waiting.append(Waiting(self.clock.now, go, refuse))
        else:
            go()

    def let_go(self) -> None:
        """Held work goes on once nothing is held."""
        while self.waiting and not self.holding():
            held = self.waiting.popleft()
            self.longest_wait = max(self.longest_wait, self.clock.now - held.since)
            held.go()

    def remember(self) -> None:
        """What it goes back to when it forgets."""
        self.before = (self.colour, self.fence, self.era)

    def forget(self, down_ms: int) -> None:
        """Restarts from an older copy of its disk, of before the switch: no hold, the old colour, an older fence number."""
        self.forgot_at = self.clock.now
        self.hold_until = 0
        self.colour, self.fence, self.era = self.before
        self.restart(down_ms)

    def restart(self, down_ms: int) -> None:
        """Everything open is cut, held work is refused in a way that can be tried again; what is on the disk stays."""
        self.life += 1
        self.deaf_until = self.down_until = self.clock.now + down_ms
        cut = list(self.waiting)
        self.waiting.clear()
        for held in cut:
            held.refuse()
