"""`bmswitch verify`: prove that green equals blue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output, Progress, count, emit, sentence, table

if TYPE_CHECKING:
    from bmswitch.model.config import Config

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


def verify(
    *,
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    bodies: BodiesOption = "50",
    rounds: RoundsOption = 5,
    timeout: TimeoutOption = 3600.0,
    concurrency: ConcurrencyOption = 32,
    output: OutputOption = Output.human,
) -> None:
    """Compare every container, item and body of green with blue's, under live traffic. Exit: 0 equal, 10 different, 11 unknown."""
    from bmswitch.workflows import verify as work  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.legs import load_working  # noqa: PLC0415 -- the same
    from bmswitch.workflows.plan import check_fresh, load_plan  # noqa: PLC0415 -- the same

    sample = _sample(bodies)
    loaded = load_working(config)
    planned = load_plan(loaded, plan)
    check_fresh(planned, loaded)
    progress = Progress(quiet=output is Output.json)
    try:
        options = work.Options(bodies=sample, rounds=rounds, timeout=timeout, concurrency=concurrency)
        outcome = work.verify(loaded, planned, options=options, shown=progress.update)
    finally:
        progress.close()
    refusal = work.refusal(outcome.proof, Path(loaded.run_dir))
    if refusal is None or output is Output.human:
        emit("verify", outcome.proof, lambda screen, proof: _show(screen, proof, loaded), output)
    if refusal is not None:
        refusal.result = outcome.proof
        raise refusal


def _sample(text: str) -> int:
    if text == "all":
        return -1
    if not text.isdigit():
        raise typer.BadParameter("a number or `all`", param_hint="--bodies")
    return int(text)


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
    sentence(
        screen,
        f"{_said(proof.verdict, config)} as of {count(ends)} records in {len(proof.position)} topics of its log: "
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
