"""What `cutover` and `return` share: the question, the progress, Ctrl-C, the result. The way is the only difference."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from bmswitch.cli.presses import Presses
from bmswitch.cli.render import Output, Progress, emit, emit_error, emit_findings, table
from bmswitch.model.errors import ConfigError, RefusedError, UnknownError

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.model.plan import Finding, Plan
    from bmswitch.model.soak import Report
    from bmswitch.model.switch import Entry, State
    from bmswitch.workflows.cutover import Hooks
    from bmswitch.workflows.cutover_result import SwitchResult

How = Literal["start", "resume", "abort", "dry-run"]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for the target's name.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Ask the guards, print each action, touch nothing.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted switch.")]
AbortOption = Annotated[
    bool,
    typer.Option("--abort", help="Put everything back; lossless until the target took a client's write."),
]


def switch(
    name: str, config: Path, plan: Path | None, *, back: bool, how: How, ask: bool, output: Output
) -> None:
    """One switch as a command: `name` is what the operator typed, `back` which way it goes.

    Raises:
        As `start_switch` and `go_on` do.
    """
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 - keeps other commands' start quick
    from bmswitch.workflows.cutover import go_on, start_switch  # noqa: PLC0415 - the same
    from bmswitch.workflows.legs import (  # noqa: PLC0415 - the same
        leg_of,
        leg_to_switch,
        require_way_back,
    )
    from bmswitch.workflows.plan import load_plan  # noqa: PLC0415 - the same
    from bmswitch.workflows.there_and_back import after_breach, breached  # noqa: PLC0415 - the same

    told = load_config(config)
    leg = leg_to_switch(told, back=back)
    settings = leg.config
    planned = load_plan(settings, plan)
    if how == "dry-run":
        _dry_run(name, settings, planned, output)
        return
    if settings.soak.on_breach == "return" and not back:
        require_way_back(leg_of(told, leg.number + 1))
    quiet = output is Output.json
    try:
        with hooks(settings, name, ask=ask, quiet=quiet) as lent:
            if how == "start":
                result = start_switch(settings, planned, lent)
            else:
                result = go_on(settings, planned, lent, abort=how == "abort")
    except UnknownError as error:
        there = None if back else breached(error)
        if there is None:
            raise
        raise after_breach(
            there,
            told,
            lambda turned, way: hooks(turned, way, ask=False, quiet=quiet),
            Progress(quiet=quiet).note,
        ) from error
    emit(name, result, show_result, output)


def chosen(*, dry_run: bool, resume: bool, abort: bool) -> How:
    """What the options ask for; BadParameter when they exclude each other."""
    if resume + abort + dry_run > 1:
        raise typer.BadParameter("--resume, --abort and --dry-run exclude each other")
    return "dry-run" if dry_run else "resume" if resume else "abort" if abort else "start"


def _dry_run(name: str, settings: "Config", planned: "Plan", output: Output) -> None:
    from bmswitch.workflows.cutover import look_only  # noqa: PLC0415 - keeps other commands' start quick
    from bmswitch.workflows.rehearsal import rehearse  # noqa: PLC0415 - the same

    findings, actions = look_only(settings, planned), rehearse(settings, planned)
    refused = [finding for finding in findings if finding.forbids]
    result = {"would_start": not refused, "guards": findings, "actions": actions}

    def show(screen: Console, _result: object) -> None:
        shown = table("guard", "says", "")
        for one in findings:
            skipped = f"(skipped by {one.skipped})" if one.skipped else ""
            said = " ".join(p for p in (one.cause, one.evidence, skipped) if p)
            shown.add_row(one.guard, one.level.value, Text(said))
        screen.print(shown)
        steps = table("phase", "action", "exactly")
        for step in actions:
            steps.add_row(step.phase, step.action, step.exact)
        screen.print(steps)
        screen.print("dry run: nothing was touched; " + ("a guard says no" if refused else "it would start"))

    emit_findings(name, result, findings, show, output)


@contextmanager
def hooks(settings: "Config", name: str, *, ask: bool, quiet: bool) -> Iterator["Hooks"]:
    """Progress on stderr, the question, and Ctrl-C, SIGTERM or a lost terminal as a wish to turn back."""
    from bmswitch.workflows.cutover import Hooks  # noqa: PLC0415 - keeps other commands' start quick

    progress = Progress(quiet=quiet)
    output = Output.json if quiet else Output.human
    presses = Presses(name, lambda error: emit_error(name, error, output), quiet=quiet)

    def confirm(findings: "list[Finding]") -> None:
        _warn(findings, progress)
        if ask:
            ask_for_name(settings, name)
        presses.arm()

    def tell(entry: "Entry", state: "State") -> None:
        presses.state = state
        if entry.kind in ("resume", "abort"):
            presses.arm()
        line = _line(entry, state)
        if line:
            progress.note(line)

    try:
        yield Hooks(tell=tell, note=progress.note, confirm=confirm, stop=presses.stop)
    finally:
        progress.close()
        presses.put_back()


def _warn(findings: "list[Finding]", progress: Progress) -> None:
    for finding in findings:
        if finding.skipped:
            progress.note(
                f"skipped: {finding.guard} says {finding.level.value}: {finding.cause} {finding.evidence}".rstrip()
                + f" (by {finding.skipped})"
            )
        elif finding.level.value == "warn":
            progress.note(f"warning: {finding.cause} {finding.evidence}".rstrip())


def ask_for_name(settings: "Config", command: str, what: str = "moves all traffic to") -> None:
    """The target's name, typed: a `y` is typed too easily."""
    name = target_name(settings)
    if not sys.stdin.isatty():
        raise ConfigError(
            f"nobody is there to confirm: this {what} {name}",
            evidence="standard input is no terminal",
            next_command=f"bmswitch {command} --yes",
        )
    typed = input(f"This {what} {name}. Type its name to go on: ")
    if typed.strip() != name:
        raise RefusedError(
            "the name does not fit: nothing was started",
            consequence=f"traffic is on {settings.serving}, untouched",
        )


def target_name(settings: "Config") -> str:
    """Host of the target's address: what the operator must type."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - only here

    return urlsplit(settings.target.url).hostname or settings.target.url


def _line(entry: "Entry", state: "State") -> str:
    """One line per phase and per answer that is not yes; time since the hold."""
    at = f"+{(entry.at_ms - state.hold_from_ms) / 1000:6.3f} s" if state.hold_from_ms else "          "
    entered = state.entered.get(entry.phase) == entry.at_ms and entry.kind in ("intent", "phase")
    if entry.kind in ("abort", "onward"):
        return f"{at}  {'turning back' if entry.kind == 'abort' else 'going on'}: {entry.said}"
    if entry.kind == "effect" and entry.result is not None and entry.result.answer != "yes":
        return f"{at}  {entry.phase:9} {entry.verb}: {entry.result.answer} {entry.result.said}".rstrip()
    if entered or (entry.kind == "intent" and entry.phase == "aborting"):
        return f"{at}  {entry.phase:9} {entry.said}"
    return ""


def show_result(screen: Console, result: "SwitchResult") -> None:
    """Milliseconds by phase, what the soak has seen, the hold, and who serves."""
    shown = table("phase", "ms")
    for phase, milliseconds in result.phases.items():
        shown.add_row(phase, f"{milliseconds:,}")
    screen.print(shown)
    if result.soak:
        _show_soak(screen, result.soak)
    screen.print(f"clients were held for {result.hold_ms:,} ms")
    windows = result.windows
    screen.print(
        f"nobody could write for at most {windows.nobody_ms:,} ms, both sides for {windows.both_ms:,} ms"
    )
    screen.print(f"traffic is on {result.serving}")


def _show_soak(screen: Console, report: "Report") -> None:
    shown = table("frontend", "attempts", "failed", "p50 ms", "p99 ms")
    for each in report.frontends:
        shown.add_row(
            each.place, str(each.attempts), str(each.failures), f"{each.p50_ms:,.0f}", f"{each.p99_ms:,.0f}"
        )
    screen.print(shown)
    if not report.canary:
        screen.print("soak: greetings only, as soak.canary names no account")
