"""What is not the same in two plans, in sentences, by part."""

import msgspec

from bmswitch.model.plan import Finding, Plan, changes


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the plan and every sentence about what changed in it; never empty."""

    part: str
    lines: list[str]


def plan_changes(old: Plan, new: Plan, config: list[str]) -> list[Part]:
    """Every part that differs. `config` are the sentences about the configuration, made beforehand."""
    parts = {
        "sites": _sites(old, new),
        "configuration": config,
        "volume": _volume(old, new),
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
    before = {step.command: step for step in old.steps}
    return [f"{step.command} is another" for step in new.steps if before.get(step.command) != step]


def _decisions(old: Plan, new: Plan) -> list[str]:
    was, now = {one.guard: one for one in old.skips}, {one.guard: one for one in new.skips}
    found = [f"{name} is not skipped any more" for name in was if name not in now]
    found += [f"{one.who} skips {name}: {one.reason}" for name, one in now.items() if was.get(name) != one]
    gone = [one.who for one in old.standing if one.who not in {new.who for new in new.standing}]
    if gone:
        found.append(f"void: the approval of {', '.join(gone)}")
    there = {one.who for one in old.standing}
    found += [f"{one.who} approved it" for one in new.standing if one.who not in there]
    return found
