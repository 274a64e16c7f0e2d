"""`bmswitch plan`: what would be done, what stands in the way; shown, compared, decided about, approved."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.plan_diff import show_changes
from bmswitch.cli.plan_markdown import changes_markdown, plan_markdown
from bmswitch.cli.plan_show import show_findings, show_plan
from bmswitch.cli.render import Document, Output, emit, emit_findings, shorter

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.model.plan import Plan

app = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    subcommand_metavar="[show|diff|skip|accept|approve]",
)
DocumentOption = Annotated[
    Document, typer.Option("--output", help="For people, one JSON object, or Markdown for a merge request.")
]
WhoOption = Annotated[str, typer.Option("--who", help="Your name: it stands in the plan file.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why the run may go on all the same.")]


@app.callback()
def plan(
    ctx: typer.Context,
    *,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Ask this guard only; may be given again. No plan is written."),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", help="Go on whatever this guard says; with --reason and --who."),
    ] = None,
    reason: Annotated[list[str] | None, typer.Option("--reason", help="Why; once for each --skip.")] = None,
    allow_unproven_version: Annotated[
        bool,
        typer.Option(
            "--allow-unproven-version", help="Cross versions that no test covers; stands in the plan."
        ),
    ] = False,
    who: WhoOption = "",
    output: DocumentOption = Document.human,
) -> None:
    """Read both sides, ask every guard, write the plan file. Changes nothing on either side."""
    if ctx.invoked_subcommand is not None:
        _refuse_options_before(ctx)
        return
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import working_leg  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan import ask_only, default_plan_path, keep_previous, make_plan, save_plan  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan_decide import askable, skips_of, unproven_version_allowed  # noqa: PLC0415 -- the same

    leg = working_leg(load_config(config))
    if only:
        found = ask_only(leg.config, askable(only), back=leg.back)
        emit_findings(
            "plan", {"guards": found}, found, lambda screen, _: show_findings(screen, found), output.plain
        )
        return
    skips = skips_of(skip or [], reason or [], who) if skip or reason else []
    if allow_unproven_version:
        skips += unproven_version_allowed(who)
    made = make_plan(leg.config, back=leg.back, skips=skips)
    path = plan or default_plan_path(leg.config)
    previous = keep_previous(path)
    save_plan(made, path)
    _emit_plan(made, path, leg.config, output, previous)


@app.command()
def show(
    config: ConfigFile = Path("bmswitch.yaml"), plan: PlanFile = None, output: DocumentOption = Document.human
) -> None:
    """The plan file as it is, for people, machines or a merge request. Reads no site."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.plan import default_plan_path, load_plan  # noqa: PLC0415 -- the same

    loaded = load_working(config)
    _emit_plan(load_plan(loaded, plan), plan or default_plan_path(loaded), loaded, output)


@app.command()
def diff(
    old: Annotated[
        Path | None, typer.Argument(help="A plan file; default: the one before the newest.")
    ] = None,
    new: Annotated[Path | None, typer.Argument(help="Another; default: the newest.")] = None,
    config: ConfigFile = Path("bmswitch.yaml"),
    output: DocumentOption = Document.human,
) -> None:
    """What is not the same in two plan files. Reads no site."""
    from bmswitch.model.plan_diff import plan_changes  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan import PREVIOUS, default_plan_path, read_plan  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan_parts import part_changes  # noqa: PLC0415 -- the same

    newest = new if old and new else default_plan_path(load_working(config))
    before = read_plan(old or newest.with_name(newest.stem + PREVIOUS))
    after = read_plan(newest)
    parts = plan_changes(before, after, part_changes(before.config_parts, after.config_parts))
    if output is Document.markdown:
        typer.echo(changes_markdown(before, after, parts), nl=False)
        return
    result = {"old": before.id, "new": after.id, "changes": parts}
    emit("plan", result, lambda screen, _: show_changes(screen, before, after, parts), output.plain)


@app.command()
def skip(
    guards: Annotated[
        list[str], typer.Argument(metavar="GUARD...", help="Names of guards, as `plan show` has them.")
    ],
    *,
    reason: ReasonOption,
    who: WhoOption,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    output: OutputOption = Output.human,
) -> None:
    """Let the run go on whatever these guards say. The plan keeps its id and its proof, and loses its approvals."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.plan_decide import add_skips, skips_of  # noqa: PLC0415 -- the same

    loaded = load_working(config)
    skips = skips_of(guards, [reason] * len(guards), who)
    changed = add_skips(loaded, plan, skips)
    told = {"skips": changed.skips, "stops": len(changed.stops)}
    _emit_decided(changed, f"{who} skips {', '.join(guards)}", told, output)


@app.command()
def accept(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Names of differences, as the guard `proof` has them."),
    ],
    *,
    reason: ReasonOption,
    who: WhoOption,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    output: OutputOption = Output.human,
) -> None:
    """Accept differences by name. As many as the last proof found; the plan loses its approvals."""
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.plan_decide import accept as take  # noqa: PLC0415 -- the same

    changed = take(load_working(config), plan, names, reason, who)
    told = {"accepted": changed.accepted}
    _emit_decided(changed, f"{who} accepts {', '.join(names)}", told, output)


@app.command()
def approve(
    who: WhoOption,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    output: OutputOption = Output.human,
) -> None:
    """Say yes to exactly this plan: void once anything in it changes."""
    from bmswitch.model.plan import approved  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan_decide import approve as say_yes  # noqa: PLC0415 -- the same

    loaded = load_working(config)
    changed = say_yes(loaded, plan, who)
    needed = loaded.plan.approvals_needed
    said = f"{who} approved it; {approved(changed, needed).cause}"
    _emit_decided(changed, said, {"approvals": changed.standing, "needed": needed}, output)


def _emit_decided(plan: "Plan", what: str, told: Mapping[str, object], output: Output) -> None:
    """The plan after a decision: id and digest with what was decided."""
    result = {"plan": plan.id, "digest": plan.digest, **told}
    line = f"plan {plan.id} ({plan.digest[:12]}): {what}"
    emit("plan", result, lambda screen, _: screen.print(line), output)


def _emit_plan(
    plan: "Plan", path: Path, config: "Config", output: Document, previous: Path | None = None
) -> None:
    from bmswitch.workflows.history import load_history  # noqa: PLC0415 -- help stays fast

    needed, runs = config.plan.approvals_needed, load_history(config)
    before = shorter(previous) if previous else ""

    def human(screen: Console, _plan: object) -> None:
        if output is Document.human:
            show_plan(screen, plan, shorter(path), needed, previous=before, runs=runs)

    if output is Document.markdown:
        typer.echo(plan_markdown(plan, needed, runs), nl=False)
    emit_findings("plan", plan, plan.findings, human, output.plain)


def _refuse_options_before(ctx: typer.Context) -> None:
    """`plan -c FILE show` would read another file than the one named: say so instead."""
    sources = [ctx.get_parameter_source(name) for name in ctx.params]
    if any(source is not None and source.name == "COMMANDLINE" for source in sources):
        raise typer.BadParameter(
            f"options go behind the word {ctx.invoked_subcommand}: bmswitch plan {ctx.invoked_subcommand} ..."
        )
