"""A plan, and the differences of two, as Markdown: read in a merge request, the verdict first."""

from collections.abc import Iterable, Iterator, Sequence

from bmswitch.cli.plan_words import (
    accepted_words,
    edge_rows,
    expected,
    run_words,
    site_rows,
    strategy_words,
    title,
)
from bmswitch.model.config import other
from bmswitch.model.history import Run
from bmswitch.model.plan import Finding, Level, Plan, approved
from bmswitch.model.plan_diff import Part

_WORST_FIRST = (Level.stop, Level.unknown, Level.warn)
_RUNS = 20


def plan_markdown(plan: Plan, needed: int, runs: Sequence[Run] = ()) -> str:
    """The whole plan; what passed is folded away. `runs` are earlier ones of this site."""
    return "\n".join(_plan(plan, needed, runs)) + "\n"


def changes_markdown(old: Plan, new: Plan, parts: list[Part]) -> str:
    """Every part that changed, line by line."""
    lines = [f"# Plan {old.id} to {new.id}", ""]
    if not parts:
        lines += ["Nothing changed but the time.", ""]
    for part in parts:
        lines += [f"## {part.part.capitalize()}", "", *(f"- {_text(line)}" for line in part.lines), ""]
    return "\n".join(lines)


def _plan(plan: Plan, needed: int, runs: Sequence[Run]) -> Iterator[str]:
    yield f"# bmswitch plan {plan.id}: {title(plan)}"
    yield ""
    yield _verdict(plan)
    yield ""
    yield f"Made {plan.created_at}, digest `{plan.digest[:12]}`, configuration `{plan.config_hash[:12]}`."
    yield from _approvals(plan, needed)
    yield from _strategy(plan)
    yield from _steps(plan)
    yield from _runs(runs)
    yield from _guards(plan)
    if accepted := accepted_words(plan):
        yield "\n## Differences that do not stop the switch\n"
        yield from (f"- {_text(line)}" for line in accepted)
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


def _strategy(plan: Plan) -> Iterator[str]:
    if plan.strategy is None:
        return
    (_, way), *rest = strategy_words(plan)
    yield f"\n## Strategy: {way}\n"
    for label, text in rest:
        yield f"- {label} {_text(text)}" if label == "because" else f"- *{label}*: {_text(text)}"


def _steps(plan: Plan) -> Iterator[str]:
    yield "\n## Steps\n"
    yield from _table(
        ("", "command", "expected", "does", "clients", "undone by"),
        (
            (str(number), f"`{step.command}`", expected(step), step.does, step.clients, step.undone_by)
            for number, step in enumerate(plan.steps, 1)
        ),
    )
    told = [step for step in plan.steps if step.load or step.limits]
    if told:
        yield ""
    for step in told:
        yield f"- `{step.command}`, on {plan.serving}: {_text('; '.join([step.load, *step.limits]))}"


def _runs(runs: Sequence[Run]) -> Iterator[str]:
    if runs:
        yield "\n## Earlier runs of this site\n"
        yield from _table(("when", "step", "predicted", "took"), map(run_words, runs[-_RUNS:]))


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
    yield from _table(("", plan.serving, other(plan.serving)), site_rows(plan))
    if edge := edge_rows(plan):
        yield "\n## What clients meet\n"
        yield from _table(("", ""), edge)


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
