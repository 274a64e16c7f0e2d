"""A plan for people at a terminal: the sites, the steps, what the guards say with the worst last, and what comes next."""

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from bmswitch.cli.plan_words import (
    accepted_words,
    edge_rows,
    expected,
    run_words,
    site_rows,
    strategy_words,
    title,
)
from bmswitch.cli.render import sentence, table
from bmswitch.model.config import other
from bmswitch.model.history import Run
from bmswitch.model.plan import Finding, Level, Plan, approved

STYLE = {Level.passed: "green", Level.warn: "yellow", Level.stop: "bold red", Level.unknown: "bold magenta"}
ORDER = (Level.passed, Level.warn, Level.unknown, Level.stop)
"""The worst last: the end is what a terminal still shows."""
_RUNS = 8


def show_plan(
    screen: Console, plan: Plan, path: str, needed: int, *, previous: str = "", runs: Sequence[Run] = ()
) -> None:
    """The whole plan."""
    screen.print(f"[bold]Plan {plan.id}[/]: {title(plan)}")
    _pairs(screen, "Strategy", strategy_words(plan))
    _sites(screen, plan)
    _pairs(screen, "What clients meet", edge_rows(plan))
    _steps(screen, plan)
    _runs(screen, runs)
    show_findings(screen, plan.findings)
    _later_skips(screen, plan)
    _pairs(screen, "Differences that do not stop the switch", (("-", line) for line in accepted_words(plan)))
    _end(screen, plan, path, needed, previous)


def _pairs(screen: Console, heading: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Labels and sentences, the sentences below each other."""
    rows = list(pairs)
    if not rows:
        return
    screen.print(f"\n[bold]{heading}[/]")
    wide = min(26, max(len(label) for label, _ in rows))
    for label, text in rows:
        sentence(screen, text, lead=f" {label:<{wide}}  ")


def _sites(screen: Console, plan: Plan) -> None:
    """A column for each side where there is something on both; else one after the other would be wider than a screen."""
    screen.print("\n[bold]Sites[/]")
    rows = site_rows(plan)
    wide = max(len(label) for label, _, _ in rows)
    left = max(24, (screen.width - wide - 5) * 3 // 5)
    right = max(12, screen.width - wide - 5 - left)
    for label, mine, theirs in [("", plan.serving, other(plan.serving)), *rows]:
        first, second = _cut(mine, left), _cut(theirs, right)
        for number in range(max(len(first), len(second))):
            begin = label if number == 0 else ""
            one = first[number] if number < len(first) else ""
            two = second[number] if number < len(second) else ""
            line = Text(f" {begin:<{wide}}  {one:<{left}}  {two}".rstrip(), style="" if label else "bold")
            screen.print(line, soft_wrap=True)


def _cut(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _steps(screen: Console, plan: Plan) -> None:
    screen.print("\n[bold]In this order[/]")
    for number, step in enumerate(plan.steps, 1):
        screen.print(f" {number}. [bold]bmswitch {step.command}[/]")
        lines = (
            ("does", step.does),
            ("takes", expected(step)),
            ("clients", step.clients),
            ("undone by", step.undone_by),
            (f"on {plan.serving}", step.load),
            *(("mind", limit) for limit in step.limits),
        )
        for label, text in lines:
            if text:
                sentence(screen, text, lead=f"    {label:<9}  ", lead_style="dim")


def _runs(screen: Console, runs: Sequence[Run]) -> None:
    if not runs:
        return
    screen.print("\n[bold]Earlier runs of this site[/]")
    rows = table("when", "step", "predicted", "took")
    for run in runs[-_RUNS:]:
        rows.add_row(*run_words(run))
    screen.print(rows)


def show_findings(screen: Console, findings: list[Finding]) -> None:
    """One list, the worst last; what passed in one line each."""
    numbers = ", ".join(
        f"{number} {level.value}"
        for level in reversed(ORDER)
        if (number := sum(finding.level is level for finding in findings))
    )
    screen.print(f"\n[bold]Guards[/]: {numbers}")
    for level in ORDER:
        for finding in findings:
            if finding.level is level:
                _finding(screen, finding)


def _finding(screen: Console, finding: Finding) -> None:
    style = "dim" if finding.skipped else STYLE[finding.level]
    passed = finding.level is Level.passed
    said = finding.cause if passed else f"{finding.guard}: {finding.cause}"
    sentence(screen, said, lead=f" {finding.level.value:<7} ", lead_style=style)
    if passed:
        return
    lines = (
        ("seen", finding.evidence),
        ("so", finding.consequence),
        ("next", finding.command),
        ("skipped by", finding.skipped),
    )
    for label, text in lines:
        if text:
            sentence(screen, text, lead=f"         {label}: ")


def _later_skips(screen: Console, plan: Plan) -> None:
    """Guards that are skipped and asked at the switch only."""
    asked = {finding.guard for finding in plan.findings}
    for one in plan.skips:
        if one.guard not in asked:
            text = f"{one.guard} is asked at the switch, and skipped by {one.who}, {one.at}: {one.reason}"
            sentence(screen, text, lead=" skipped ")


def _end(screen: Console, plan: Plan, path: str, needed: int, previous: str) -> None:
    screen.print()
    if previous:
        sentence(screen, f"The plan before this one is {previous}: bmswitch plan diff says what changed")
    answer = approved(plan, needed)
    if needed or plan.approvals:
        sentence(screen, f"Approvals: {answer.cause}" + (f" ({answer.evidence})" if answer.evidence else ""))
    if plan.stops:
        screen.print(f"[bold red]{len(plan.stops)} thing(s) stand in the way.[/] Mend them and plan again.")
        return
    sentence(screen, f"Nothing stands in the way. It is in {path} ({plan.digest[:12]})")
    if answer.level is Level.stop:
        screen.print(f"next: {answer.command}")
        return
    screen.print("next: bmswitch provision")
