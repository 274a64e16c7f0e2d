"""Everything that a switch keeps open: cores, proxy nodes, blue's Kafka; and what green missed in the orphans topic."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bmswitch.kafka.topics import Topics
from bmswitch.model import topics as names
from bmswitch.model.config import Config
from bmswitch.model.errors import UnknownError
from bmswitch.model.plan import Plan
from bmswitch.model.topics import CRP
from bmswitch.proxy.api import ProxyNode
from bmswitch.proxy.open import open_node
from bmswitch.workflows.effects import Pieces
from bmswitch.workflows.effects_core import Farewell
from bmswitch.workflows.orphans import OrphanReader
from bmswitch.workflows.sites import open_core

COMMAND_LOG = "commands.log"
_CALL_TIMEOUT = 2.0
_NODE_TIMEOUT = 1.0


@dataclass
class Site:
    """Everything open for one command."""

    config: Config
    plan: Plan
    pieces: Pieces
    orphans_from: Callable[[], list[str]]


def open_nodes(config: Config) -> list[ProxyNode]:
    """A driver per configured node."""
    return [open_node(node, timeout=_NODE_TIMEOUT) for node in config.proxies]


@contextlib.contextmanager
def open_site(config: Config, plan: Plan) -> Iterator[Site]:
    """Cores, proxy nodes and Kafka, closed again at the end."""
    counts = {name: count for name, count in plan.source.topics.items() if not name.endswith(CRP)}
    with contextlib.ExitStack() as stack:
        blue = open_core(config, config.serving, timeout=_CALL_TIMEOUT)
        stack.callback(blue.close)
        green = open_core(config, config.standby, timeout=_CALL_TIMEOUT)
        stack.callback(green.close)
        nodes = open_nodes(config)
        for node in nodes:
            stack.callback(node.close)
        kafka = Topics(config.source.kafka)
        watch = OrphanWatch(config, plan, kafka)
        stack.callback(watch.close)
        pieces = Pieces(
            config=config,
            plan=plan,
            source=blue,
            target=green,
            nodes=nodes,
            farewell=Farewell(kafka, counts),
            orphans=watch.in_hold,
            target_ends=_target_ends(config, plan),
            log=Path(config.run_dir) / COMMAND_LOG,
        )
        yield Site(config, plan, pieces, watch.at_gate)


def _target_ends(config: Config, plan: Plan) -> Callable[[], dict[str, list[int]]]:
    """Reads where the target's own log ends; empty where it has none (shared mode: it reads the source's)."""
    if config.replication.mode == "shared":
        return dict
    log = Topics(config.target.kafka)
    counts = log.cluster().of(config.target.installation_id or plan.source.installation_id)
    return lambda: log.ends(counts)


class OrphanWatch:
    """What green missed in the orphans topic since its clone was asked for. The gate opens its reader, before any hold."""

    def __init__(self, config: Config, plan: Plan, kafka: Topics) -> None:
        self._config = config
        self._kafka = kafka
        self._topic = names.orphans(plan.source.installation_id)
        self._count = {self._topic: plan.source.topics.get(self._topic, 0)}
        self._reader: OrphanReader | None = None

    def at_gate(self) -> list[str]:
        """From the topic's beginning to its end now, records younger than the clone."""
        ends = self._kafka.ends(self._count)[self._topic]
        since_ms = self._clone_ms()
        if self._reader is None:
            start = self._kafka.lows(self._count)[self._topic]
            self._reader = OrphanReader(self._config.source.kafka, self._topic, start)
        return self._reader.since(since_ms, ends)

    def in_hold(self, ends: dict[str, list[int]]) -> list[str]:
        """What came after that, up to the given ends."""
        if self._reader is None or self._topic not in ends:
            return ["the orphans topic was not read by this process"]
        return self._reader.later(ends[self._topic])

    def close(self) -> None:
        """Frees the reader."""
        if self._reader is not None:
            self._reader.close()

    def _clone_ms(self) -> int:
        marker = Path(self._config.run_dir) / "clone.json"
        try:
            return int(marker.stat().st_mtime * 1000)
        except OSError as error:
            raise UnknownError(
                "it is not known when green's clone was asked for", evidence=f"no {marker.name}"
            ) from error
