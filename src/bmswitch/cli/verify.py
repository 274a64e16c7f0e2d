"""`bmswitch verify`: prove that green equals blue."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output, Progress, console, count, emit, sentence, table

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.model.differences import Difference
    from bmswitch.model.plan import Plan
    from bmswitch.model.scope import Scope
    from bmswitch.workflows.proof_files import Outcome

BodiesOption = Annotated[
    str, typer.Option("--bodies", help="How many bodies are opened and hashed: a number, or `all`.")
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, max=100, help="How often an item that changes is read again.")
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds for the whole proof.")]
ConcurrencyOption = Annotated[
    int, typer.Option("--concurrency", min=1, max=256, help="Reads at a time on each side.")
]


OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="A part: domain:UID, user:UID or address, container:UID, dimension:NAME; may be repeated.",
        show_default=False,
    ),
]
SampleOption = Annotated[
    str, typer.Option("--sample", help="The share of the entries that is read: `1%` or `0.01`.")
]
SeedOption = Annotated[
    str,
    typer.Option("--seed", help="Chooses the sample; the same seed, the same entries.", show_default=False),
]
RateOption = Annotated[
    float,
    typer.Option("--rate", min=0, help="Reads a second of the side that serves; 0: its own pace only."),
]
ChangesOption = Annotated[
    bool,
    typer.Option("--changes", help="Only what the log touched since the last proof, which said equal."),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Read everything again, although an earlier proof was cut short.")
]
RepairOption = Annotated[
    bool, typer.Option("--repair", help="Mend on the clone what REST can mend; listed and asked before.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="With --repair: do not ask for the clone's name.")]
_SHOWN = 60


def verify(
    *,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    bodies: BodiesOption = "50",
    rounds: RoundsOption = 5,
    timeout: TimeoutOption = 3600.0,
    concurrency: ConcurrencyOption = 32,
    only: OnlyOption = None,
    sample: SampleOption = "100%",
    seed: SeedOption = "",
    changes: ChangesOption = False,
    fresh: FreshOption = False,
    rate: RateOption = 0.0,
    repair: RepairOption = False,
    yes: YesOption = False,
    output: OutputOption = Output.human,
) -> None:
    """Compare every container, item and body of green with blue's, under live traffic. Exit: 0 equal, 10 different, 11 unknown."""
    from bmswitch.workflows import verify as work  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan import check_fresh, load_plan  # noqa: PLC0415 -- the same
    from bmswitch.workflows.proof_files import refusal  # noqa: PLC0415 -- the same
    from bmswitch.workflows.verify_changes import verify_changes  # noqa: PLC0415 -- the same

    if changes and (only or fresh or sample != "100%"):
        raise typer.BadParameter("goes with the whole only", param_hint="--changes")
    scope = _scope(only or [], sample, seed)
    opened = _bodies(bodies)
    loaded = load_working(config)
    planned = load_plan(loaded, plan)
    check_fresh(planned, loaded)
    progress = Progress(quiet=output is Output.json)
    try:
        options = work.Options(
            bodies=opened,
            rounds=rounds,
            timeout=timeout,
            concurrency=concurrency,
            scope=scope,
            fresh=fresh,
            rate=rate,
        )
        prove = verify_changes if changes else work.verify
        outcome = prove(loaded, planned, options=options, shown=progress.update)
        if repair:
            outcome = _repair(loaded, planned, outcome, progress, ask=not yes)
    finally:
        progress.close()
    against = refusal(outcome.proof, Path(loaded.run_dir))
    if against is None or output is Output.human:
        if output is Output.human:
            _show_tree(console(), outcome.differences, loaded)
        emit("verify", outcome.proof, lambda screen, proof: _show(screen, proof, loaded), output)
    if against is not None:
        against.result = outcome.proof
        raise against


def _repair(
    config: "Config", plan: "Plan", outcome: "Outcome", progress: Progress, *, ask: bool
) -> "Outcome":
    """Lists what would be mended, asks for the clone's name, mends, and says what became of it."""
    from bmswitch.cli.switching import ask_for_name  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.repair import repair  # noqa: PLC0415 -- the same

    def confirm(todo: "list[Difference]") -> None:
        progress.note(f"{len(todo)} items would be mended on {config.standby}:")
        for one in todo:
            where = " ".join(filter(None, (one.domain, one.owner, one.container)))
            progress.note(f"  {where} {one.type} {one.item}: {one.repair}")
        if ask:
            ask_for_name(config, "verify --repair", "writes to")

    repaired = repair(config, plan, outcome, confirm, progress.update)
    for note in repaired.notes:
        if note.state in ("refused", "still different"):
            progress.note(f"{note.state}: {note.type} {note.item} of {note.owner} {note.said}".rstrip())
    if repaired.notes:
        progress.note(
            f"mended and proved again: {repaired.count('equal')}; still different: "
            f"{repaired.count('still different')}; refused: {repaired.count('refused')} (repair.ndjson)"
        )
    return repaired.outcome


def _scope(only: list[str], sample: str, seed: str) -> "Scope":
    from bmswitch.model.scope import parse_scope  # noqa: PLC0415 -- help stays fast

    try:
        number = float(sample.removesuffix("%").strip()) / (100 if sample.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise typer.BadParameter("a share such as 1% or 0.01", param_hint="--sample")
    try:
        return parse_scope(only, number, seed or (secrets.token_hex(4) if number < 1 else ""))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error


def _bodies(text: str) -> int:
    if text == "all":
        return -1
    if not text.isdigit():
        raise typer.BadParameter("a number or `all`", param_hint="--bodies")
    return int(text)


def _show_tree(screen: Console, differences: "list[Difference]", config: "Config") -> None:
    """The first lines of the tree; the whole is in the run folder."""
    from bmswitch.parity.tree import tree  # noqa: PLC0415 -- help stays fast

    lines = list(tree(differences, config.serving, config.standby))
    for line in lines[:_SHOWN]:
        screen.print(line, markup=False, soft_wrap=True)
    if len(lines) > _SHOWN:
        screen.print(f"... {len(lines) - _SHOWN} lines more, in differences.txt of the run folder")
    if lines:
        screen.print()


def _show(screen: Console, proof: Any, config: "Config") -> None:
    """The counts by dimension, then one sentence that says what is proved and as of when."""
    shown = table("dimension", "places", "items", "differences", "known")
    for name, counts in proof.dimensions.items():
        shown.add_row(
            name, count(counts.places), count(counts.items), count(counts.differences), count(counts.known)
        )
    shown.add_row("bodies", "", count(proof.bodies), "", "")
    screen.print(shown)
    screen.print()
    ends = sum(sum(offsets) for offsets in proof.position.values())
    if proof.changes or proof.whole_at:
        sentence(screen, f"{count(proof.changes)} items were touched since the last proof and read again.")
    part = f", in {proof.scope} and nowhere else," if proof.scope else ""
    sentence(
        screen,
        f"{_said(proof.verdict, config)}{part} as of {count(ends)} records in {len(proof.position)} topics of its log: "
        f"{count(proof.containers)} containers, {count(proof.items)} items, {count(proof.bodies)} bodies present, "
        f"{count(proof.bodies_read)} opened, in {proof.seconds:.1f} s.",
    )
    for reason, number in proof.known_reasons.items():
        sentence(screen, f"{count(number)} known: {reason}", lead="  ")
    screen.print("Not proved:")
    for what in proof.not_proved:
        sentence(screen, what, lead="  - ")


def _said(verdict: str, config: "Config") -> str:
    clone, source = config.standby.capitalize(), config.serving
    said = {"equal": f"{clone} equals {source}", "different": f"{clone} does NOT equal {source}"}
    return said.get(verdict, f"It is not known whether {config.standby} equals {source}")
