"""Switches there and back under client load until enough requests are through, on each proxy; what the ledger says decides.

After each switch the clients are ended, every acknowledged write is looked up on the side that serves, and new clients
begin. At the end every ledger of the run is looked up once more: what was written before the first switch must have come
through all of them. Figures are saved after each leg in `results/endurance.json`, those of other proxies are kept; a run
that was stopped goes on with `--more`, on a new lab. Ctrl-C ends it after the command that is under way.

    python -m benchmarks.endurance [--proxy haproxy] [--requests 1000000] [--rate 500] [--writes 0.1] [--every 25000]

Exit code 0: all requests are through, no client saw an error, no write was lost or doubled.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from benchmarks.holds import Hold, figures_of
from benchmarks.legs import FailedError, Lab, Shuttle, machine, stopping

from bmswitch.lab.traffic.config import WRITES

RESULTS = Path(__file__).parent / "results" / "endurance.json"
Proxy = Literal["haproxy", "nginx", "envoy"]
WANTED: dict[Proxy, int] = {"haproxy": 1_000_000, "nginx": 100_000, "envoy": 100_000}
AFTER = 3.0
"""Seconds for which clients work on the new side at least."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One switch and the load around it, as the clients and their ledger tell it. Milliseconds and counts."""

    hold: Hold
    ready_s: float
    retries: int
    requests: int
    failed: int
    unknown: int
    cut: int
    acknowledged: int
    lost: int
    duplicated: int
    longest_pause_ms: float
    http_p99_ms: float
    cpu_share: float

    @property
    def clean(self) -> bool:
        """No client saw anything but a pause, and every write is there once."""
        return not (self.failed or self.unknown or self.lost or self.duplicated)

    def refuse_unclean(self, folder: Path) -> None:
        """FailedError, which keeps the lab's logs, when it is not clean."""
        if not self.clean:
            raise FailedError(f"clients noticed the switch; see {folder}: {msgspec.to_builtins(self)}")


class Run:
    """The legs of one proxy. `stop` is set by Ctrl-C; `save` is called after each leg."""

    def __init__(
        self,
        lab: Lab,
        shuttle: Shuttle,
        *,
        rate: float,
        every: int,
        stop: threading.Event,
        writes: float = WRITES,
    ) -> None:
        self._lab = lab
        self._shuttle = shuttle
        self._rate = rate
        self._writes = writes
        self._every = every
        self._stop = stop
        self._ledgers: list[Path] = []

    def leg(self, before: Callable[[], None] = lambda: None) -> Leg:
        """One leg; `before` is done when the waiting side is ready, before the switch."""
        begun, retries = time.monotonic(), self._shuttle.retries
        self._lab.traffic(self._rate, self._writes)
        began_to_build = time.monotonic()
        self._shuttle.ready()
        ready = time.monotonic() - began_to_build
        before()
        hold = self._shuttle.go()
        switched = time.monotonic()
        while time.monotonic() < max(switched + AFTER, begun + self._every / self._rate):
            if self._stop.wait(0.2) and time.monotonic() > switched + AFTER:
                break
        summary, verdict = self._lab.settle()
        self._keep_ledger()
        requests = summary["requests"]
        return Leg(
            hold=hold,
            ready_s=round(ready, 1),
            retries=self._shuttle.retries - retries,
            requests=requests["http"] + requests["imap"] + requests["smtp"],
            failed=requests["failed"],
            unknown=requests["unknown"] + verdict["unknown"],
            cut=requests["cut"],
            acknowledged=verdict["acknowledged"],
            lost=verdict["lost"],
            duplicated=verdict["duplicated"],
            longest_pause_ms=summary["longest_pause_ms"],
            http_p99_ms=summary["latency"]["http"]["p99_ms"],
            cpu_share=summary["cpu_share"],
        )

    def look_again(self) -> dict[str, int]:
        """Every ledger of this run against the side that serves at the end."""
        found = {"acknowledged": 0, "lost": 0, "duplicated": 0}
        for ledger in self._ledgers:
            shutil.copy(ledger, self._place)
            verdict = self._lab.check()
            found = {name: count + verdict[name] for name, count in found.items()}
        return found

    @property
    def _place(self) -> Path:
        return self._lab.lab / "traffic" / "ledger.ndjson"

    def _keep_ledger(self) -> None:
        """About 110 bytes a request; they go with the lab."""
        kept = self._lab.folder / f"ledger-{len(self._ledgers) + 1}.ndjson"
        self._place.replace(kept)
        self._ledgers.append(kept)


def endure(proxy: Proxy, given: argparse.Namespace, stop: threading.Event) -> bool:
    """One proxy, until enough requests are through; whether all was well."""
    wanted = given.requests or WANTED[proxy]
    legs = saved_legs(proxy) if given.more else []
    end = time.monotonic() + given.minutes * 60
    said = ""
    again: dict[str, int] = {}
    try:
        with (
            lab_folder(given.dir, proxy) as folder,
            Lab(folder, proxy) as lab,
            stopping(Shuttle(lab)) as shuttle,
        ):
            run = Run(lab, shuttle, rate=given.rate, every=given.every, stop=stop, writes=given.writes)
            while sum(leg.requests for leg in legs) < wanted and not stop.is_set():
                if time.monotonic() > end:
                    said = f"not all requests are through within {given.minutes:g} minutes"
                    break
                legs.append(run.leg())
                save(proxy, legs, wanted)
                tell(proxy, legs)
                legs[-1].refuse_unclean(folder)
            again = run.look_again()
    except FailedError as error:
        said = str(error)
    save(proxy, legs, wanted, again)
    if said:
        print(f"{proxy}: {said}")
    through = sum(leg.requests for leg in legs) >= wanted
    lost = again.get("lost", 1) or again.get("duplicated", 1)
    return through and not lost and all(leg.clean for leg in legs) and not said


def tell(proxy: str, legs: list[Leg]) -> None:
    """One line for the newest leg."""
    leg = legs[-1]
    total = sum(one.requests for one in legs)
    print(
        f"{proxy} {len(legs):3}: {total:9,} requests  hold {leg.hold.ms:4} ms (own {leg.hold.parts['own']})  "
        f"ready in {leg.ready_s:.0f} s  longest pause {leg.longest_pause_ms:.0f} ms  "
        f"failed {leg.failed + leg.unknown}  lost {leg.lost}  doubled {leg.duplicated}",
        flush=True,
    )


def summary_of(legs: list[Leg], wanted: int, again: dict[str, int]) -> dict[str, float]:
    """The figures of one proxy."""
    found: dict[str, float] = {
        "requests_wanted": wanted,
        "requests": sum(leg.requests for leg in legs),
        "client_errors": sum(leg.failed + leg.unknown for leg in legs),
        "sessions_cut": sum(leg.cut for leg in legs),
        "writes_acknowledged": sum(leg.acknowledged for leg in legs),
        "writes_lost": sum(leg.lost for leg in legs),
        "writes_duplicated": sum(leg.duplicated for leg in legs),
        "commands_given_again": sum(leg.retries for leg in legs),
        "longest_pause_ms": max((leg.longest_pause_ms for leg in legs), default=0.0),
    }
    if again:
        found["at_the_end_acknowledged"] = again["acknowledged"]
        found["at_the_end_wrong"] = again["lost"] + again["duplicated"]
    return found | figures_of([leg.hold for leg in legs])


def saved_legs(proxy: str) -> list[Leg]:
    """The legs of an earlier run."""
    rows = loaded().get("legs", {}).get(proxy, [])
    return msgspec.convert(rows, list[Leg])


def loaded() -> dict[str, Any]:
    """The file as it is."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def save(proxy: Proxy, legs: list[Leg], wanted: int, again: dict[str, int] | None = None) -> None:
    """Replaces this proxy's figures in the file; those of the others stay."""
    report = loaded()
    figures = {k: v for k, v in report.get("figures", {}).items() if not k.startswith(f"{proxy}_")}
    figures |= {f"{proxy}_{name}": value for name, value in summary_of(legs, wanted, again or {}).items()}
    kept = {name: rows for name, rows in report.get("legs", {}).items() if name != proxy}
    kept[proxy] = msgspec.to_builtins(legs)
    ratios = {
        f"{name}_through": round(figures[f"{name}_requests"] / figures[f"{name}_requests_wanted"], 3)
        for name in get_args(Proxy)
        if f"{name}_requests" in figures
    }
    report = {"figures": figures, "ratios": ratios, "machine": machine(), "legs": kept}
    RESULTS.parent.mkdir(exist_ok=True)
    new = RESULTS.with_suffix(".new")
    new.write_text(json.dumps(report, indent=2) + "\n")
    new.replace(RESULTS)


ROWS = (
    ("requests through", "requests"),
    ("switches", "switches"),
    ("client errors", "client_errors"),
    ("writes acknowledged", "writes_acknowledged"),
    ("writes lost", "writes_lost"),
    ("writes doubled", "writes_duplicated"),
    ("lost or doubled when looked up once more at the end", "at_the_end_wrong"),
    ("commands given again", "commands_given_again"),
    ("hold, median ms", "hold_p50_ms"),
    ("hold, 99 % ms", "hold_p99_ms"),
    ("hold, longest ms", "hold_max_ms"),
    ("longest wait of one request, ms", "longest_pause_ms"),
)


def table(report: dict[str, Any]) -> str:
    """The figures as a table for `docs/proof.md`, with the machine under it."""
    figures = report["figures"]
    there = [name for name in get_args(Proxy) if f"{name}_requests" in figures]
    lines = ["| | " + " | ".join(there) + " |", "| --- |" + " ---: |" * len(there)]
    for title, name in ROWS:
        cells = [figures.get(f"{proxy}_{name}") for proxy in there]
        lines.append(f"| {title} | " + " | ".join("-" if c is None else f"{c:,.0f}" for c in cells) + " |")
    told = report["machine"]
    return "\n".join([*lines, "", f"{told['cpus']} processors, {told['system']}, Python {told['python']}"])


@contextlib.contextmanager
def lab_folder(given: Path | None, proxy: str) -> Iterator[Path]:
    """A folder for one lab; one of our own is removed, unless an exception or an unclean leg left something to read."""
    if given is not None:
        yield given / proxy
        return
    folder = Path(tempfile.mkdtemp(prefix=f"bmswitch-endurance-{proxy}-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def on_interrupt() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; the second one ends at once."""
    stop = threading.Event()

    def asked(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("stopping after this command (once more: at once)", flush=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    return stop


def main() -> int:
    """Runs it; 0 when all was well."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--proxy", choices=get_args(Proxy), action="append", help="default: all three")
    options.add_argument("--requests", type=int, help="default: 1,000,000 on HAProxy, 100,000 on the others")
    options.add_argument("--rate", type=float, default=500.0, help="requests a second")
    options.add_argument("--writes", type=float, default=0.1, help="share of HTTP requests that write")
    options.add_argument("--every", type=int, default=25_000, help="requests between two switches at least")
    options.add_argument("--minutes", type=float, default=120.0, help="for one proxy at most")
    options.add_argument("--more", action="store_true", help="go on where an earlier run has stopped")
    options.add_argument("--dir", type=Path, help="where the labs are made; default: a temporary folder")
    given = options.parse_args()
    stop = on_interrupt()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    good = [endure(proxy, given, stop) for proxy in given.proxy or get_args(Proxy) if not stop.is_set()]
    print(table(loaded()))
    return 0 if all(good) and not stop.is_set() else 1


if __name__ == "__main__":
    sys.exit(main())
