"""`cutover --dry-run`: the real decisions against a world where all goes well, and what each effect would be, exactly."""

import shlex

import msgspec

from bmswitch.model.config import Config, MinioPolicy, RightsCommand
from bmswitch.model.plan import Plan
from bmswitch.model.switch import (
    VERBS,
    Entry,
    Limits,
    Node,
    Observation,
    Powers,
    Result,
    State,
    Verb,
    apply,
    entry_of,
    fold,
    next_action,
)
from bmswitch.model.switch.facts import CLONING, RUNNING

_MAX_TURNS = 200


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """One action that a switch would take. `exact` names addresses and commands; no secret is in it."""

    phase: str
    action: str
    exact: str


def rehearse(config: Config, plan: Plan) -> list[Rehearsed]:
    """Every action in order. Nothing is touched, not even read."""
    core = config.source.core
    entry = Entry(
        kind="start",
        fence=1,
        at_ms=1,
        limits=Limits.of(config.budgets, core.timeout, config.soak.seconds),
        powers=Powers.of(config.source),
    )
    state = fold([entry]) or State()
    exact = effects_of(config, plan)
    found: list[Rehearsed] = []
    now = 1
    for _ in range(_MAX_TURNS):
        now += 1
        action = next_action(state, _all_well(config, state, now))
        line = entry_of(action, state.fence)
        state = apply(state, msgspec.structs.replace(line, at_ms=now))
        if action.do == "end":
            return found
        verb = VERBS.get(action.do)
        if verb is not None:
            found.append(Rehearsed(phase=action.phase, action=verb, exact=exact[verb]))
            done = Entry(kind="effect", phase=state.phase, verb=verb, at_ms=now, result=Result(answer="yes"))
            state = apply(state, done)
    return found


def effects_of(config: Config, plan: Plan) -> dict[Verb, str]:
    """What each effect does to this site."""
    nodes = ", ".join(node.name for node in config.proxies)
    blue, green, budgets = config.source, config.target, config.budgets
    state = "/api/system/installation/state"
    domains = len(plan.source.domains)
    return {
        "hold": f"{nodes}: hold for {budgets.lease:g} s, renewed, never beyond {budgets.hold:g} s in all",
        "kick": _kick(config),
        "drain": f"{nodes}: three looks in a row find no request and no connection on blue",
        "barrier": f"64 nonces in each of {domains} domain(s) to {blue.url}",
        "demote-source": f"PUT {blue.url}{state}/_demote, read back DEMOTED",
        "settle": f"end offsets of {len(plan.source.topics)} topics on {blue.kafka.bootstrap} stand still, all nonces are read back from {green.url}",
        "prove": "items touched since the last proof are read on both sides and equal",
        "stop-source": _run(blue.core.stop),
        "revoke-source": _rights(config, "revoke"),
        "restore-source": _rights(config, "restore"),
        "promote-target": f"{_granted(config)}PUT {green.url}{state}/_promote, read back RUNNING",
        "probe-target": f"write one probe entry on {green.url} and read it back{_logged(config)}",
        "flip-target": f"{nodes}: every frontend to green, read back",
        "release": f"{nodes}: held requests go on",
        "soak": _soak(config),
        "flip-source": f"{nodes}: every frontend to blue, read back",
        "demote-target": f"PUT {green.url}{state}/_demote, read back DEMOTED",
        "start-source": _run(blue.core.start),
        "probe-source": f"write one probe entry on {blue.url} and read it back",
    }


def _granted(config: Config) -> str:
    """What a clone of a log that both sides use needs before it leads."""
    way = config.target.rights.kafka
    if config.replication.mode != "shared" or way is None:
        return ""
    how = (
        _run(way.restore)
        if isinstance(way, RightsCommand)
        else f"let {way.principal} write to the log again, read back"
    )
    return f"{how}; "


def _logged(config: Config) -> str:
    shared = config.replication.mode == "shared"
    return f", and see it in the log on {config.source.kafka.bootstrap}" if shared else ""


def _rights(config: Config, what: str) -> str:
    """How the source's rights are withdrawn or given back, without any key."""
    said = []
    for part, rights in (("bucket", config.source.rights.bucket), ("Kafka", config.source.rights.kafka)):
        if isinstance(rights, RightsCommand):
            said.append(f"{part}: {_run(rights.revoke if what == 'revoke' else rights.restore)}")
        elif rights is not None:
            who = rights.user if isinstance(rights, MinioPolicy) else rights.principal
            done = f"deny {who} to write" if what == "revoke" else f"give {who} back what it had"
            said.append(f"{part}: {done}, read back")
    return "; ".join(said) or "nothing: no rights are configured"


def _kick(config: Config) -> str:
    pace = f"{config.sessions.batch} at a time, every {config.sessions.every:g} s"
    command = config.source.core.kick
    if command is None:
        return f"the proxies cut IMAP, SMTP and websocket sessions, {pace}"
    return f"{_run(command)}, {pace}" if "{kind}" in command else _run(command)


def _soak(config: Config) -> str:
    soak = config.soak
    how = f"used as {soak.canary.login}" if soak.canary else "asked for its greeting"
    return f"every frontend is {how} for {soak.seconds:g} s; on a breach: {soak.on_breach}"


def _run(command: list[str] | None) -> str:
    return f"run {shlex.join(command)}" if command else "nothing: no command is configured"


def _all_well(config: Config, state: State, now: int) -> Observation:
    colour = state.target if state.was_intended("flip-target") else state.source
    nodes = tuple(
        Node(
            name=node.name,
            seen=True,
            colour=colour,
            hold_until_ms=state.hold_until_ms,
            fence=state.fence,
        )
        for node in config.proxies
    )
    return Observation(
        now_ms=now,
        nodes=nodes,
        source=RUNNING if not state.was_intended("demote-source") else "",
        target=CLONING,
        quiet_looks=3,
    )
