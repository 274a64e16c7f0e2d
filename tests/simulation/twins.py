"""In-memory twins of what a switch touches: two cores, blue's log and its mirror, proxy nodes, clients with a ledger."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Literal

from tests.simulation.clock import Clock

from bmswitch.model.config import Colour
from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT

PARTITIONS = 4
LINGER_MS = 250


class CoreTwin:
    """One installation: its state and what it has stored. Follows clone-and-api.md 2: who may write when, and what gets logged."""

    def __init__(self, clock: Clock, state: str) -> None:
        self.clock = clock
        self.state = state
        self.store: set[str] = set()
        self.dead = False
        self.starting = False

    @property
    def seen(self) -> str:
        """As a reader over the network sees it."""
        return SILENT if self.dead else self.state

    def leads(self) -> bool:
        """RUNNING and alive: item writes are accepted and logged."""
        return self.state == RUNNING and not self.dead

    def accepts(self, *, plain: bool) -> bool:
        """Item writes pass on a leader and on a clone; plain stores (passwords) are not fenced at all."""
        if self.dead or self.state == SILENT:
            return False
        return plain or self.state in (RUNNING, CLONING)


class LogTwin:
    """Blue's change log and green's clone behind it: asynchronous producer, mirror, restorer, each partition in order."""

    def __init__(self, clock: Clock, blue: CoreTwin, green: CoreTwin) -> None:
        self.clock = clock
        self.blue = blue
        self.green = green
        self.pending: list[tuple[int, str]] = []
        self.log: list[list[str]] = [[] for _ in range(PARTITIONS)]
        self.applied: list[int] = [0] * PARTITIONS
        self.slow = clock.random.choice((40, 120, 120, 900))
        self.grown_ms = 0
        self.flushing = False

    def publish(self, partition: int, record: str) -> None:
        """What the producer lingers over; on the log within 250 ms."""
        self.pending.append((partition, record))
        if not self.flushing:
            self.flushing = True
            self.clock.after(self.clock.between(1, LINGER_MS), self.flush)

    def flush(self) -> None:
        """The producer sends its batch."""
        self.flushing = False
        for partition, record in self.pending:
            self.log[partition].append(record)
            self.grown_ms = self.clock.now
            self.clock.after(self.clock.between(2, self.slow), partial(self._apply, partition))
        self.pending.clear()

    def _apply(self, partition: int) -> None:
        """Green restores the next record; a promoted or dead clone restores nothing any more."""
        if self.green.dead or self.green.state != CLONING:
            return
        if self.applied[partition] < len(self.log[partition]):
            self.green.store.add(self.log[partition][self.applied[partition]])
            self.applied[partition] += 1

    def ends(self) -> list[int]:
        """End offsets."""
        return [len(records) for records in self.log]

    def complete(self, ends: list[int]) -> bool:
        """Green has restored everything below `ends`."""
        return all(done >= end for done, end in zip(self.applied, ends, strict=True))


class ProxyTwin:
    """One node: colour, lease, fence; its own clock is off by `skew` ms. It keeps its hold by itself."""

    def __init__(self, clock: Clock, name: str, cores: dict[Colour, CoreTwin]) -> None:
        self.clock = clock
        self.name = name
        self.cores = cores
        self.colour: Colour = "blue"
        self.hold_until = 0
        self.fence = 0
        self.skew = clock.between(-60, 60)
        self.deaf_until = 0
        self.waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self.in_flight: dict[Colour, int] = {"blue": 0, "green": 0}
        self.longest_wait = 0

    @property
    def deaf(self) -> bool:
        """The control channel does not answer; traffic goes on."""
        return self.clock.now < self.deaf_until

    def holding(self) -> bool:
        """By the node's own clock."""
        return self.clock.now + self.skew < self.hold_until

    def command(self, verb: Literal["hold", "flip", "release"], fence: int, value: int | Colour = 0) -> bool:
        """Carries out one order; False when its fence is old."""
        if fence < self.fence:
            return False
        self.fence = fence
        if verb == "hold" and isinstance(value, int):
            self.hold_until = value
            self.clock.after(value - self.skew - self.clock.now + 1, self.let_go)
        elif verb == "flip" and isinstance(value, str):
            self.colour = value
        elif verb == "release":
            self.hold_until = 0
            self.let_go()
        return True

    def pass_or_wait(self, go: Callable[[], None]) -> None:
        """A request or a new connection arrives."""
        if self.holding():
            self.waiting.append((self.clock.now, go))
        else:
            go()

    def let_go(self) -> None:
        """Held work goes on once nothing is held."""
        while self.waiting and not self.holding():
            since, go = self.waiting.popleft()
            self.longest_wait = max(self.longest_wait, self.clock.now - since)
            go()


class Clients:
    """Open-loop load with a ledger: requests through the proxies, and kept mail sessions that write without asking them."""

    def __init__(
        self, clock: Clock, nodes: list[ProxyTwin], cores: dict[Colour, CoreTwin], log: LogTwin
    ) -> None:
        self.clock = clock
        self.nodes = nodes
        self.cores = cores
        self.log = log
        self.asked = 0
        self.answered: dict[str, int] = {}
        self.ledger: dict[str, Colour] = {}
        self.unfenced: set[str] = set()
        self.sessions: list[Session] = []
        self.until = 0

    def start(self, until: int) -> None:
        """Load until the clock's `until`."""
        self.until = until
        for _ in range(3):
            self.clock.after(self.clock.between(0, 40), self._request)
        for _ in range(2):
            session = Session(self)
            self.sessions.append(session)
            session.connect()

    def _request(self) -> None:
        if self.clock.now > self.until:
            return
        self.asked += 1
        name = f"w{self.asked}"
        node = self.clock.random.choice(self.nodes)
        node.pass_or_wait(lambda: self._forward(node, name))
        self.clock.after(self.clock.between(15, 60), self._request)

    def _forward(self, node: ProxyTwin, name: str) -> None:
        colour = node.colour
        node.in_flight[colour] += 1

        def done() -> None:
            node.in_flight[colour] -= 1
            self.write(colour, name)

        self.clock.after(self.clock.between(1, 90), done)

    def write(self, colour: Colour, name: str) -> None:
        """The write reaches a core and is answered: acknowledged, or refused in a way that can be tried again."""
        core = self.cores[colour]
        self.answered[name] = self.answered.get(name, 0) + 1
        if not core.accepts(plain=self.clock.chance(0.15)):
            return
        core.store.add(name)
        self.ledger[name] = colour
        if core.state == DEMOTED:
            self.unfenced.add(name)
        if colour == "blue" and core.leads():
            self.log.publish(self.clock.random.randrange(PARTITIONS), name)

    def on(self, colour: Colour) -> int:
        """Requests and sessions that run on one colour."""
        return sum(node.in_flight[colour] for node in self.nodes) + sum(
            session.colour == colour for session in self.sessions
        )


class Session:
    """A kept IMAP session: connected through a proxy once, then it writes to its core until it is ended."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.colour: Colour | None = None
        self.number = 0

    def connect(self) -> None:
        """Through a proxy, held if it holds."""
        node = self.clients.clock.random.choice(self.clients.nodes)
        node.pass_or_wait(lambda: self._connected(node))

    def _connected(self, node: ProxyTwin) -> None:
        if self.clients.cores[node.colour].seen != RUNNING:
            self.clients.clock.after(100, self.connect)
            return
        self.colour = node.colour
        self.number += 1
        self.clients.clock.after(self.clients.clock.between(10, 80), partial(self._write, self.number))

    def _write(self, number: int) -> None:
        clients = self.clients
        if self.colour is None or number != self.number or clients.clock.now > clients.until:
            return
        if clients.cores[self.colour].seen == SILENT:
            self.end()
            return
        clients.asked += 1
        clients.write(self.colour, f"s{clients.asked}")
        clients.clock.after(clients.clock.between(20, 120), lambda: self._write(number))

    def end(self) -> None:
        """Closed by the server; the client comes back at once."""
        self.colour = None
        self.number += 1
        self.clients.clock.after(1, self.connect)
