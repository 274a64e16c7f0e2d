"""What is not the same in two plans, in sentences, by part."""

import msgspec

from bmswitch.model.decisions import Accepted
from bmswitch.model.estimates import Estimate, ranged
from bmswitch.model.inventory import Inventory
from bmswitch.model.plan import Finding, Plan, changes

_ALIKE = 0.2


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan and every sentence about what changed in it; never empty."""

    part: str
    lines: list[str]


def plan_changes(old: Plan, new: Plan, config: list[str]) -> list[Part]:
    """Every part that differs. `config` are the sentences about the configuration, made beforehand."""
    parts = {
        "sites": _sites(old, new),
        "configuration": config,
        "strategy": _strategy(old, new),
        "volume": _volume(old, new),
        "inventory": _inventory(old, new),
        "guards": _findings(old, new),
        "steps": _steps(old, new),
        "decisions": _decisions(old, new),
    }
    return [Part(part=name, lines=lines) for name, lines in parts.items() if lines]


def _sites(old: Plan, new: Plan) -> list[str]:
    found = [] if old.serving == new.serving else [f"the source was {old.serving}, is {new.serving}"]
    found += changes(old.source, new.source, "source")
    return found + changes(old.target, new.target, "target")


def _volume(old: Plan, new: Plan) -> list[str]:
    pairs = [
        ("records in the log", old.volume.total_records, new.volume.total_records),
        ("bodies", old.volume.bodies, new.volume.bodies),
        ("documents", old.volume.documents, new.volume.documents),
    ]
    kinds = old.volume.entries.keys() | new.volume.entries.keys()
    pairs += [
        (kind.lower(), old.volume.entries.get(kind, 0), new.volume.entries.get(kind, 0))
        for kind in sorted(kinds)
    ]
    return [f"{name}: {was:,}, now {now:,} ({now - was:+,})" for name, was, now in pairs if was != now]


def _strategy(old: Plan, new: Plan) -> list[str]:
    was, now = (plan.strategy.way if plan.strategy else "none" for plan in (old, new))
    return [] if was == now else [f"was {was}, now {now}"]


def _inventory(old: Plan, new: Plan) -> list[str]:
    """What of the inventory is neither counted above nor moving by itself: Kafka settings, nodes, names, certificates."""
    if old.inventory is None or new.inventory is None:
        return []
    was, now = _steady(old.inventory), _steady(new.inventory)
    found = [f"{key} is gone" for key in was if key not in now]
    found += [f"{key} is new: {value}" for key, value in now.items() if key not in was]
    return found + [
        f"{key} was {was[key]}, is {now[key]}" for key in now if key in was and was[key] != now[key]
    ]


def _other(was: Accepted | None, now: Accepted) -> bool:
    return was is None or (was.who, was.reason, was.at_most) != (now.who, now.reason, now.at_most)


def _steady(there: Inventory) -> dict[str, str]:
    found: dict[str, str] = {}
    for side in (there.source, there.target):
        for key, values in side.log.settings.items():
            found[f"{side.colour} {key}"] = " or ".join(values)
        for machine in side.machines:
            found[f"{side.colour} {machine.uid}"] = f"{machine.address} {' '.join(machine.roles)}"
    for node in there.nodes:
        found[f"proxy {node.name}"] = f"{node.driver} on {node.points_at} {' '.join(node.frontends)}"
    for name in there.names:
        found[f"name {name.name}"] = name.error or ", ".join(sorted(name.addresses))
    for one in there.certificates:
        found[f"certificate {one.at}"] = one.problem or "trusted"
    return found


def _findings(old: Plan, new: Plan) -> list[str]:
    before, after = _by_guard(old.findings), _by_guard(new.findings)
    found = [f"{name}: is not asked any more" for name in before if name not in after]
    for name, now in after.items():
        was = before.get(name)
        if was is None:
            found.append(f"{name}: is new and says {now.level.value}: {now.cause}")
        elif was.level is not now.level:
            found.append(f"{name}: was {was.level.value}, is {now.level.value}: {now.cause}")
        elif (was.cause, was.evidence) != (now.cause, now.evidence) and now.level.value != "pass":
            found.append(f"{name}: still {now.level.value}: {now.cause} {now.evidence}".rstrip())
    return found


def _by_guard(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.guard: finding for finding in findings}


def _steps(old: Plan, new: Plan) -> list[str]:
    """Steps that are others, and times that are: a step never takes exactly as long as predicted before."""
    before = {step.command: step for step in old.steps}
    found = [
        f"{name} is no step any more" for name in before if name not in {step.command for step in new.steps}
    ]
    for step in new.steps:
        was = before.get(step.command)
        if was is None or (was.does, was.clients, was.undone_by) != (step.does, step.clients, step.undone_by):
            found.append(f"{step.command} is another")
        if was is not None and not _alike(was.estimate, step.estimate):
            found.append(f"{step.command}: was {_said(was.estimate)}, now {_said(step.estimate)}")
    return found


def _alike(was: Estimate | None, now: Estimate | None) -> bool:
    """The likely time moved by less than a fifth: a probe moves by more than nothing each time."""
    if was is None or now is None or was.likely is None or now.likely is None:
        return (was is None, was is not None and was.known) == (now is None, now is not None and now.known)
    return abs(was.likely - now.likely) <= _ALIKE * max(was.likely, now.likely)


def _said(estimate: Estimate | None) -> str:
    return "not known" if estimate is None else ranged(estimate)


def _decisions(old: Plan, new: Plan) -> list[str]:
    was, now = {one.guard: one for one in old.skips}, {one.guard: one for one in new.skips}
    found = [f"{name} is not skipped any more" for name in was if name not in now]
    found += [f"{one.who} skips {name}: {one.reason}" for name, one in now.items() if was.get(name) != one]
    took, takes = {one.name: one for one in old.accepted}, {one.name: one for one in new.accepted}
    found += [f"{name} is not accepted any more" for name in took if name not in takes]
    found += [
        f"{one.who} accepts {name}: {one.reason}"
        for name, one in takes.items()
        if _other(took.get(name), one)
    ]
    gone = [one.who for one in old.standing if one.who not in {new.who for new in new.standing}]
    if gone:
        found.append(f"void: the approval of {', '.join(gone)}")
    there = {one.who for one in old.standing}
    found += [f"{one.who} approved it" for one in new.standing if one.who not in there]
    return found
