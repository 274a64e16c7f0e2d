"""A plan, and the differences of two, as Markdown: read in a merge request, the verdict first."""

from collections.abc import Iterable, Iterator

from bmswitch.cli.render import count
from bmswitch.model.config import other
from bmswitch.model.plan import Finding, Level, Plan, approved
from bmswitch.model.plan_diff import Part

_WORST_FIRST = (Level.stop, Level.unknown, Level.warn)


def plan_markdown(plan: Plan, needed: int) -> str:
    """The whole plan; what passed is folded away."""
    return "\n".join(_plan(plan, needed)) + "\n"


def changes_markdown(old: Plan, new: Plan, parts: list[Part]) -> str:
    """Every part that changed, line by line."""
    lines = [f"# Plan {old.id} to {new.id}", ""]
    if not parts:
        lines += ["Nothing changed but the time.", ""]
    for part in parts:
        lines += [f"## {part.part.capitalize()}", "", *(f"- {_text(line)}" for line in part.lines), ""]
    return "\n".join(lines)


def _plan(plan: Plan, needed: int) -> Iterator[str]:
    target = plan.target.version or f"a new {other(plan.serving)}"
    yield f"# bmswitch plan {plan.id}: BlueMind {plan.source.version} to {target}"
    yield ""
    yield _verdict(plan)
    yield ""
    yield f"Made {plan.created_at}, digest `{plan.digest[:12]}`, configuration `{plan.config_hash[:12]}`."
    yield from _approvals(plan, needed)
    yield from _steps(plan)
    yield from _guards(plan)
    yield from _sites(plan)


def _verdict(plan: Plan) -> str:
    if not plan.stops:
        warned = sum(one.level is Level.warn for one in plan.findings)
        return f"**Nothing stands in the way**; {warned} warnings, {len(plan.skips)} guards skipped."
    names = ", ".join(f"`{one.guard}`" for one in plan.stops)
    return f"**{len(plan.stops)} things stand in the way:** {names}. This plan can not be carried out."


def _approvals(plan: Plan, needed: int) -> Iterator[str]:
    if not needed and not plan.approvals:
        return
    standing = plan.standing
    yield f"\n## Approvals: {approved(plan, needed).cause}\n"
    for one in plan.approvals:
        void = "" if one in standing else " (void: the plan has changed since)"
        yield f"- {_text(one.who)}, {one.at}, of `{one.of[:12]}`{void}"


def _steps(plan: Plan) -> Iterator[str]:
    yield "\n## Steps\n"
    yield from _table(
        ("", "command", "does", "clients", "undone by"),
        ((str(number), f"`{step.command}`", step.does, step.clients, step.undone_by)
         for number, step in enumerate(plan.steps, 1)),
    )  # fmt: skip


def _guards(plan: Plan) -> Iterator[str]:
    yield "\n## Guards\n"
    worst = [one for level in _WORST_FIRST for one in plan.findings if one.level is level]
    if worst:
        yield from _table(("", "guard", "what is wrong", "so", "next"), map(_row, worst))
    if plan.skips:
        yield ""
    asked = {one.guard for one in plan.findings}
    for skip in plan.skips:
        when = "" if skip.guard in asked else ", asked at the switch only"
        yield f"- **skipped** `{skip.guard}`{when}: {_text(skip.reason)} ({_text(skip.who)}, {skip.at})"
    passed = [one for one in plan.findings if one.level is Level.passed]
    yield f"\n<details><summary>{len(passed)} passed</summary>\n"
    for one in passed:
        seen = f" ({_text(one.evidence)})" if one.evidence else ""
        yield f"- `{one.guard}`: {_text(one.cause)}{seen}"
    yield "\n</details>"


def _row(one: Finding) -> tuple[str, ...]:
    level = f"~~{one.level.value}~~ skipped" if one.skipped else f"**{one.level.value}**"
    seen = f"{one.cause}: {one.evidence}" if one.evidence else one.cause
    return level, f"`{one.guard}`", seen, one.consequence, one.command


def _sites(plan: Plan) -> Iterator[str]:
    yield "\n## Sites\n"
    source, target = plan.source, plan.target
    volume = plan.volume
    rows = [
        ("core", source.url, target.url),
        ("version", source.version, target.version or "not there yet"),
        ("domains", ", ".join(source.domains), ", ".join(target.domains) or "-"),
        ("servers", _pairs(source.servers), _pairs(target.servers) or "-"),
        (
            "log",
            f"{len(source.topics)} topics, {count(volume.total_records)} records",
            f"{len(target.topics)} topics",
        ),
        ("directory", ", ".join(f"{n} {k.lower()}" for k, n in volume.entries.items()), ""),
        ("bodies", count(volume.bodies), "the same bucket"),
    ]
    yield from _table(("", plan.serving, other(plan.serving)), rows)


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    """One cell: what would end it or become HTML is escaped; our own bold and code marks stay."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _text(text: str) -> str:
    """What somebody typed or a machine said: it must not become markup."""
    for sign in ("\\", "`", "*", "_", "[", "]", "<", "|", "#"):
        text = text.replace(sign, "&lt;" if sign == "<" else f"\\{sign}")
    return " ".join(text.split())
