"""`bmswitch config`: check the file, print its JSON Schema."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption
from bmswitch.cli.render import Output, emit

app = typer.Typer(help="Check the configuration, print its JSON Schema.", rich_markup_mode=None)


@app.command()
def check(config: ConfigFile = Path("bmswitch.yaml"), output: OutputOption = Output.human) -> None:
    """Read the file and name the first thing that is wrong; touches nothing."""
    from bmswitch.workflows.config import config_hash, load_config  # noqa: PLC0415 -- help stays fast

    loaded = load_config(config)
    result = {"file": str(config), "hash": config_hash(loaded)}
    emit("config", result, _show, output)


@app.command()
def schema(to: Annotated[Path | None, typer.Option("--to", help="Write it to this file.")] = None) -> None:
    """Print the JSON Schema of the file, for editors and reviews."""
    import msgspec  # noqa: PLC0415 -- the same

    from bmswitch.workflows.config import config_schema  # noqa: PLC0415 -- the same

    text = msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode() + "\n"
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")


def _show(screen: Console, result: dict[str, str]) -> None:
    screen.print(f"{result['file']} is right (hash {result['hash'][:12]})")
