"""`bmswitch cures`: what is cured in the stream, and what happens without it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, count, emit, sentence, table

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.model.record_types import RecordType
    from bmswitch.workflows.cures import Listed, Types

_DEFAULT = Path("bmswitch.yaml")

app = typer.Typer(
    help="What is cured in the stream, before green reads it.", rich_markup_mode=None, no_args_is_help=True
)


@app.command("list")
def list_(config: ConfigFile = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Every cure, and whether this configuration turns it off."""
    from bmswitch.workflows.cures import listed  # noqa: PLC0415 -- the same

    emit("cures", listed(_configuration(config)), _list, output)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A name of `cures list`.")],
    config: ConfigFile = _DEFAULT,
    output: OutputOption = Output.human,
) -> None:
    """One cure: what it prevents, what it touches, where the harm is documented."""
    from bmswitch.workflows.cures import explained  # noqa: PLC0415 -- the same

    emit("cures", explained(_configuration(config), name), _explain, output)


@app.command()
def types(config: ConfigFile = _DEFAULT, output: OutputOption = Output.human) -> None:
    """Every record type that bmswitch knows, and those that the last copy met and did not know."""
    from bmswitch.workflows.cures import record_types  # noqa: PLC0415 -- the same

    emit("cures", record_types(_configuration(config)), _types, output)


def _configuration(path: Path) -> "Config | None":
    """The file that was named; None when none was and there is none: the cures can be read without."""
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 -- help stays fast

    return None if path == _DEFAULT and not path.exists() else load_config(path)


def _list(screen: Console, listed: "list[Listed]") -> None:
    shown = table("cure", "state", "prevents")
    for one in listed:
        shown.add_row(one.cure.name, _state(one), Text(one.cure.prevents))
    screen.print(shown)


def _types(screen: Console, found: "Types") -> None:
    shown = table("type", "value class", "in", "is")
    for one in found.known:
        shown.add_row(one.type, Text(one.value_class.rpartition(".")[2]), one.where, _is(one))
    screen.print(shown)
    for name, records in found.unknown.items():
        sentence(screen, f"{count(records)} records were copied as they are", lead=f"unknown: {name}: ")


def _is(one: "RecordType") -> str:
    if one.legacy:
        return f"legacy, until {one.legacy}"
    return "restored" if one.restored else "not restored"


def _explain(screen: Console, one: "Listed") -> None:
    cure = one.cure
    lines = (
        ("prevents", cure.prevents), ("how", cure.how), ("touches", cure.touches), ("without", cure.without),
        ("when", cure.when), ("source", ", ".join(cure.source)), ("state", _state(one)),
    )  # fmt: skip
    screen.print(cure.name)
    for name, text in lines:
        sentence(screen, text, lead=f"  {name:9} ")
    if one.left:
        sentence(screen, f"{count(one.left)} records passed as they are: not certain", lead="  left      ")
    if cure.text:
        sentence(screen, cure.text, lead="  ")


def _state(one: "Listed") -> str:
    if one.cure.fixed:
        return "on, fixed"
    return "on" if one.on else "off"
