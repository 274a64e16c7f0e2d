"""The differences of two plans, for people."""

from rich.console import Console

from bmswitch.cli.render import sentence
from bmswitch.model.plan import Plan
from bmswitch.model.plan_diff import Part


def show_changes(screen: Console, old: Plan, new: Plan, parts: list[Part]) -> None:
    """Every part that changed, line by line."""
    sentence(screen, f"Plan {old.id} to {new.id}", style="bold")
    if not parts:
        screen.print("nothing changed but the time")
    for part in parts:
        screen.print(f"\n[bold]{part.part.capitalize()}[/]")
        for line in part.lines:
            sentence(screen, line, lead="  ")
