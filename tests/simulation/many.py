"""Many seeds on all processors: `python -m tests.simulation.many SEEDS [FIRST]` (`make simulate SEEDS=100000`).

Ctrl-C or SIGTERM ends it early: the figures are of the seeds that were run until then.
"""

import multiprocessing
import os
import signal
import sys
import time

from tests.simulation.replay import told
from tests.simulation.summary import Summary, summarized, table

CHUNK = 100
FEW = 10
ENOUGH = 10_000
"""So many seeds meet every combination of fault and phase."""


def main(arguments: list[str]) -> int:
    """1 when an invariant is broken, 2 when a combination of fault and phase never occurred in 10,000 seeds or more."""
    count = int(arguments[0])
    first = int(arguments[1]) if len(arguments) > 1 else 0
    begun = time.monotonic()
    summary = _all(first, count, begun)
    _end_line()
    _print(*table(summary), "", *_figures(summary, time.monotonic() - begun))
    for seed, said in summary.found:
        _print(f"seed {seed}: {said}", f"  replay: .venv/bin/python -m tests.simulation.replay {seed}")
    if summary.found:
        _print("", f"the shortest story of seed {summary.found[0][0]}:", *told(summary.found[0][0])[0])
        return 1
    return 2 if summary.seeds >= ENOUGH and summary.not_met() else 0


def _all(first: int, count: int, begun: float) -> Summary:
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    total = Summary()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workers = min(os.cpu_count() or 1, len(chunks))
    with multiprocessing.get_context("spawn").Pool(workers, _undisturbed) as pool:
        try:
            for summary in pool.imap_unordered(summarized, chunks):
                total.merge(summary)
                _progress(total, count, time.monotonic() - begun)
        except KeyboardInterrupt:
            _print("", f"stopped after {total.seeds:,} of {count:,} seeds")
    return total


def _undisturbed() -> None:
    """Ctrl-C at a terminal reaches every process; the first one stops the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _progress(total: Summary, count: int, seconds: float) -> None:
    rate = total.seeds / seconds
    left = (count - total.seeds) / rate
    line = (
        f"{total.seeds:,} of {count:,} seeds, {rate:.0f} a second, {left:.0f} s left, {total.broken} broken"
    )
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line:78}")
        sys.stderr.flush()
    elif total.seeds == count or total.seeds % (CHUNK * 25) == 0:
        sys.stderr.write(line + "\n")


def _end_line() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def _figures(summary: Summary, seconds: float) -> list[str]:
    ends = ", ".join(f"{count:,} {end}" for end, count in summary.ends.most_common())
    back = ", ".join(f"{count:,} {end}" for end, count in summary.returns.most_common())
    never = summary.not_met()
    missing = ", ".join(f"{kind} in {phase}" for kind, phase in never[:FEW])
    missing += f", and {len(never) - FEW} more" if len(never) > FEW else ""
    return [
        f"{summary.seeds:,} switches in {seconds:.0f} s: {ends}; {summary.resumed:,} switched after a crash",
        f"{summary.returns.total():,} of them with a return: {back}",
        f"{summary.met.total():,} faults, {summary.acknowledged:,} acknowledged writes followed to their end",
        f"combinations that never occurred: {missing or 'none'}",
        f"broken: {summary.broken}",
    ]


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
