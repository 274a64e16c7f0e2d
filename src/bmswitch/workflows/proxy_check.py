"""Looks at every proxy node before anything is held: is it prepared, is it safe, which colour really answers."""

from concurrent.futures import ThreadPoolExecutor

import msgspec

from bmswitch.model.config import AnyNode, Budgets, Colour, Config
from bmswitch.model.errors import BmswitchError, UnreachableError
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.api import NodeState
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.open import open_node
from bmswitch.workflows.proxy_answers import Answer, answers
from bmswitch.workflows.proxy_guards import GUARDS, Look
from bmswitch.workflows.sites import open_core, verification


class NodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One node: the colour that it claims, what each frontend answers, and the guards' findings."""

    name: str
    driver: str
    claims: str
    hold_until_ms: int
    fence: int
    answers: list[Answer]
    findings: list[Finding]


class ProxyReport(msgspec.Struct, frozen=True, kw_only=True):
    """All nodes. `rate` is the requests a second that a hold must be able to keep."""

    rate: int
    hold: float
    nodes: list[NodeReport]

    @property
    def stops(self) -> list[Finding]:
        """Findings that are neither pass nor warning."""
        return [f for one in self.nodes for f in one.findings if f.level in {Level.stop, Level.unknown}]


def check_proxies(config: Config, *, rate: int) -> ProxyReport:
    """A look at every node of the configuration, side by side; changes nothing and holds nothing.

    A proxy or core that does not answer becomes a finding, a refused key is raised.
    """
    with ThreadPoolExecutor(
        max_workers=max(2, len(config.proxies)), thread_name_prefix="proxy-check"
    ) as pool:
        versions: dict[Colour, str] = {"blue": "", "green": ""}
        for colour, asked in {c: pool.submit(_version, config, c) for c in versions}.items():
            versions[colour] = asked.result()
        looks = list(pool.map(lambda node: look_at(node, config, versions), config.proxies))
    return ProxyReport(
        rate=rate, hold=config.budgets.hold, nodes=[report(one, config.budgets, rate) for one in looks]
    )


def look_at(node: AnyNode, config: Config, versions: dict[Colour, str]) -> Look:
    """Everything that the guards need of one node."""
    error, state, inspection = "", None, None
    driver = open_node(node)
    try:
        state = driver.read()
        inspection = inspect_node(node)
    except BmswitchError as problem:
        error = ": ".join(part for part in (problem.cause, problem.evidence) if part)
    finally:
        driver.close()
    return Look(
        node=node,
        state=state,
        inspection=inspection,
        error=error,
        answers=answers(
            node.frontends,
            versions,
            inspection.mail if inspection else {},
            verify=verification(config.source.tls),
        ),
    )


def _version(config: Config, colour: Colour) -> str:
    """What a core says of itself, empty when it does not answer."""
    core = open_core(config, colour)
    try:
        return core.version().software_version
    except UnreachableError:
        return ""
    finally:
        core.close()


def report(look: Look, budgets: Budgets, rate: int) -> NodeReport:
    """Every guard's answer about one node."""
    state = look.state or NodeState("unknown", 0, 0)
    findings = [guard(look, budgets, rate) for guard in GUARDS]
    return NodeReport(
        name=look.node.name,
        driver=look.node.__struct_config__.tag if isinstance(look.node.__struct_config__.tag, str) else "",
        claims=state.colour,
        hold_until_ms=state.hold_until_ms,
        fence=state.fence,
        answers=look.answers,
        findings=[one for one in findings if one is not None],
    )
