"""The guards of `proxy check`: one pure function for each rule of proxy-cutover.md 9.

A guard takes one node's `Look`, the budgets and the requests a second, and answers with one `Finding`.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from bmswitch.model.config import AnyNode, Budgets
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.api import NodeState
from bmswitch.proxy.inspection import Inspection
from bmswitch.workflows.proxy_answers import Answer

_SPARE: Final = 0.2
"""Part of a limit that is left to what is open already."""
_SKEW_WARN: Final = 0.1
_SKEW_STOP: Final = 0.25
"""`Limits.margin` of the switch: the simulation finds nothing broken up to there, and lost writes beyond (docs/proof.md)."""
_GUESS: Final = "a switch would rest on a guess"
_LOOK: Final = "see that the proxy runs and that bmswitch may look at it (same machine, root): docs/proxy.md"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One node as it is now. `state` and `inspection` are None when an `error` says why."""

    node: AnyNode
    state: NodeState | None = None
    inspection: Inspection | None = None
    error: str = ""
    answers: list[Answer] = []


def read_back(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """The node is read, knows its colour and is held by nobody."""
    if look.state is None:
        return _unknown("read_back", "the node can not be read", look.error)
    if look.state.colour == "unknown":
        return _stop(
            "read_back",
            "the node's parts disagree about its colour",
            consequence="some clients may be on blue and others on green",
            command=f"bmswitch proxy check, then flip or restart {look.node.name}: docs/proxy.md",
        )
    if look.state.hold_until_ms:
        return _warn("read_back", f"the node is held and on {look.state.colour}", f"fence {look.state.fence}",
                     "a switch may be under way; the hold ends by itself", "bmswitch status")  # fmt: skip
    return _pass("read_back", f"on {look.state.colour}, nothing is held", f"fence {look.state.fence}")


def in_place(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """Every piece of configuration that hold and flip need is there, and is what the proxy has read."""
    found = look.inspection
    if found is None:
        return _unknown("in_place", "the configuration can not be looked at", look.error)
    if found.missing:
        return _stop(
            "in_place",
            "pieces of the configuration are missing",
            "; ".join(found.missing),
            "clients of that part are not held, or stay on the old colour after the flip",
            f"bmswitch proxy render {look.node.name}",
        )
    if found.unread:
        return _unknown("in_place", "not everything can be read", "; ".join(found.unread))
    if found.changed:
        return _warn(
            "in_place",
            "files have changed since the proxy read them",
            ", ".join(found.changed),
            "what was checked here is not what runs",
            "reload the proxy now, not during a switch",
        )
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
                     "what does not fit is refused, or waits outside and times out",
                     "raise the limits, shorten budgets.hold, or give the real rate with --rate")  # fmt: skip
    if found.rate is not None and found.rate < rate:
        return _stop("room", f"local ports last for {found.rate:,} requests/s to one backend",
                     "nginx opens a connection for each", "requests fail once the ports are used up",
                     "sysctl -w net.ipv4.tcp_tw_reuse=1")  # fmt: skip
    unread = [what for what, limit in limits.items() if limit is None]
    if unread:
        return _unknown("room", f"a limit can not be read: {unread[0]}", told)
    return _pass("room", told, "; ".join(f"{limit:,} {what}" for what, limit in limits.items()))


def backlog(look: Look, budgets: Budgets, rate: int) -> Finding:
    """Connections that come faster than they are accepted find a place in the kernel's queue (proxy-cutover.md 9, 8)."""
    found = look.inspection
    if found is None or found.backlog is None:
        return _unknown("backlog", "the queues of the listeners can not be read", look.error)
    seconds = budgets.hold if found.kept_outside else 1.0
    needed = int(seconds * rate)
    if found.backlog < needed:
        why = "held connections wait there" if found.kept_outside else "a burst waits there"
        return _warn(
            "backlog",
            f"a listener has room for {found.backlog:,} waiting connections",
            f"{seconds:g} s at {rate:,} new connections/s are {needed:,}: {why}",
            "the kernel drops the others: their clients try again after 1 s and 3 s",
            "raise the listener's backlog and sysctl net.core.somaxconn, then start the proxy again",
        )
    return _pass("backlog", f"every listener has room for {found.backlog:,} waiting connections")


def patience(look: Look, budgets: Budgets, _rate: int) -> Finding:
    """Nothing that waits in a hold is given up before it ends (proxy-cutover.md 9, 7)."""
    if look.inspection is None:
        return _unknown("patience", "timeouts can not be read", look.error)
    found = look.inspection.waits
    consequence = "what is held longer fails, or goes on to the old colour"
    short = [f"{name} {seconds:g} s" for name, seconds in found.items() if seconds <= budgets.hold]
    if short:
        return _stop("patience", f"a timeout ends before the longest hold of {budgets.hold:g} s", "; ".join(short),
                     consequence, "raise it above 10 s and reload the proxy")  # fmt: skip
    cap = look.inspection.cap or 10.0
    close = [f"{name} {seconds:g} s" for name, seconds in found.items() if seconds <= cap]
    if close:
        return _warn("patience", f"a timeout is not above the cap of {cap:g} s", "; ".join(close),
                     f"none in a switch, which holds for {budgets.hold:g} s",
                     f"raise it above {cap:g} s and reload the proxy")  # fmt: skip
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
            "they are told everything too, and keep their sessions on the old colour",
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
                     "its own cap", "held requests would go on to the old colour",
                     f"bmswitch proxy render {look.node.name}, or shorten budgets.hold")  # fmt: skip
    if cap > 30:
        return _warn("lease", f"the node may hold for {cap:g} s if bmswitch dies", "its own cap",
                     "clients give up earlier", f"bmswitch proxy render {look.node.name}")  # fmt: skip
    return _pass("lease", f"the node itself holds nothing longer than {cap:g} s")


def clock(look: Look, budgets: Budgets, _rate: int) -> Finding:
    """Deadlines are wall-clock times: the node's clock is ours (proxy-cutover.md 9, 9)."""
    skew = look.inspection.skew if look.inspection else None
    if skew is None:
        return _unknown("clock", "the node's clock can not be read", look.error)
    told = f"{abs(skew) * 1000:.0f} ms {'ahead' if skew > 0 else 'behind'}" if skew else "this machine's own"
    consequence = "a hold ends earlier or later by that"
    if abs(skew) >= min(_SKEW_STOP, budgets.lease / 2):
        return _stop("clock", f"the node's clock is {told}", "its own answer", consequence,
                     "set the clocks: chronyc makestep")  # fmt: skip
    if abs(skew) >= _SKEW_WARN:
        return _warn("clock", f"the node's clock is {told}", "its own answer", consequence,
                     "set the clocks: chronyc makestep")  # fmt: skip
    return _pass("clock", "the node's clock agrees", told)


def answering(look: Look, _budgets: Budgets, _rate: int) -> Finding:
    """The colour that answers is the one that the node claims, on every frontend (proxy-cutover.md 9, 12)."""
    if not look.answers:
        return _warn("answering", "no frontend is named for this node", "`frontends` is empty",
                     "nothing proves what clients get", "name its `frontends` in the configuration")  # fmt: skip
    silent = [f"{one.frontend}: {one.error}" for one in look.answers if one.error]
    if silent:
        return _stop("answering", "a frontend does not answer as it should", "; ".join(silent),
                     "clients of it get no service now",
                     "ask it by hand, and correct it or `frontends`")  # fmt: skip
    claimed = look.state.colour if look.state else "unknown"
    astray = [
        f"{one.frontend} answers as {one.colour}" for one in look.answers if one.colour not in {"", claimed}
    ]
    if astray:
        return _stop("answering", f"a frontend is not on {claimed}, which the node claims", "; ".join(astray),
                     "its clients would write to the other side during the switch",
                     f"look where it leads; bmswitch proxy render {look.node.name}")  # fmt: skip
    mute = [f"{one.frontend} says {one.said!r}" for one in look.answers if not one.colour]
    if mute:
        return _warn("answering", "a frontend answers, but not so that one colour could be told", "; ".join(mute),
                     "nobody can tell from outside who answers", "give both sides greetings that differ")  # fmt: skip
    return _pass("answering", f"every frontend is answered by {claimed}", f"{len(look.answers)} asked")


Guard = Callable[[Look, Budgets, int], Finding]
GUARDS: tuple[Guard, ...] = (
    read_back,
    in_place,
    room,
    backlog,
    patience,
    one_generation,
    lease,
    clock,
    answering,
)


def _pass(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.passed, cause=cause, evidence=evidence)


def _warn(guard: str, cause: str, evidence: str, consequence: str, command: str) -> Finding:
    return Finding(guard=guard, level=Level.warn, cause=cause, evidence=evidence, consequence=consequence,
                   command=command)  # fmt: skip


def _stop(guard: str, cause: str, evidence: str = "", consequence: str = "", command: str = "") -> Finding:
    return Finding(guard=guard, level=Level.stop, cause=cause, evidence=evidence, consequence=consequence,
                   command=command)  # fmt: skip


def _unknown(guard: str, cause: str, evidence: str = "") -> Finding:
    return Finding(guard=guard, level=Level.unknown, cause=cause, evidence=evidence, consequence=_GUESS,
                   command=_LOOK)  # fmt: skip
