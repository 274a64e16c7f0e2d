"""Looks at every proxy node before anything is held: is it prepared, is it safe, which colour really answers.

One pure guard for each rule of proxy-cutover.md 9; a guard takes one node's `Look` and answers with one `Finding`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from bmswitch.model.config import AnyNode, Budgets, Colour, Config
from bmswitch.model.errors import BmswitchError, UnreachableError
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.api import NodeState
from bmswitch.proxy.inspect import inspect_node
from bmswitch.proxy.inspection import Inspection
from bmswitch.proxy.open import open_node
from bmswitch.workflows.proxy_answers import Answer, answers
from bmswitch.workflows.sites import open_core, verification

_SPARE: Final = 0.2
"""Part of a limit that is left to what is open already."""
_SKEW_WARN: Final = 0.1
_SKEW_STOP: Final = 0.5


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One node as it is now. `state` and `inspection` are None when an `error` says why."""

    node: AnyNode
    state: NodeState | None = None
    inspection: Inspection | None = None
    error: str = ""
    answers: list[Answer] = []


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


def read_back(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """The node is read, knows its colour and is held by nobody."""
    if look.state is None:
        return _unknown("read_back", "the node can not be read", look.error)
    if look.state.colour == "unknown":
        return _stop(
            "read_back", "the node's parts disagree about its colour", command="flip it, or start it again"
        )
    if look.state.hold_until_ms:
        return _warn("read_back", f"the node is held and on {look.state.colour}", "a switch may be under way")
    return _pass("read_back", f"on {look.state.colour}, nothing is held", f"fence {look.state.fence}")


def in_place(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """Every piece of configuration that hold and flip need is there."""
    if look.inspection is None:
        return _unknown("in_place", "the configuration can not be looked at", look.error)
    if look.inspection.missing:
        return _stop(
            "in_place",
            "pieces of the configuration are missing",
            "; ".join(look.inspection.missing),
            f"bmswitch proxy render {look.node.name}",
        )
    if look.inspection.unread:
        return _unknown("in_place", "not everything can be read", "; ".join(look.inspection.unread))
    return _pass("in_place", "the pieces of the configuration are in place")


def room(look: Look, budgets: Budgets, rate: int) -> Finding:
    """What a hold collects fits: open files and connections against hold x rate (proxy-cutover.md 9, 8)."""
    found = look.inspection
    needed = int(budgets.hold * rate)
    if found is None or (found.files is None and found.clients is None):
        return _unknown("room", "limits of files and connections can not be read", look.error)
    limits = {
        "connections of clients": found.clients,
        f"open files, {found.files_each} each": found.files // found.files_each if found.files else None,
    }
    short = [
        f"room for {int(limit * (1 - _SPARE)):,} ({what})"
        for what, limit in limits.items()
        if limit is not None and limit * (1 - _SPARE) < needed
    ]
    told = f"{budgets.hold:g} s at {rate:,} requests/s collect {needed:,}"
    if short:
        return _stop("room", f"a hold would not fit: {told}", "; ".join(short),
                     "raise the limits, shorten budgets.hold, or give the real rate with --rate")  # fmt: skip
    if found.rate is not None and found.rate < rate:
        return _stop("room", f"local ports last for {found.rate:,} requests/s to one backend",
                     "nginx opens a connection for each", "sysctl -w net.ipv4.tcp_tw_reuse=1")  # fmt: skip
    unread = [what for what, limit in limits.items() if limit is None]
    if unread:
        return _unknown("room", f"a limit can not be read: {unread[0]}", told)
    return _pass("room", told, "; ".join(f"{limit:,} {what}" for what, limit in limits.items()))


def patience(look: Look, budgets: Budgets, _rate: int) -> Finding:
    """Nothing that waits in a hold is given up before it ends (proxy-cutover.md 9, 7)."""
    if look.inspection is None:
        return _unknown("patience", "timeouts can not be read", look.error)
    found = look.inspection.waits
    short = [f"{name} {seconds:g} s" for name, seconds in found.items() if seconds <= budgets.hold]
    if short:
        return _stop("patience", f"a timeout ends before the longest hold of {budgets.hold:g} s", "; ".join(short),
                     "raise it above 10 s")  # fmt: skip
    cap = look.inspection.cap or 10.0
    close = [f"{name} {seconds:g} s" for name, seconds in found.items() if seconds <= cap]
    if close:
        return _warn("patience", f"a timeout is not above the cap of {cap:g} s", "; ".join(close))
    return _pass("patience", "every timeout outlasts the longest hold")


def one_generation(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """No worker of before a reload is left (proxy-cutover.md 9, 6)."""
    if look.inspection is None:
        return _unknown("one_generation", "workers can not be counted", look.error)
    old = look.inspection.old
    if old:
        return _warn(
            "one_generation",
            f"{len(old)} worker(s) of before a reload still run",
            "pid " + ", ".join(map(str, old)),
            "wait until their connections end, or end them, before the switch",
        )
    return _pass("one_generation", "no worker of before a reload is left")


def lease(look: Look, budgets: Budgets, _rate: int) -> Finding:
    """The node ends every hold by itself, and not before the switch may (proxy-cutover.md 9, 1)."""
    cap = look.inspection.cap if look.inspection else None
    if cap is None:
        return _unknown("lease", "the node's own cap of a hold can not be read", look.error)
    if cap < budgets.hold:
        return _stop("lease", f"the node lets go after {cap:g} s, the switch may hold for {budgets.hold:g} s",
                     "held requests would go on to the old colour", "shorten budgets.hold")  # fmt: skip
    if cap > 30:
        return _warn("lease", f"the node may hold for {cap:g} s if bmswitch dies", "clients give up earlier")
    return _pass("lease", f"the node itself holds nothing longer than {cap:g} s")


def clock(look: Look, budgets: Budgets, _rate: int) -> Finding:
    """Deadlines are wall-clock times: the node's clock is ours (proxy-cutover.md 9, 9)."""
    skew = look.inspection.skew if look.inspection else None
    if skew is None:
        return _unknown("clock", "the node's clock can not be read", look.error)
    told = f"{abs(skew) * 1000:.0f} ms {'ahead' if skew > 0 else 'behind'}" if skew else "this machine's own"
    if abs(skew) >= min(_SKEW_STOP, budgets.lease / 2):
        return _stop("clock", f"the node's clock is {told}", command="set the clocks: chronyc makestep")
    if abs(skew) >= _SKEW_WARN:
        return _warn("clock", f"the node's clock is {told}", "a hold ends earlier or later by that")
    return _pass("clock", "the node's clock agrees", told)


def answering(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """The colour that answers is the one that the node claims, on every frontend (proxy-cutover.md 9, 12)."""
    if not look.answers:
        return _warn("answering", "no frontend is named for this node: nothing proves what clients get",
                     command="name its `frontends` in the configuration")  # fmt: skip
    silent = [f"{one.frontend}: {one.error}" for one in look.answers if one.error]
    if silent:
        return _stop("answering", "a frontend does not answer as it should", "; ".join(silent))
    claimed = look.state.colour if look.state else "unknown"
    astray = [
        f"{one.frontend} answers as {one.colour}" for one in look.answers if one.colour not in {"", claimed}
    ]
    if astray:
        return _stop("answering", f"a frontend is not on {claimed}, which the node claims", "; ".join(astray))
    mute = [f"{one.frontend} says {one.said!r}" for one in look.answers if not one.colour]
    if mute:
        return _warn(
            "answering", "a frontend answers, but not so that one colour could be told", "; ".join(mute)
        )
    return _pass("answering", f"every frontend is answered by {claimed}", f"{len(look.answers)} asked")


Guard = Callable[[Look, Budgets, int], Finding]
GUARDS: tuple[Guard, ...] = (read_back, in_place, room, patience, one_generation, lease, clock, answering)


def _pass(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.passed, cause=cause, evidence=evidence)


def _warn(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    return Finding(guard=guard, level=Level.warn, cause=cause, evidence=evidence, command=command)


def _stop(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    return Finding(guard=guard, level=Level.stop, cause=cause, evidence=evidence, command=command)


def _unknown(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.unknown, cause=cause, evidence=evidence)
