"""Clients: open-loop load with a ledger of every acknowledged write, and kept mail sessions that write past the hold."""

from functools import partial
from typing import Literal

from tests.simulation.clock import Clock
from tests.simulation.cores import PARTITIONS, CoreTwin, LogTwin
from tests.simulation.proxies import ProxyTwin

from bmswitch.model.config import Colour, other
from bmswitch.model.switch.facts import DEMOTED, RUNNING, SILENT

SessionKind = Literal["imap", "websocket", "longpoll"]
KINDS: tuple[SessionKind, ...] = ("imap", "imap", "websocket", "longpoll")
"""Kept sessions, in the order in which they are ended. The simulated long poll writes too: a sync that waits is not idle."""


class Clients:
    """`owed[side]`: writes that a client saw acknowledged and that this side does not have (yet)."""

    def __init__(self, clock: Clock, nodes: list[ProxyTwin], cores: dict[Colour, CoreTwin]) -> None:
        self.clock = clock
        self.nodes = nodes
        self.cores = cores
        self.chance = clock.stream("clients")
        self.logs: dict[Colour, LogTwin] = {}
        self.asked = 0
        self.reminders = 0
        self.answered: dict[str, int] = {}
        self.twice = ""
        self.acknowledged = 0
        self.owed: dict[Colour, set[str]] = {"blue": set(), "green": set()}
        self.forgives_unfenced = False
        """The source's core can not be stopped: a demoted core then takes a password once the hold has lapsed (decision 1)."""
        self.sessions: list[Session] = []
        self.until = 0

    def start(self, until: int) -> None:
        """Load until the clock's `until`."""
        self.until = until
        for _ in range(3):
            self.clock.after(self.chance.between(0, 40), self._request)
        self.clock.after(self.chance.between(0, 300), self._reminder)
        for kind in KINDS:
            session = Session(self, kind)
            self.sessions.append(session)
            session.connect()

    def _request(self) -> None:
        if self.clock.now > self.until:
            return
        self.asked += 1
        name = f"w{self.asked}"
        node = self.chance.choice(self.nodes)
        node.pass_or_wait(partial(self._forward, node, name), partial(self.answer, name))
        self.clock.after(self.chance.between(15, 60), self._request)

    def _reminder(self) -> None:
        """A leader's own timers write too, whatever the proxies hold, until it is demoted."""
        if self.clock.now > self.until:
            return
        for colour, core in self.cores.items():
            if core.leads():
                self.reminders += 1
                core.store.add(f"r{self.reminders}")
                self.logs[colour].publish(self.chance.below(PARTITIONS), f"r{self.reminders}")
        self.clock.after(self.chance.between(40, 500), self._reminder)

    def _forward(self, node: ProxyTwin, name: str) -> None:
        colour, life = node.colour, node.life
        node.in_flight[colour] += 1

        def done() -> None:
            node.in_flight[colour] -= 1
            self.write(colour, name, heard=node.life == life)

        self.clock.after(self.chance.between(1, 90), done)

    def answer(self, name: str) -> None:
        """The client's request has ended, well or not."""
        times = self.answered.get(name, 0) + 1
        self.answered[name] = times
        if times > 1:
            self.twice = name

    def write(self, colour: Colour, name: str, *, heard: bool) -> None:
        """The write reaches a core and is answered: acknowledged (if the client is still there to hear), or refused."""
        core = self.cores[colour]
        self.answer(name)
        if not core.accepts(plain=self.chance.chance(0.15)):
            return
        core.store.add(name)
        forgiven = self.forgives_unfenced and core.state == DEMOTED
        if heard and not forgiven:
            self.acknowledged += 1
            self.owed[other(colour)].add(name)
        if core.leads():
            self.logs[colour].publish(self.chance.below(PARTITIONS), name)

    def restored(self, colour: Colour, record: str) -> None:
        """The clone of this colour has taken a record from the other side's log."""
        self.cores[colour].store.add(record)
        self.owed[colour].discard(record)

    def on(self, colour: Colour) -> int:
        """Requests and sessions that run on one colour."""
        running = sum(node.in_flight[colour] for node in self.nodes)
        return running + len(self.kept(colour))

    def kept(self, colour: Colour) -> list["Session"]:
        """Kept sessions on one colour, in the order in which they are to be ended."""
        return [session for session in self.sessions if session.colour == colour]


class Session:
    """A kept session: connected through a proxy once, then it writes to its core until it is ended.

    `imap` is greeted by a core that is RUNNING only; the others by any that answers (traffic-and-objects.md A6).
    """

    def __init__(self, clients: Clients, kind: SessionKind) -> None:
        self.clients = clients
        self.kind = kind
        self.colour: Colour | None = None
        self.number = 0

    def connect(self) -> None:
        """Through a proxy, held if it holds."""
        node = self.clients.chance.choice(self.clients.nodes)
        node.pass_or_wait(partial(self._connected, node), self._again)

    def _again(self) -> None:
        if self.clients.clock.now <= self.clients.until:
            self.clients.clock.after(100, self.connect)

    def _connected(self, node: ProxyTwin) -> None:
        core = self.clients.cores[node.colour]
        greets = core.state == RUNNING if self.kind == "imap" else core.state != SILENT
        if core.dead or not greets:
            self._again()
            return
        self.colour = node.colour
        self.number += 1
        self.clients.clock.after(
            self.clients.chance.between(10, 80), partial(self._write, self.number, node, node.life)
        )

    def _write(self, number: int, node: ProxyTwin, life: int) -> None:
        clients = self.clients
        if self.colour is None or number != self.number or clients.clock.now > clients.until:
            return
        core = clients.cores[self.colour]
        if core.dead or core.state == SILENT or node.life != life:
            self.end()
            return
        clients.asked += 1
        clients.write(self.colour, f"s{clients.asked}", heard=True)
        clients.clock.after(clients.chance.between(20, 120), partial(self._write, number, node, life))

    def end(self) -> None:
        """Closed by the server or the proxy; the client comes back at once."""
        self.colour = None
        self.number += 1
        self.clients.clock.after(1, self.connect)
