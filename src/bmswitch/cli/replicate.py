"""`bmswitch replicate`: copies blue's log to green and keeps it there."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bmswitch.cli.options import ConfigFile, OutputOption, PlanFile
from bmswitch.cli.render import Output, Progress, count, duration, emit, left_words, size, workers_words

if TYPE_CHECKING:
    from bmswitch.model.config import Config
    from bmswitch.model.plan import Plan
    from bmswitch.model.status import ReplicateStatus
    from bmswitch.workflows.joining import Joined
    from bmswitch.workflows.replicate import Replicated


class Until(StrEnum):
    """When to end by itself."""

    caught_up = "caught-up"


def replicate(
    config: ConfigFile = Path("bmswitch.yaml"),
    plan: PlanFile = None,
    until: Annotated[
        Until | None, typer.Option("--until", help="End with 0 once green is caught up.", show_default=False)
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until told to stop (the default).", show_default=False)
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.0, help="Records a second at most; 0: no limit.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Processes that share the work; also with other machines.",
            show_default=False,
        ),
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="Share the work of a replicate that runs on another machine.")
    ] = False,
    output: OutputOption = Output.human,
) -> None:
    """Copy blue's log to green's Kafka, keep it there, and have green restore itself from it.

    It stands still while RUN_DIR/replicate.pause is there: SIGUSR1 makes that file, SIGUSR2 removes it.
    """
    from bmswitch.workflows.config import load_config  # noqa: PLC0415 - keeps other commands' start quick
    from bmswitch.workflows.legs import promotion_before, working_leg  # noqa: PLC0415 - the same
    from bmswitch.workflows.plan import load_plan  # noqa: PLC0415 - the same
    from bmswitch.workflows.replicate import run_replicate  # noqa: PLC0415 - the same

    if follow and until:
        raise typer.BadParameter("--follow and --until exclude each other")
    if join and (until or rate is not None):
        raise typer.BadParameter("--join takes no --until and no --rate: the leading replicate decides")
    settings = load_config(config)
    leg = working_leg(settings)
    planned = load_plan(leg.config, plan)
    if join:
        _join(leg.config, planned, workers or 1, output)
        return
    progress = Progress()
    pausing = paused_by_signals(Path(leg.config.run_dir)) if _copies(leg.config) else no_pause()
    with stopped_by_signals() as stop, pausing:
        try:
            result = run_replicate(
                leg.config,
                planned,
                until_caught_up=until is not None,
                tell=lambda status: progress.update(told(status)),
                stop=stop,
                since=promotion_before(settings, leg),
                rate=rate,
                workers=workers or 0,
            )
        finally:
            progress.close()
    emit("replicate", result, show_copied, output)


def _copies(config: "Config") -> bool:
    return config.replication.mode == "mirror"


def _join(config: "Config", plan: "Plan", workers: int, output: Output) -> None:
    """Works for the leading process of another machine."""
    from bmswitch.workflows.joining import run_join  # noqa: PLC0415 - keeps other commands' start quick

    progress = Progress()
    with stopped_by_signals() as stop:
        try:
            joined = run_join(config, plan, workers, tell=progress.update, stop=stop)
        finally:
            progress.close()
    emit("replicate", joined, show_joined, output)


def show_joined(console: Console, joined: "Joined") -> None:
    """What this machine's workers did, and why they ended."""
    console.print(
        f"{joined.workers} workers copied {count(joined.records)} records in {duration(joined.seconds)}; "
        + (f"the leading replicate {joined.leader}" if joined.leader else "told to stop")
    )


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """SIGTERM and SIGINT ask for an orderly end; a second one does what it always does."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for signalled, handler in before.items():
            signal.signal(signalled, handler)


@contextmanager
def paused_by_signals(run_dir: Path) -> Iterator[None]:
    """SIGUSR1 makes the pause file, SIGUSR2 removes it."""
    from bmswitch.workflows.pausing import pause, resume  # noqa: PLC0415 - keeps other commands' start quick

    asked = {
        signal.SIGUSR1: lambda *_: pause(run_dir, "by SIGUSR1"),
        signal.SIGUSR2: lambda *_: resume(run_dir),
    }
    before = {number: signal.signal(number, handler) for number, handler in asked.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def no_pause() -> Iterator[None]:
    """Where nothing is copied these signals mean nothing; unheard they would end the process."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def told(status: "ReplicateStatus") -> str:
    """One line, what matters most first: phase, what holds it back, records, rate, lag, time left."""
    if status.mode == "shared":
        return _told_of_a_clone(status)
    parts = [
        status.phase.replace("_", " "),
        *([status.held] if status.held else []),
        f"{count(status.records)} records",
        f"{count(round(status.records_per_second))}/s",
        f"{size(status.bytes)}",
        f"lag {count(status.lag_records)}",
    ]
    if status.lag_records:
        parts.append(f"{size(status.lag_bytes)}")
        parts.append(f"{duration(status.lag_seconds, 1)} behind")
        parts.append(f"{left_words(status.left_seconds, status.left_low, status.left_high)} left")
    if status.log_life_seconds is not None:
        parts.append(f"the log keeps it {duration(status.log_life_seconds)} more")
    if status.folded_read:
        parts.append(f"{count(status.folded_read)} read, {count(status.folded_kept)} of them needed")
    if status.workers:
        parts.append(workers_words(status.workers))
    if status.rate_limit and not status.held:
        parts.append(f"at most {count(round(status.rate_limit))}/s")
    if status.quarantined:
        parts.append(f"{count(status.quarantined)} in quarantine")
    return ", ".join(parts)


def _told_of_a_clone(status: "ReplicateStatus") -> str:
    """The same where nothing is copied: how far the clone of the source's own log is."""
    parts = [status.phase.replace("_", " ")]
    if status.phase == "caught_up":
        parts.append(f"{duration(status.lag_seconds, 1)} behind, some {count(status.lag_records)} records")
    elif status.unseen:
        parts.append(
            f"{count(status.lag_records)} records in the log, how many of them are read is not told: {status.unseen}"
        )
    elif status.phase == "cloning":
        parts.append(f"{count(status.records)} records read, {count(round(status.records_per_second))}/s")
        parts.append(f"at most {count(status.lag_records)} left")
        parts.append(f"{left_words(status.left_seconds, status.left_low, status.left_high)} left")
    if status.log_life_seconds is not None:
        parts.append(f"the log keeps it {duration(status.log_life_seconds)} more")
    return ", ".join(parts)


def show_copied(console: Console, result: "Replicated") -> None:
    """What was copied, and how it ended."""
    rate = f"{count(round(result.records_per_second))} records/s"
    if result.mode == "shared":
        console.print(
            f"watched for {duration(result.seconds)}: nothing is copied, the clone reads the source's own log"
        )
        _show_end(console, result)
        return
    console.print(
        f"copied {count(result.records)} records ({size(result.bytes)}) of {len(result.topics)} topics "
        f"in {duration(result.seconds)}: {rate}"
    )
    if result.folded_read:
        away = result.folded_read - result.folded_kept
        console.print(
            f"first pass: {count(result.folded_read)} records read, {count(result.folded_kept)} needed, "
            f"{count(away)} folded away"
        )
    if result.quarantined:
        console.print(f"{count(result.quarantined)} records could not be understood: see quarantine.ndjson")
    _show_end(console, result)


def _show_end(console: Console, result: "Replicated") -> None:
    if result.switched:
        console.print("the target leads now: the copy has ended for good")
    elif result.caught_up:
        console.print("caught up: a nonce written on the source was read on its clone in every partition")
