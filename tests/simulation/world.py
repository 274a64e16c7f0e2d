"""The runner's world in simulated time: effects take a while, their answers get lost or come late, the runner is killed."""

from collections.abc import Callable
from functools import partial

import msgspec
from tests.simulation.clock import Clock
from tests.simulation.twins import LINGER_MS, PARTITIONS, Clients, CoreTwin, LogTwin, ProxyTwin

from bmswitch.model.config import Colour
from bmswitch.model.switch import VERBS, Action, Answer, Node, Observation, Powers, Result, State, Verb
from bmswitch.model.switch.facts import CLONING, DEMOTED, RUNNING, SILENT

CALL_TIMEOUT_MS = 400
LATE_MS = 800
TICK_MS = 10


class Killed(BaseException):
    """kill -9 of the runner, here and now."""


class Faults(msgspec.Struct):
    """What goes wrong in one run. Numbers count the runner's steps; -1 is never."""

    kill_at: int = -1
    stop_at: int = -1
    stop_ms: int = 0
    jump_at: int = -1
    lost: float = 0.0
    deaf: float = 0.0
    slow: float = 1.0
    green_dies_at: int = -1


class Site:
    """Everything that outlives a runner."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.blue = CoreTwin(clock, RUNNING)
        self.green = CoreTwin(clock, CLONING)
        self.cores: dict[Colour, CoreTwin] = {"blue": self.blue, "green": self.green}
        self.nodes = [ProxyTwin(clock, f"p{n}", self.cores) for n in range(clock.random.choice((1, 2, 3)))]
        self.log = LogTwin(clock, self.blue, self.green)
        self.clients = Clients(clock, self.nodes, self.cores, self.log)
        self.powers = Powers(stop=not clock.chance(0.1))
        self.barriers = 0
        self.promoted_with: tuple[list[int], list[int]] | None = None


class SimWorld:
    """One life of the runner."""

    def __init__(self, site: Site, faults: Faults) -> None:
        self.site = site
        self.clock = site.clock
        self.faults = faults
        self.steps = 0
        self.quiet = 0
        self.jumped = 0
        self.alive = True
        self._running: dict[Verb, int] = {}
        self._ready: list[tuple[Verb, Result]] = []

    def now_ms(self) -> int:
        self._step()
        return self.clock.now

    def look(self, state: State) -> Observation:
        self._step()
        now = self.clock.now
        nodes = tuple(self._node(node) for node in self.site.nodes)
        self._step()
        self.clock.run_until(self.clock.now + self.clock.between(0, 20 * self.faults.slow))
        quiet = state.phase == "drain" and self.site.clients.on("blue") == 0
        self.quiet = self.quiet + 1 if quiet else 0
        return Observation(
            now_ms=now,
            nodes=nodes,
            blue=self.site.blue.seen,
            green=self.site.green.seen,
            drift_ms=self.jumped,
            quiet_looks=self.quiet,
            running=frozenset(self._running),
        )

    def finished(self) -> list[tuple[Verb, Result]]:
        ready, self._ready = self._ready, []
        for verb, _ in ready:
            self._running[verb] -= 1
            if not self._running[verb]:
                del self._running[verb]
        return ready

    def pause(self, state: State) -> None:
        del state
        end = self.clock.now + TICK_MS
        while self.clock.now < end and not self._ready:
            self.clock.run_until(self.clock.now + 1)
        self._step()

    def begin(self, action: Action, state: State) -> None:
        self._step()
        verb = VERBS[action.do]
        if verb in self._running:
            raise AssertionError(f"{verb} was begun twice")
        self._running[verb] = 1
        effect = getattr(self, "_do_" + verb.replace("-", "_"))
        effect(verb, action, state)

    def _step(self) -> None:
        """A point where the runner may be killed, stopped for a while, or its host's clock may jump."""
        self.steps += 1
        if self.steps == self.faults.stop_at:
            self.clock.run_until(self.clock.now + self.faults.stop_ms)
        if self.steps == self.faults.jump_at:
            self.jumped = 5000
        if self.steps == self.faults.green_dies_at and all(n.colour == "blue" for n in self.site.nodes):
            self.site.green.dead = True
        if self.steps == self.faults.kill_at:
            self.alive = False
            raise Killed
        if self.clock.chance(self.faults.deaf):
            node = self.clock.random.choice(self.site.nodes)
            node.deaf_until = self.clock.now + self.clock.between(50, 1500)

    def _node(self, node: ProxyTwin) -> Node:
        if node.deaf:
            return Node(name=node.name, seen=False)
        held = node.hold_until if node.holding() else 0
        return Node(name=node.name, seen=True, colour=node.colour, hold_until_ms=held, fence=node.fence)

    def _answer(self, verb: Verb, result: Result) -> None:
        if verb in self._running:
            self._ready.append((verb, result))

    def _send(self, verb: Verb, low: float, high: float, act: Callable[[], Result]) -> None:
        """One call: it arrives, acts, answers. Lost, answered to nobody, or late: then the caller knows nothing."""
        slow = self.faults.slow
        fate = self.clock.random.random()
        unknown = Result(answer="unknown", said="no answer in time")
        if fate >= self.faults.lost:
            self.clock.after(self.clock.between(low, high) * slow, lambda: self._answer(verb, act()))
            return
        if fate > self.faults.lost / 3:
            self.clock.after(self.clock.between(1, LATE_MS), lambda: _nobody_hears(act()))
        self.clock.after(CALL_TIMEOUT_MS, lambda: self._answer(verb, unknown))

    def _each(self, verb: Verb, order: Callable[[ProxyTwin], bool]) -> None:
        """The same order to every node, side by side; yes when all of them acknowledged."""
        missing = {node.name for node in self.site.nodes}
        refused: list[str] = []

        def deliver(node: ProxyTwin) -> None:
            if not order(node):
                refused.append(node.name)
            missing.discard(node.name)

        slowest = 0
        for node in self.site.nodes:
            lost = self.clock.chance(self.faults.lost)
            delay = self.clock.between(1, 15) * self.faults.slow
            if node.deaf or (lost and self.clock.chance(0.5)):
                slowest = CALL_TIMEOUT_MS
                continue
            if lost:
                delay = self.clock.between(1, LATE_MS)
                slowest = CALL_TIMEOUT_MS
            else:
                slowest = max(slowest, int(delay))
            self.clock.after(delay, partial(deliver, node))

        def answer() -> None:
            word: Answer = "no" if refused else "unknown" if missing else "yes"
            self._answer(verb, Result(answer=word, said=", ".join(sorted([*missing, *refused]))))

        self.clock.after(min(slowest, CALL_TIMEOUT_MS), answer)

    def _do_hold(self, verb: Verb, action: Action, state: State) -> None:
        self._each(verb, lambda node: node.command("hold", state.fence, action.until_ms))

    def _do_flip_green(self, verb: Verb, _action: Action, state: State) -> None:
        self._each(verb, lambda node: node.command("flip", state.fence, "green"))

    def _do_flip_blue(self, verb: Verb, _action: Action, state: State) -> None:
        self._each(verb, lambda node: node.command("flip", state.fence, "blue"))

    def _do_release(self, verb: Verb, _action: Action, state: State) -> None:
        self._each(verb, lambda node: node.command("release", state.fence))

    def _do_kick(self, verb: Verb, _action: Action, _state: State) -> None:
        def act() -> Result:
            for session in self.site.clients.sessions:
                if session.colour == "blue":
                    session.end()
            return Result(answer="yes")

        self._send(verb, 5, 30, act)

    def _do_drain(self, verb: Verb, _action: Action, _state: State) -> None:
        self._answer(verb, Result(answer="yes"))

    def _do_barrier(self, verb: Verb, action: Action, _state: State) -> None:
        log, blue = self.site.log, self.site.blue
        self.site.barriers += 1
        nonce = f"nonce{self.site.barriers}"
        if blue.leads():
            for partition in range(PARTITIONS):
                blue.store.add(f"{nonce}-{partition}")
                log.publish(partition, f"{nonce}-{partition}")

        def passed() -> bool:
            return all(f"{nonce}-{partition}" in self.site.green.store for partition in range(PARTITIONS))

        self._poll(verb, action.deadline_ms, passed)

    def _poll(self, verb: Verb, deadline: int, so: Callable[[], bool]) -> None:
        """Looks every 10 ms until it is so, or the deadline has passed."""
        if verb not in self._running:
            return
        if so():
            self._answer(verb, Result(answer="yes", facts={"position": sum(self.site.log.ends())}))
        elif self.clock.now >= deadline:
            self._answer(verb, Result(answer="unknown", said="not in time"))
        else:
            self.clock.after(10, lambda: self._poll(verb, deadline, so))

    def _do_demote_blue(self, verb: Verb, _action: Action, _state: State) -> None:
        blue = self.site.blue

        def act() -> Result:
            if blue.state == RUNNING:
                blue.state = DEMOTED
                self.site.log.publish(0, "seppuku")
            return Result(answer="yes" if blue.state == DEMOTED else "unknown", said=f"blue is {blue.state}")

        self._send(verb, 5, 40, act)

    def _do_settle(self, verb: Verb, action: Action, _state: State) -> None:
        begun, log = self.clock.now, self.site.log

        def still() -> bool:
            return self.clock.now - max(log.grown_ms, begun) > LINGER_MS

        self._poll(verb, action.deadline_ms, still)

    def _do_prove(self, verb: Verb, action: Action, _state: State) -> None:
        ends, log = self.site.log.ends(), self.site.log

        def look() -> None:
            self._poll(verb, action.deadline_ms, lambda: log.complete(ends))

        self.clock.after(self.clock.between(10, 150), look)

    def _do_stop_blue(self, verb: Verb, _action: Action, _state: State) -> None:
        """A command of the operator: a child that goes on when its parent is killed."""
        blue, fails = self.site.blue, self.clock.chance(self.faults.lost / 2)

        def act() -> Result:
            if fails:
                return Result(answer="unknown", said="the command failed")
            self.site.log.flush()
            blue.state = SILENT
            return Result(answer="yes")

        self.clock.after(self.clock.between(20, 300), lambda: self._answer(verb, act()))

    def _do_start_blue(self, verb: Verb, _action: Action, _state: State) -> None:
        blue, fails = self.site.blue, self.clock.chance(self.faults.lost / 2)

        def act() -> Result:
            if blue.state == SILENT and not fails:
                blue.state = RUNNING
            return Result(answer="yes" if blue.state == RUNNING else "unknown")

        self.clock.after(self.clock.between(200, 1500), lambda: self._answer(verb, act()))

    def _do_promote_green(self, verb: Verb, _action: Action, _state: State) -> None:
        green = self.site.green

        def act() -> Result:
            if green.dead:
                return Result(answer="unknown", said="no answer")
            if green.state == CLONING:
                self.site.promoted_with = (self.site.log.ends(), list(self.site.log.applied))
                green.state = RUNNING
            return Result(answer="yes" if green.state == RUNNING else "no")

        self._send(verb, 10, 80, act)

    def _do_demote_green(self, verb: Verb, _action: Action, _state: State) -> None:
        green = self.site.green

        def act() -> Result:
            if green.dead:
                return Result(answer="unknown")
            if green.state == RUNNING:
                green.state = DEMOTED
            return Result(answer="yes" if green.state == DEMOTED else "unknown")

        self._send(verb, 5, 40, act)

    def _do_probe_green(self, verb: Verb, _action: Action, _state: State) -> None:
        self._send(verb, 3, 20, lambda: Result(answer="yes" if self.site.green.leads() else "unknown"))

    def _do_probe_blue(self, verb: Verb, _action: Action, _state: State) -> None:
        self._send(verb, 3, 20, lambda: Result(answer="yes" if self.site.blue.leads() else "unknown"))

    def _do_soak(self, verb: Verb, _action: Action, _state: State) -> None:
        def probed() -> Result:
            good = self.site.green.leads()
            return Result(answer="yes" if good else "no", said="" if good else "no answer")

        self.clock.after(100, lambda: self._answer(verb, probed()))


def _nobody_hears(_result: Result) -> None:
    """The effect took place, its answer was lost."""
