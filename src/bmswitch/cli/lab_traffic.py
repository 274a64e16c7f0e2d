"""What `bmswitch lab traffic` prints."""

import datetime as dt

from rich.console import Console

from bmswitch.cli.render import Output, emit, table
from bmswitch.lab.supervisor import load
from bmswitch.lab.supervisor.layout import Layout
from bmswitch.lab.traffic.stats import Summary
from bmswitch.model.errors import DifferentError


def run(layout: Layout, rate: float, duration: float | None, writes: float, output: Output) -> None:
    """In the foreground."""
    emit("lab", load.run(layout, rate, duration, writes), _show_summary, output)


def detach(layout: Layout, rate: float, duration: float | None, writes: float, output: Output) -> None:
    """In the background."""
    emit("lab", load.begin(layout, rate, duration, writes), _show_begun, output)


def stop(layout: Layout, output: Output) -> None:
    """Ends the one in the background."""
    emit("lab", load.end(layout), _show_summary, output)


def check(layout: Layout, output: Output) -> None:
    """Prints the verdict; a write that was lost or came twice is a DifferentError after it."""
    checked = load.check(layout)
    verdict = checked.verdict
    if verdict.clean:
        emit("lab", checked, _show_checked, output)
        return
    if output is Output.human:
        emit("lab", checked, _show_checked, output)
    error = DifferentError(
        f"{checked.side} does not hold what clients were told",
        evidence=f"{verdict.lost} lost, {verdict.duplicated} twice, both sides wrote for {verdict.overlap_ms:g} ms; {load.ledger(layout).with_name('check.json')}",
        consequence="this was an interruption",
    )
    error.result = checked
    raise error


def _show_begun(screen: Console, begun: load.Begun) -> None:
    screen.print(f"clients are at work: {begun.rate:g} requests a second, process {begun.pid}")
    screen.print("next: bmswitch lab traffic --stop, then --check")


def _show_summary(screen: Console, summary: Summary) -> None:
    requests, writes = summary.requests, summary.writes
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in writes.items())
    screen.print(
        f"{requests.http:,} http, {requests.imap:,} imap, {requests.smtp:,} smtp requests in {summary.seconds:.1f} s; "
        f"{requests.failed:,} failed"
    )
    screen.print(f"writes: {told}")
    screen.print(
        f"longest pause {summary.longest_pause_ms:,.0f} ms, longest silence {summary.longest_gap_ms:,.0f} ms"
    )
    for protocol, latency in summary.latency.items():
        screen.print(
            f"{protocol}: p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms, max {latency.max_ms:.0f} ms"
        )
    for reason, count in sorted(summary.failures.items(), key=lambda pair: -pair[1])[:5]:
        screen.print(f"  {count:,} x {reason}", markup=False)


def _show_checked(screen: Console, checked: load.Checked) -> None:
    verdict = checked.verdict
    screen.print(
        f"{checked.side}: {verdict.acknowledged:,} acknowledged writes, {verdict.checked:,} objects looked at:\n"
        f"{verdict.lost} lost, {verdict.duplicated} twice, {verdict.unknown} without an answer"
    )
    if verdict.windows:
        shown = table("writes", "last on", "", "first on", "", "nobody ms", "both ms")
        for window in verdict.windows:
            last, first = _clock(window.last_on_source), _clock(window.first_on_target)
            gap, overlap = f"{window.gap_ms:,.0f}", f"{window.overlap_ms:,.0f}"
            shown.add_row(window.protocol, window.source, last, window.target, first, gap, overlap)
        screen.print(shown)
    for finding in [*verdict.first_lost, *verdict.first_duplicated][:10]:
        screen.print(f"  {finding.object}: expected {finding.expected}, found {finding.found}", markup=False)


def _clock(at: float) -> str:
    """Local time of day to the millisecond."""
    return dt.datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
