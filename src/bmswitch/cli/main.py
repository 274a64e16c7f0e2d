"""The `bmswitch` command: registers the commands and turns every error into words and an exit code."""

import importlib
import itertools
import keyword
import os
import signal
import sys
import traceback
from importlib.metadata import version as package_version
from typing import Annotated, ClassVar

import typer

from bmswitch.cli.render import Output, emit_error
from bmswitch.model.errors import BmswitchError, InterruptedRunError

COMMANDS = (
    "plan",
    "provision",
    "replicate",
    "verify",
    "cutover",
    "standby",
    "return",
    "status",
    "quarantine",
    "cures",
    "journal",
    "config",
    "proxy",
    "gate",
    "lab",
)
"""In the order in which an operator needs them; each is a module of this package (`return_` for `return`), light to import."""


class DefectError(BmswitchError):
    """A defect of bmswitch itself, or of a library under it."""

    exit_code: ClassVar[int] = 70
    default_consequence: ClassVar[str] = "unknown: look at `bmswitch status` before anything else"


def build_app() -> typer.Typer:
    """All commands: a module offers a function of its own name, or a group called `app`."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True
    )
    app.callback(epilog="Exit codes: 0 done, 2 wrong command line; all others: README.md, Exit codes.")(root)
    for name in COMMANDS:
        own = f"{name}_" if keyword.iskeyword(name) else name
        module = importlib.import_module(f"bmswitch.cli.{own}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, own))
    return app


def _print_version(value: bool) -> None:  # noqa: FBT001 -- a callback's signature
    if value:
        sys.stdout.write(f"bmswitch {package_version('bmswitch')}\n")
        raise typer.Exit


def root(
    *,
    version: Annotated[  # noqa: ARG001 -- handled by its callback
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Upgrade a very large BlueMind installation with zero downtime: replicate, prove, switch."""
    if debug:
        os.environ["BMSWITCH_DEBUG"] = "1"


def main() -> None:
    """Runs the command line and exits with the code of the error tree."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The command line's exit code; errors are printed, never raised."""
    name = next((word for word in arguments if word in COMMANDS), "bmswitch")
    signal.signal(signal.SIGINT, _stop)
    try:
        build_app()(args=arguments, prog_name="bmswitch")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 -- the last line of defence: say it and exit with its own code
        if os.environ.get("BMSWITCH_DEBUG"):
            traceback.print_exc()
        told = error if isinstance(error, BmswitchError) else _defect(name, error)
        emit_error(name, told, _wanted_output(arguments), told.result)
        return told.exit_code
    return 0


def _stop(_signal: int, _frame: object) -> None:
    raise InterruptedRunError("stopped by the operator", consequence="what was under way is in the journal")


def _defect(name: str, error: Exception) -> DefectError:
    """An error of ours: its type and place only, as its text could carry what must not be printed."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return DefectError(
        f"a defect of bmswitch: {type(error).__name__}",
        evidence=f"in {place.name}, line {place.lineno} of {os.path.basename(place.filename)}",  # noqa: PTH119 -- a name
        next_command=f"`bmswitch --debug {name} ...` shows the traceback",
    )


def _wanted_output(arguments: list[str]) -> Output:
    """`--output json` as given, even when the rest of the line is wrong."""
    json = "--output=json" in arguments or ("--output", "json") in itertools.pairwise(arguments)
    return Output.json if json else Output.human


if __name__ == "__main__":
    main()
