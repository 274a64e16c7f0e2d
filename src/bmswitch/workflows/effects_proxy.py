"""Effects on all proxy nodes side by side: each node is ordered, then read back; bounded by the drivers' own deadlines."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait

from bmswitch.model.config import Colour
from bmswitch.model.errors import BmswitchError, RefusedError
from bmswitch.model.switch import Node, Result
from bmswitch.proxy.api import NodeState, ProxyNode

Check = Callable[[NodeState], bool]


def on_all(
    pool: Executor, nodes: Sequence[ProxyNode], order: Callable[[ProxyNode], None], check: Check | None = None
) -> Result:
    """`yes` when every node acknowledged and reads back as wanted, `no` when one refused an old fence."""
    answers = list(pool.map(lambda node: _one(node, order, check), nodes))
    worst = "no" if any(a[0] == "no" for a in answers) else "unknown"
    said = "; ".join(f"{node.name}: {why}" for node, (_, why) in zip(nodes, answers, strict=True) if why)
    return (
        Result(answer="yes") if not said else Result(answer="no" if worst == "no" else "unknown", said=said)
    )


def _one(node: ProxyNode, order: Callable[[ProxyNode], None], check: Check | None) -> tuple[str, str]:
    try:
        order(node)
        if check is not None and not check(node.read()):
            return "unknown", "acknowledged, and reads back otherwise"
    except RefusedError as error:
        return "no", f"{error.cause} ({error.evidence})"
    except BmswitchError as error:
        return "unknown", f"{error.cause} ({error.evidence})"
    return "yes", ""


def hold(pool: Executor, nodes: Sequence[ProxyNode], until_ms: int, fence: int) -> Result:
    """New work waits; the next look reads it back."""
    return on_all(pool, nodes, lambda node: node.hold(until_ms, fence))


def flip(pool: Executor, nodes: Sequence[ProxyNode], colour: Colour, fence: int) -> Result:
    """Every frontend points at `colour`."""
    return on_all(
        pool,
        nodes,
        lambda node: node.flip(colour, fence),
        lambda state: state.colour == colour and state.fence == fence,
    )


def release(pool: Executor, nodes: Sequence[ProxyNode], fence: int) -> Result:
    """Nothing is held any more."""
    return on_all(
        pool, nodes, lambda node: node.release(fence), lambda state: state.hold_until_ms <= time.time() * 1000
    )


class Watch:
    """Reads nodes without ever waiting long for one: a node that is late is not seen this time, and not asked twice."""

    def __init__(self, pool: Executor, nodes: Sequence[ProxyNode], *, patience: float = 0.25) -> None:
        self._pool = pool
        self._nodes = nodes
        self._patience = patience
        self._late: dict[str, Future[Node]] = {}

    def look(self) -> tuple[Node, ...]:
        """Every node as it is now; an answer to an earlier question does not count."""
        self._late = {name: future for name, future in self._late.items() if not future.done()}
        asked = {
            node.name: self._pool.submit(read_node, node)
            for node in self._nodes
            if node.name not in self._late
        }
        wait(asked.values(), timeout=self._patience)
        self._late.update({name: future for name, future in asked.items() if not future.done()})
        return tuple(self._answer(node.name, asked) for node in self._nodes)

    def _answer(self, name: str, asked: dict[str, Future[Node]]) -> Node:
        future = asked.get(name)
        if future is None or not future.done():
            return Node(name=name, seen=False)
        return future.result()


def read_node(node: ProxyNode) -> Node:
    """One node as the switch sees it."""
    try:
        state = node.read()
    except BmswitchError:
        return Node(name=node.name, seen=False)
    return Node(
        name=node.name,
        seen=True,
        colour=state.colour,
        hold_until_ms=state.hold_until_ms,
        fence=state.fence,
    )
