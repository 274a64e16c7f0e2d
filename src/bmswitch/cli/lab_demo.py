"""`bmswitch lab demo`: the whole line on a lab, and the verdict from the clients' ledger."""

import os
from pathlib import Path

import msgspec
from rich.console import Console

from bmswitch.cli.render import Output, count, emit, table
from bmswitch.lab.demo import Demo, DemoResult
from bmswitch.model.errors import DifferentError, LabError

RESULT = Path("demo.json")


def run(directory: Path, rate: int, output: Output) -> None:
    """Runs it, writes `demo.json`, prints the verdict; an interruption is an error."""
    folder = os.environ.get("BMSWITCH_REAL_LOG", "")
    if folder and not Path(folder).is_dir():
        raise LabError(
            f"there is no real log in {folder}",
            evidence="BMSWITCH_REAL_LOG names it",
            next_command="unset it",
        )
    result = Demo(directory, Path(folder).resolve() if folder else None, rate).run()
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    emit("lab", result, _show, output)
    if not result.no_interruption:
        raise DifferentError(
            "clients noticed the upgrade",
            evidence=f"{result.requests.failed} failed requests; see {RESULT}",
            consequence="this was an interruption",
        )


def _show(screen: Console, result: DemoResult) -> None:
    requests, writes = result.requests, result.writes
    rows = table("what", "seen", title="\nThe verdict")
    rows.add_row(
        "requests", f"{count(requests.http)} http, {count(requests.imap)} imap, {count(requests.smtp)} smtp"
    )
    rows.add_row("failed requests", count(requests.failed))
    rows.add_row("acknowledged writes", count(writes.acknowledged))
    rows.add_row("lost / duplicated / unknown", f"{writes.lost} / {writes.duplicated} / {writes.unknown}")
    rows.add_row("longest pause of a client", f"{result.longest_pause_ms:,.0f} ms")
    rows.add_row("hold", f"{result.hold_ms:,.0f} ms")
    windows = result.windows
    rows.add_row(
        "nobody wrote / both sides wrote",
        f"{windows.nobody_wrote_ms:,.0f} ms / {windows.both_wrote_ms:,.0f} ms",
    )
    replication = result.replication
    rows.add_row(
        "replicated",
        f"{count(replication['records'])} records, {count(replication['records_per_second'])} a second",
    )
    rows.add_row(
        "green against blue", f"{result.parity['verdict']}, {result.parity['differences']} differences"
    )
    rows.add_row("time", f"{result.seconds['total']:.0f} s")
    screen.print(rows)
    if result.no_interruption and requests.total:
        screen.print("\n[bold green]no interruption[/]: every acknowledged write is on green, exactly once")
    else:
        screen.print("\n[bold red]clients noticed[/]")
    screen.print(f"written to {RESULT}")
