"""`bmswitch proxy`: what a proxy node must be given, and whether each is ready for a switch."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, emit, sentence, table
from bmswitch.model.errors import ConfigError, RefusedError
from bmswitch.model.plan import Finding, Level
from bmswitch.proxy.layout import Listener, Protocol

if TYPE_CHECKING:
    from bmswitch.workflows.proxy_check import NodeReport, ProxyReport
    from bmswitch.workflows.proxy_render import Rendered

app = typer.Typer(help="Prepare proxy nodes for a switch, and check that they are.", rich_markup_mode=None)

_STYLE = {Level.passed: "green", Level.warn: "yellow", Level.stop: "bold red", Level.unknown: "bold magenta"}
_PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
Addresses = list[str]


@app.command()
def render(
    node: Annotated[str, typer.Argument(help="Its name in the configuration.")],
    *,
    config: ConfigFile = Path("bmswitch.yaml"),
    listen: Annotated[
        Addresses, typer.Option(help="A frontend: http=0.0.0.0:8080, imap=..., smtp=...; again for more.")
    ],
    blue: Annotated[
        Addresses, typer.Option(help="Blue's address: http=10.0.1.10:8080; again for each protocol.")
    ],
    green: Annotated[Addresses, typer.Option(help="Green's address, the same way.")],
    probe: Annotated[
        str, typer.Option(help="nginx: where it answers for its mail listeners.")
    ] = "127.0.0.1:8099",
    spread: Annotated[
        int,
        typer.Option(
            min=0, max=5000, metavar="MS", help="Let what was held go on over so many milliseconds."
        ),
    ] = 0,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write them into this folder; a state is kept.")
    ] = None,
    output: OutputOption = Output.human,
) -> None:
    """Print the piece of configuration that a node's proxy must include."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.proxy_render import render_node, write_rendered  # noqa: PLC0415 -- the same

    listeners = [Listener(*_pair(one, "--listen")) for one in listen]
    backends = {
        "blue": dict(_pair(one, "--blue") for one in blue),
        "green": dict(_pair(one, "--green") for one in green),
    }
    made = render_node(
        load_config(config),
        node,
        listeners,
        {"blue": backends["blue"], "green": backends["green"]},
        probe=probe,
        spread=spread,
    )
    emit("proxy", write_rendered(made, to) if to else made, _show_files, output)


@app.command()
def check(
    *,
    config: ConfigFile = Path("bmswitch.yaml"),
    rate: Annotated[int, typer.Option(min=1, help="Requests a second at the hour of the switch.")] = 500,
    output: OutputOption = Output.human,
) -> None:
    """Look at every running proxy: prepared, safe, and which colour really answers. Changes nothing."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 -- help stays fast
    from bmswitch.workflows.proxy_check import check_proxies  # noqa: PLC0415 -- the same

    found = check_proxies(load_config(config), rate=rate)
    emit("proxy", found, _show_report, output)
    if found.stops:
        raise typer.Exit(RefusedError.exit_code)


@app.command()
def serve() -> None:
    """Be the driver of a node on this machine for a bmswitch elsewhere: what a node's `via` starts over ssh."""
    from bmswitch.proxy.remote_serve import serve_node  # noqa: PLC0415 -- help stays fast

    serve_node(sys.stdin.buffer, sys.stdout.buffer)


def _pair(text: str, option: str) -> tuple[Protocol, str]:
    """`http=host:port` as its two halves."""
    name, _, address = text.partition("=")
    for protocol in _PROTOCOLS:
        if protocol == name and address:
            return protocol, address
    raise ConfigError(
        f"{option} {text}: expected protocol=host:port", evidence="protocols: " + ", ".join(_PROTOCOLS)
    )


def _show_files(screen: Console, result: "Rendered") -> None:
    if result.written:
        screen.print(
            f"{result.driver}: written {', '.join(result.written)}; they belong into {result.folder}"
        )
        screen.print("next: docs/proxy.md says where each is included; then bmswitch proxy check")
        return
    for name, text in result.files.items():
        typer.echo(f"# ---- {result.folder}/{name}")
        typer.echo(text, nl=not text.endswith("\n"))


def _show_report(screen: Console, result: "ProxyReport") -> None:
    for node in result.nodes:
        screen.print(f"[bold]{node.name}[/] ({node.driver}): on {node.claims}")
        _show_answers(screen, node)
        for finding in node.findings:
            _show_finding(screen, finding)
    if result.stops:
        screen.print(f"\n[bold red]{len(result.stops)} thing(s) stand in the way of a switch.[/]")
    else:
        screen.print("\nEvery proxy node is ready for a switch.")


def _show_answers(screen: Console, node: "NodeReport") -> None:
    if not node.answers:
        return
    rows = table("frontend", "answers as", "said")
    for one in node.answers:
        rows.add_row(one.frontend, one.colour or "?", one.error or one.said)
    screen.print(rows)


def _show_finding(screen: Console, finding: Finding) -> None:
    sentence(screen, finding.cause, lead=f" {finding.level.value:<7} ", lead_style=_STYLE[finding.level])
    for label, text in (("seen", finding.evidence), ("so", finding.consequence), ("next", finding.command)):
        if text and finding.level is not Level.passed:
            sentence(screen, text, lead=f"         {label}: ")
