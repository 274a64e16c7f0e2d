"""`bmswitch lab`: a whole blue/green site on this machine, for trying and testing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bmswitch.cli.options import OutputOption
from bmswitch.cli.render import Output, emit, shorter, size, table

if TYPE_CHECKING:
    from rich.console import Console

    from bmswitch.lab.supervisor.down import DownResult
    from bmswitch.lab.supervisor.faults import Done
    from bmswitch.lab.supervisor.layout import Layout
    from bmswitch.lab.supervisor.status import LabStatus
    from bmswitch.lab.supervisor.up import UpResult

Directory = Annotated[Path, typer.Option("--dir", help="The lab's folder.")]
Site = Annotated[Literal["blue", "green"], typer.Argument(help="Which installation.")]
_DEFAULT = Path("lab")

app = typer.Typer(
    help="A whole blue/green site on this machine, for trying and testing.", rich_markup_mode=None
)
standby_app = typer.Typer(help="A clone's machine: what provisioning does in a lab.", rich_markup_mode=None)
core_app = typer.Typer(help="Faults: stop, start or kill one installation's core.", rich_markup_mode=None)
app.add_typer(standby_app, name="standby", hidden=True)
app.add_typer(core_app, name="core")


@app.command()
def up(
    *,
    directory: Directory = _DEFAULT,
    kafka: Annotated[
        Literal["embedded", "apache"] | None, typer.Option(help="Default: embedded (in memory, small data).")
    ] = None,
    s3: Annotated[Literal["rclone", "minio"] | None, typer.Option(help="Default: rclone.")] = None,
    proxy: Annotated[
        Literal["envoy", "haproxy", "nginx"] | None, typer.Option(help="Default: envoy.")
    ] = None,
    mode: Annotated[
        Literal["mirror", "shared"] | None,
        typer.Option(help="mirror: each side has a Kafka (default). shared: green reads blue's."),
    ] = None,
    users: Annotated[int | None, typer.Option(min=1, help="People on blue; default 50.")] = None,
    items: Annotated[int | None, typer.Option(min=0, help="Items of each of them; default 20.")] = None,
    log: Annotated[Path | None, typer.Option(help="Blue is restored from this real log (a folder).")] = None,
    output: OutputOption = Output.human,
) -> None:
    """Start a lab, or what is missing of it. A lab that runs is left alone."""
    from bmswitch.lab.supervisor.up import Wanted  # noqa: PLC0415 -- help stays fast
    from bmswitch.lab.supervisor.up import up as start  # noqa: PLC0415 -- the same

    log_folder = str(log.resolve()) if log else None
    wanted = Wanted(kafka=kafka, mode=mode, s3=s3, proxy=proxy, users=users, items=items, log=log_folder)
    layout = _layout(directory)
    emit("lab", start(layout, wanted), lambda screen, result: _show_up(screen, result, layout), output)


@app.command()
def down(
    directory: Directory = _DEFAULT,
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Remove the logs too.")] = False,
    output: OutputOption = Output.human,
) -> None:
    """Stop everything of a lab, whatever its files say, and remove its data."""
    from bmswitch.lab.supervisor.down import down as stop  # noqa: PLC0415 -- help stays fast

    emit("lab", stop(_layout(directory), purge=purge), _show_down, output)


@app.command()
def status(directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Show what runs, where, and whether all records are still there."""
    from bmswitch.lab.supervisor.status import status as look  # noqa: PLC0415 -- help stays fast

    emit("lab", look(_layout(directory)), _show_status, output)


@app.command("load-log")
def load_log(
    folder: Annotated[Path, typer.Argument(help="Folder of a real log.")],
    directory: Directory = _DEFAULT,
    output: OutputOption = Output.human,
) -> None:
    """Make blue the installation of a real log: its store is wiped and filled again."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.load_log(_layout(directory), folder), _show_done, output)


@app.command("make-log")
def make_log(
    *,
    users: Annotated[int, typer.Option(min=1, help="People.")] = 100,
    records: Annotated[str, typer.Option(help="Records of the whole log, such as 500k or 20M.")] = "100k",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same log.")] = 1,
    sizes: Annotated[
        Literal["live", "export"],
        typer.Option(help="Mails as in a live log, or as in one that began with an export."),
    ] = "live",
    domain: Annotated[str, typer.Option(help="The mail domain.")] = "made.lan",
    to: Annotated[Path, typer.Option(help="A folder as load-log reads it.")] = Path("made-log"),
    kafka: Annotated[str, typer.Option(help="host:port of a Kafka to fill instead of a folder.")] = "",
    output: OutputOption = Output.human,
) -> None:
    """Make up a change log of production size, with the type mix and the sizes of real ones."""
    from bmswitch.cli import lab_make_log  # noqa: PLC0415 -- help stays fast

    lab_make_log.run(
        users=users,
        records=lab_make_log.number(records),
        seed=seed,
        sizes=sizes,
        domain=domain,
        to=to,
        kafka=kafka,
        output=output,
    )


@app.command()
def traffic(
    *,
    rate: Annotated[
        float, typer.Option(min=1, max=10_000, help="Requests a second, all protocols together.")
    ] = 400.0,
    writes: Annotated[float, typer.Option(min=0, max=1, help="Share of the HTTP requests that write.")] = 0.4,
    duration: Annotated[
        float | None, typer.Option(min=1, help="Seconds; default: until it is stopped.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the one in the background, show its summary.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Look for every acknowledged write.")] = False,
    directory: Directory = _DEFAULT,
    output: OutputOption = Output.human,
) -> None:
    """Clients at work, through the proxy, with a ledger of every write that was acknowledged to them."""
    from bmswitch.cli import lab_traffic  # noqa: PLC0415 -- help stays fast

    if detach + stop + check > 1:
        raise typer.BadParameter("choose one of --detach, --stop and --check")
    layout = _layout(directory)
    if stop:
        lab_traffic.stop(layout, output)
    elif check:
        lab_traffic.check(layout, output)
    elif detach:
        lab_traffic.detach(layout, rate, duration, writes, output)
    else:
        lab_traffic.run(layout, rate, duration, writes, output)


@app.command()
def demo(
    directory: Directory = _DEFAULT,
    rate: Annotated[int, typer.Option(min=1, help="Requests a second of the clients.")] = 380,
    output: OutputOption = Output.human,
) -> None:
    """Upgrade a blue site under client load, command by command, and say what the clients noticed."""
    from bmswitch.cli import lab_demo  # noqa: PLC0415 -- help stays fast

    lab_demo.run(directory, rate, output)


@app.command()
def defect(
    name: Annotated[str, typer.Argument(help="For example task-success-though-domain-failed.")],
    switch: Annotated[Literal["on", "off"], typer.Argument()],
    site: Annotated[Literal["blue", "green"], typer.Option(help="Which installation.")] = "green",
    directory: Directory = _DEFAULT,
    output: OutputOption = Output.human,
) -> None:
    """Make an installation show one of BlueMind's documented defects."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.defect(_layout(directory), name, site, on=switch == "on"), _show_done, output)


@standby_app.command("up")
def standby_up(site: Site, directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Start a core that is not installed; one that was demoted and stopped is emptied first."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.standby_up(_layout(directory), site), _show_done, output)


@standby_app.command("down")
def standby_down(site: Site, directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Stop a core and empty its machine."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.standby_down(_layout(directory), site), _show_done, output)


@core_app.command("start")
def core_start(site: Site, directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Start a core, also one that was fenced."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.core_start(_layout(directory), site), _show_done, output)


@core_app.command("stop")
def core_stop(site: Site, directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Stop a core: it flushes what it holds."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.core_stop(_layout(directory), site), _show_done, output)


@core_app.command("kill")
def core_kill(site: Site, directory: Directory = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Kill a core, as a power cut would."""
    from bmswitch.lab.supervisor import faults  # noqa: PLC0415 -- help stays fast

    emit("lab", faults.core_kill(_layout(directory), site), _show_done, output)


def _layout(directory: Path) -> "Layout":
    from bmswitch.lab.supervisor.layout import Layout  # noqa: PLC0415 -- help stays fast

    return Layout(directory)


def _show_up(screen: "Console", result: "UpResult", layout: "Layout") -> None:
    from bmswitch.lab.supervisor.state import require_state  # noqa: PLC0415 -- help stays fast

    shown = table("part", "address", "pid", "log")
    for name, part in require_state(layout).parts.items():
        shown.add_row(name, part.address, str(part.pid), part.log)
    screen.print(shown)
    if result.started:
        screen.print(f"the lab is up: {len(result.started)} parts started")
    else:
        screen.print("the lab was up already: nothing was changed")
    for name in result.fenced:
        screen.print(f"{name} was fenced on purpose and stays down (bmswitch lab core start brings it back)")
    screen.print(f"next: bmswitch plan -c {shorter(Path(result.config))}")


def _show_down(screen: "Console", result: "DownResult") -> None:
    screen.print("stopped: " + (", ".join(result.stopped) or "nothing ran"))
    if result.kept:
        screen.print(f"kept: {shorter(Path(result.kept))}")


def _show_status(screen: "Console", result: "LabStatus") -> None:
    shown = table("part", "state", "address", "pid", "memory", "records", "dropped")
    for part in result.parts:
        counts = ["" if value is None else f"{value:,}" for value in (part.records, part.dropped)]
        shown.add_row(part.name, part.state, part.address, str(part.pid or ""), size(part.memory), *counts)
    screen.print(shown)
    dropped = sum(part.dropped or 0 for part in result.parts)
    if dropped:
        screen.print(
            f"RECORDS LOST: {dropped:,} were dropped by the embedded Kafka; use less data or --kafka apache"
        )
    missing = [part.name for part in result.parts if part.state == "down"]
    if missing:
        screen.print("down: " + ", ".join(missing) + "; next: bmswitch lab up")


def _show_done(screen: "Console", result: "Done") -> None:
    screen.print(result.text)
