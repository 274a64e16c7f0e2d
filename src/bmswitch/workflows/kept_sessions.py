"""Sessions that stay open on the side that is to be left: counted by kind, ended in an order and at a pace.

Mail first (IMAP and SMTP), then websockets, then long polls (proxy-cutover.md 8). The operator's command ends them politely
where there is one. Else the proxy cuts them: their clients reconnect, except that of a long poll, which sees a 502. So before
the flip a proxy never ends a long poll.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import msgspec

from bmswitch.model.config import Argv, Colour
from bmswitch.model.config import Sessions as Pace
from bmswitch.model.errors import BmswitchError
from bmswitch.model.switch import Result
from bmswitch.proxy.api import Kind, ProxyNode

ORDER = ("imap", "smtp", "websocket", "longpoll")
_WHERE: dict[str, Kind] = {"imap": "mail", "smtp": "mail", "websocket": "web", "longpoll": "web"}
_STEPS = 10_000


class Open(msgspec.Struct, frozen=True):
    """What runs on one colour through one node: mail connections, web requests with websockets; None: it can not be read."""

    node: str
    mail: int | None = None
    web: int | None = None

    def of(self, kind: Kind) -> int:
        """How many of one kind, as far as is known."""
        return (self.mail if kind == "mail" else self.web) or 0


def count(pool: Executor, nodes: Sequence[ProxyNode], colour: Colour) -> list[Open]:
    """What runs on a colour now, on each node."""

    def one(node: ProxyNode) -> Open:
        try:
            running = node.in_flight(colour)
        except BmswitchError:
            return Open(node.name)
        return Open(node.name, running.connections, running.requests)

    return list(pool.map(one, nodes))


def left(found: Sequence[Open]) -> str:
    """What is left, named: `edge-1: 3 mail sessions and 2 web sessions`; empty when all is known and nothing is left."""
    said = []
    for each in found:
        if each.mail is None or each.web is None:
            said.append(f"{each.node}: can not be read")
        elif each.mail or each.web:
            said.append(f"{each.node}: {each.mail} mail sessions and {each.web} web sessions")
    return "; ".join(said)


class Ending:
    """Ends what is open on one colour.

    Args:
        pool: threads for the nodes.
        nodes: every proxy node.
        colour: the side that is left.
        fence: the attempt's, for the nodes.
        pace: how many at a time, and how long until the next ones.
        argv: the operator's command (`core.kick`), or None.
        run: runs it.
    """

    def __init__(
        self,
        pool: Executor,
        nodes: Sequence[ProxyNode],
        colour: Colour,
        *,
        fence: int,
        pace: Pace,
        argv: Argv | None,
        run: Callable[[Argv], Result],
    ) -> None:
        self._pool = pool
        self._nodes = nodes
        self._colour = colour
        self._fence = fence
        self._pace = pace
        self._argv = argv
        self._run = run
        self._said = ""

    def all(self, deadline: float) -> Result:
        """Before the flip: kind after kind, batch after batch, until nothing runs or the monotonic deadline has come.

        A command without `{kind}` ends all at once and is run once. `no` says what is left, and where.
        """
        if self._argv and not _by_kind(self._argv):
            return self._run(self._argv)
        before = found = self.count()
        for _ in range(_STEPS):
            then = found
            for kind in ORDER:
                found = self._kind(kind, found, deadline)
            done = not left(found) or found == then or self._in_one(then)
            if done or time.monotonic() >= deadline:
                break
        facts: dict[str, int | str] = {
            kind: _total(before, kind) - _total(found, kind) for kind in ("mail", "web")
        }
        still = left(found)
        said = "; ".join(part for part in (still and f"still on {self._colour}: {still}", self._said) if part)
        return Result(answer="no" if still else "yes", said=said, facts=facts)

    def some(self, *, by_command: bool) -> None:
        """After the flip: one batch of every kind; by the proxies, long polls too, when the command was tried before."""
        if by_command and self._argv and not _by_kind(self._argv):
            self._run(self._argv)
            return
        for kind in ORDER:
            if by_command and self._argv:
                self._command(kind)
            else:
                self._cut(kind, flipped=True)

    def count(self) -> list[Open]:
        """What runs there now."""
        return count(self._pool, self._nodes, self._colour)

    def _kind(self, kind: str, found: list[Open], deadline: float) -> list[Open]:
        """Batches of one kind for as long as each makes them fewer; then it is the next kind's turn."""
        where, at_once = _WHERE[kind], self._in_one(found)
        for _ in range(_STEPS):
            before = _total(found, where)
            if not before or time.monotonic() >= deadline:
                break
            if self._argv:
                self._command(kind)
            else:
                self._cut(kind, flipped=False)
            if not at_once:
                time.sleep(self._pace.every)
            found = self.count()
            if at_once or _total(found, where) >= before:
                break
        return found

    def _in_one(self, found: Sequence[Open]) -> bool:
        """One batch asks all of them: what then still runs ends in the drain, which waits for it."""
        return all(max(each.mail or 0, each.web or 0) <= self._pace.batch for each in found)

    def _command(self, kind: str) -> None:
        values = {"{kind}": kind, "{at_most}": str(self._pace.batch)}
        argv = [values.get(word, word) for word in self._argv or []]
        result = self._run(argv)
        if result.answer != "yes":
            self._said = result.said

    def _cut(self, kind: str, *, flipped: bool) -> None:
        for said in self._pool.map(lambda node: self._cut_on(node, kind, flipped=flipped), self._nodes):
            self._said = said or self._said

    def _cut_on(self, node: ProxyNode, kind: str, *, flipped: bool) -> str:
        """Ends some on one node; why it could not, or nothing."""
        if kind == "longpoll" and not flipped:
            return ""
        try:
            at_most = self._pace.batch
            if kind == "websocket":
                at_most = min(at_most, node.sessions(self._colour).websockets or 0)
            if at_most:
                node.kick(self._colour, at_most, self._fence, kind=_WHERE[kind])
        except BmswitchError as error:
            return f"{node.name}: {error.cause}"
        return ""


def _by_kind(argv: Argv) -> bool:
    return "{kind}" in argv


def _total(found: Sequence[Open], kind: Kind) -> int:
    return sum(each.of(kind) for each in found)
