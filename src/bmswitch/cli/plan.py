"""`bmswitch plan`: what would be done, what stands in the way."""

from pathlib import Path

from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output, count, emit_findings, sentence, shorter, table
from bmswitch.model.config import other
from bmswitch.model.plan import Level, Plan

_STYLE = {Level.passed: "green", Level.warn: "yellow", Level.stop: "bold red", Level.unknown: "bold magenta"}


def plan(
    config: ConfigFile = Path("bmswitch.yaml"), plan: PlanFile = None, output: OutputOption = Output.human
) -> None:
    """Read both sides, ask every guard, write the plan file. Changes nothing on either side."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import working_leg  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.plan import default_plan_path, make_plan, save_plan  # noqa: PLC0415 -- the same

    leg = working_leg(load_config(config))
    loaded = leg.config
    made = make_plan(loaded, back=leg.back)
    path = plan or default_plan_path(loaded)
    save_plan(made, path)
    emit_findings("plan", made, made.findings, lambda screen, p: _show(screen, p, path), output)


def _show(screen: Console, plan: Plan, path: Path) -> None:
    screen.print(
        f"[bold]Plan {plan.id}[/]: BlueMind {plan.source.version} to {plan.target.version or f'a new {other(plan.serving)}'}"
    )
    _show_sites(screen, plan)
    _show_steps(screen, plan)
    _show_findings(screen, plan)
    if plan.stops:
        screen.print(f"\n[bold red]{len(plan.stops)} thing(s) stand in the way.[/] Mend them and plan again.")
        return
    sentence(screen, f"Nothing stands in the way. Written to {shorter(path)}")
    screen.print("next: bmswitch provision")


def _show_sites(screen: Console, plan: Plan) -> None:
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


def _show_steps(screen: Console, plan: Plan) -> None:
    screen.print("\n[bold]In this order[/]")
    for number, step in enumerate(plan.steps, 1):
        sentence(screen, f"bmswitch {step.command}: {step.does}", lead=f" {number}. ")
        sentence(screen, f"clients {step.clients}; undone by {step.undone_by}", lead="    ", style="dim")


def _show_findings(screen: Console, plan: Plan) -> None:
    screen.print("\n[bold]Guards[/]")
    for finding in plan.findings:
        sentence(screen, finding.cause, lead=f" {finding.level.value:<7} ", lead_style=_STYLE[finding.level])
        if finding.level is Level.passed:
            continue
        for label, text in (
            ("seen", finding.evidence),
            ("so", finding.consequence),
            ("next", finding.command),
        ):
            if text:
                sentence(screen, text, lead=f"         {label}: ")


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))
