"""`bmswitch status`: where everything stands, or wait until a clone is ready."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, count, duration, emit, left_words, size, table, workers_words

if TYPE_CHECKING:
    from bmswitch.workflows.overview import Copy, Overview


class Goal(StrEnum):
    """What can be waited for."""

    caught_up = "caught-up"
    standby = "standby"


def status(
    config: ConfigFile = Path("bmswitch.yaml"),
    *,
    wait: Annotated[
        Goal | None, typer.Option("--wait", help="End with 0 once that is so.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds to wait.")] = 600.0,
    output: OutputOption = Output.human,
) -> None:
    """Show both cores, the proxies, the copy, the last proof, the switch."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 - help stays fast
    from bmswitch.workflows.legs import leg_to_show, working_leg  # noqa: PLC0415 - the same
    from bmswitch.workflows.overview import overview, wait_caught_up, wait_standby  # noqa: PLC0415 - the same

    settings = load_config(config)
    if wait is Goal.caught_up:
        wait_caught_up(working_leg(settings).config, timeout)
    elif wait is Goal.standby:
        wait_standby(settings, timeout)
    emit("status", overview(leg_to_show(settings).config), _show, output)


def lag_of(copy: "Copy") -> str:
    """Records, bytes and seconds behind, the time left, and for how long the log keeps the rest."""
    if not copy.lag_records:
        return "0"
    left = left_words(copy.left_seconds, copy.left_low, copy.left_high)
    life = (
        "" if copy.log_life_seconds is None else f", the log keeps it {duration(copy.log_life_seconds)} more"
    )
    return f"{count(copy.lag_records)} ({size(copy.lag_bytes)}, {duration(copy.lag_seconds, 1)}), {left} left{life}"


def _show(screen: Console, seen: "Overview") -> None:
    shown = table("part", "state")
    shown.add_row("blue's core", seen.blue)
    shown.add_row("green's core", seen.green)
    for node in seen.nodes:
        held = f", held until {node.hold_until_ms} (epoch ms)" if node.hold_until_ms else ""
        state = f"points at {node.colour}{held}, fence {node.fence}" if node.seen else "does not answer"
        shown.add_row(f"proxy {node.name}", state)
    copy = seen.replication
    if copy is None:
        shown.add_row("replicate", "never ran in this run folder")
    else:
        alive = "" if copy.alive else " (its process is gone)"
        shown.add_row("replicate", f"{copy.phase}{alive}, {count(copy.records)} records, lag {lag_of(copy)}")
        if copy.workers:
            shown.add_row("workers", workers_words(copy.workers))
        if copy.held or copy.rate_limit:
            limit = f"at most {count(round(copy.rate_limit))} records/s" if copy.rate_limit else ""
            shown.add_row("held back", "; ".join(filter(None, (copy.held, limit))))
    proof = seen.proof
    shown.add_row(
        "last proof", f"{proof.verdict}, {proof.age} s ago, {count(proof.items)} items" if proof else "none"
    )
    shown.add_row("switch", seen.journal_error or seen.switch)
    if seen.last is not None:
        last = f"{seen.last.kind} {seen.last.verb}".strip()
        shown.add_row("last journal line", f"{seen.last.at[:19]} {seen.last.phase}: {last}")
    screen.print(shown)
    screen.print(f"traffic is on {seen.serving}")
