"""How long a hold takes on each proxy, and where each millisecond of it goes; and how long turning back takes.

Real parts: Apache Kafka, MinIO, and HAProxy, nginx or Envoy. A small lab is switched there and back under a light load.
`own` is everything in a hold that is no effect's time: looks, decisions, journal (`benchmarks/holds.py`). Before the first
switch Ctrl-C is pressed several times while the barrier is written (before the demotion) and while the log must stand still
(after it, when the source's core has to be started again); the time is from the key to the answer of the release.

Ratios are against floors of the same run: a bare hold, flip and release of the same proxy with nothing between, and the
250 ms for which BlueMind's own producer keeps records back. Results go to `results/hold.json`.

    python -m benchmarks.bench_hold [--switches 50] [--aborts 10] [--proxy haproxy] [--rate 100]
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import get_args

from benchmarks.endurance import Leg, Proxy, Run, lab_folder, on_interrupt
from benchmarks.holds import figures_of, quantile
from benchmarks.legs import FailedError, Lab, Shuttle, machine, stopping

from bmswitch.lab.supervisor import programs
from bmswitch.proxy.open import open_node
from bmswitch.workflows.config import load_config

RESULTS = Path(__file__).parent / "results" / "hold.json"
LINGER_MS = 250
BARE = 20


def main() -> int:
    """Runs everything; 0 when it was measured and no client saw an error, or when a part is not installed (with a word)."""
    options = argparse.ArgumentParser()
    options.add_argument("--switches", type=int, default=50)
    options.add_argument("--aborts", type=int, default=10)
    options.add_argument("--proxy", choices=get_args(Proxy), action="append")
    options.add_argument("--rate", type=float, default=100.0)
    given = options.parse_args()
    if programs.kafka_jars() is None or programs.find("java") is None:
        print("skipped: Apache Kafka is not installed (scripts/install-real-parts)")
        return 0
    good = True
    for proxy in given.proxy or get_args(Proxy):
        try:
            save(proxy, measure(proxy, given))
        except FailedError as error:
            print(f"{proxy}: {error}")
            good = False
    print(json.dumps(json.loads(RESULTS.read_text()) if RESULTS.exists() else {}, indent=2))
    return 0 if good else 1


def measure(proxy: Proxy, given: argparse.Namespace) -> dict[str, float]:
    """All figures of one proxy."""
    stop = on_interrupt()
    with (
        lab_folder(None, proxy) as folder,
        Lab(folder, proxy, users=10, items=5) as lab,
        stopping(Shuttle(lab)) as shuttle,
    ):
        run = Run(lab, shuttle, rate=given.rate, every=0, stop=stop)
        before: list[int] = []
        after: list[int] = []

        def turn_back() -> None:
            before.extend(shuttle.turned_back("barrier") for _ in range(given.aborts))
            after.extend(shuttle.turned_back("settle") for _ in range(given.aborts))
            print(f"{proxy}: turned back in {before} ms before the demotion, {after} ms after it")

        legs: list[Leg] = []
        while len(legs) < given.switches and not stop.is_set():
            legs.append(run.leg(turn_back if not legs else lambda: None))
            leg = legs[-1]
            print(f"{proxy} {len(legs):3}: {leg.hold.ms} ms {leg.hold.parts}", flush=True)
            leg.refuse_unclean(folder)
        figures = figures_of([leg.hold for leg in legs])
        figures |= {
            "abort_before_demotion_ms": quantile(before, 0.5),
            "abort_after_demotion_ms": quantile(after, 0.5),
        }
        figures |= {"abort_before_demotion_max_ms": max(before, default=0)}
        figures["longest_pause_ms"] = max(leg.longest_pause_ms for leg in legs)
        figures["bare_hold_flip_release_ms"] = bare(lab.config)
        return figures


def bare(config: Path) -> float:
    """Median milliseconds of hold, flip and release of the first node, each read back, to the side that serves already."""
    node = open_node(load_config(config).proxies[0])
    took = []
    try:
        state = node.read()
        fence, colour = state.fence, state.colour
        if colour == "unknown":
            raise FailedError("the proxy does not say which side serves")
        for _ in range(BARE):
            fence += 1
            begun = time.monotonic()
            node.hold(int(time.time() * 1000) + 2000, fence)
            node.flip(colour, fence)
            node.read()
            node.release(fence)
            node.read()
            took.append((time.monotonic() - begun) * 1000)
            time.sleep(0.1)
    finally:
        node.close()
    return round(quantile(took, 0.5), 1)


def save(proxy: Proxy, found: dict[str, float]) -> None:
    """Replaces this proxy's figures; those of the others stay."""
    report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    figures = {k: v for k, v in report.get("figures", {}).items() if not k.startswith(f"{proxy}_")}
    figures |= {f"{proxy}_{name}": value for name, value in found.items()}
    ratios = {k: v for k, v in report.get("ratios", {}).items() if not k.startswith(f"{proxy}_")}
    ratios |= {
        f"{proxy}_hold_to_linger": round(found["hold_p50_ms"] / LINGER_MS, 2),
        f"{proxy}_hold_to_bare": round(found["hold_p50_ms"] / found["bare_hold_flip_release_ms"], 1),
        f"{proxy}_own_to_hold": round(found["own_p50_ms"] / found["hold_p50_ms"], 3),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps({"figures": figures, "ratios": ratios, "machine": machine()}, indent=2) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
