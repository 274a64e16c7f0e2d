"""A plan for people at a terminal: the sites, the steps, what the guards say with the worst last, and what comes next."""

from rich.console import Console

from bmswitch.cli.render import count, sentence, table
from bmswitch.model.config import other
from bmswitch.model.plan import Finding, Level, Plan, approved

STYLE = {Level.passed: "green", Level.warn: "yellow", Level.stop: "bold red", Level.unknown: "bold magenta"}
ORDER = (Level.passed, Level.warn, Level.unknown, Level.stop)
"""The worst last: the end is what a terminal still shows."""


def show_plan(screen: Console, plan: Plan, path: str, needed: int, previous: str = "") -> None:
    """The whole plan."""
    screen.print(f"[bold]Plan {plan.id}[/]: BlueMind {plan.source.version} to {_target(plan)}")
    _sites(screen, plan)
    _steps(screen, plan)
    show_findings(screen, plan.findings)
    _later_skips(screen, plan)
    _end(screen, plan, path, needed, previous)


def _target(plan: Plan) -> str:
    return plan.target.version or f"a new {other(plan.serving)}"


def _sites(screen: Console, plan: Plan) -> None:
    rows = table("", plan.serving, other(plan.serving))
    rows.add_row("core", plan.source.url, plan.target.url)
    rows.add_row("version", plan.source.version, plan.target.version or "not there yet")
    rows.add_row("domains", ", ".join(plan.source.domains), ", ".join(plan.target.domains) or "-")
    rows.add_row("servers", _pairs(plan.source.servers), _pairs(plan.target.servers) or "-")
    rows.add_row("log", f"{len(plan.source.topics)} topics, {count(plan.volume.total_records)} records",
                 f"{len(plan.target.topics)} topics")  # fmt: skip
    kinds = ", ".join(f"{number} {kind.lower()}" for kind, number in plan.volume.entries.items())
    rows.add_row("directory", kinds or "-", "")
    rows.add_row("bodies", count(plan.volume.bodies), "the same bucket")
    screen.print(rows)


def _steps(screen: Console, plan: Plan) -> None:
    screen.print("\n[bold]In this order[/]")
    for number, step in enumerate(plan.steps, 1):
        sentence(screen, f"bmswitch {step.command}: {step.does}", lead=f" {number}. ")
        sentence(screen, f"clients {step.clients}; undone by {step.undone_by}", lead="    ", style="dim")


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
    sentence(screen, f"Nothing stands in the way. Written to {path} ({plan.digest[:12]})")
    if answer.level is Level.stop:
        screen.print(f"next: {answer.command}")
        return
    screen.print("next: bmswitch provision")


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))
