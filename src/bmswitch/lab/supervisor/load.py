"""The clients of the lab: started, stopped and judged here; what they do is `bmswitch.lab.traffic`.

Files in `lab/traffic`: `config.json`, `ledger.ndjson` (the former one is kept as `ledger.ndjson.1`), `summary.json` when
a run has ended, `check.json` after a check.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import msgspec

from bmswitch.lab.supervisor import cores, proxy
from bmswitch.lab.supervisor.layout import Layout, write_private
from bmswitch.lab.supervisor.process import Process, await_ready, forget, recorded, spawn, tail, wait_until
from bmswitch.lab.supervisor.state import State, require_state
from bmswitch.lab.supervisor.up import core_address
from bmswitch.lab.traffic.check import Verdict, check_ledger
from bmswitch.lab.traffic.config import WRITES, TrafficConfig
from bmswitch.lab.traffic.stats import Summary
from bmswitch.model.config import Colour
from bmswitch.model.errors import LabError, UnknownError

NAME = "traffic"
BEGUN = 40.0
ENDED = 30.0


class Begun(msgspec.Struct, frozen=True):
    """The load runs in the background."""

    pid: int
    rate: float
    ledger: str
    log: str


class Checked(msgspec.Struct, frozen=True):
    """What the ledger says about the side that serves."""

    side: Colour
    verdict: Verdict


def begin(layout: Layout, rate: float, duration: float | None, writes: float = WRITES) -> Begun:
    """Starts the load in the background; returns when it has written its first entry."""
    config = _prepare(layout, rate, duration, writes)
    process = spawn(layout, NAME, [sys.executable, "-m", "bmswitch.lab.traffic", str(_config_file(layout))])
    await_ready(layout, process, lambda: _has_entries(ledger(layout)), BEGUN)
    return Begun(process.pid, config.rate, str(ledger(layout)), str(layout.log(NAME)))


def run(layout: Layout, rate: float, duration: float | None, writes: float = WRITES) -> Summary:
    """The load in the foreground, until `duration` is over or Ctrl-C."""
    from bmswitch.lab.traffic.run import main  # noqa: PLC0415 -- slow import, foreground only

    main(_prepare(layout, rate, duration, writes))
    return _take_summary(layout)


def end(layout: Layout) -> Summary:
    """Stops a load in the background, waits for its last answers, gives its summary (also when it had ended)."""
    require_state(layout)
    process = recorded(layout, NAME)
    if process is not None:
        os.kill(process.pid, signal.SIGTERM)
        if not wait_until(lambda: not process.running, ENDED):
            raise LabError(
                "the load did not end",
                evidence=f"process {process.pid} still runs {ENDED:g} s after SIGTERM",
                next_command=f"read {layout.log(NAME)}; bmswitch lab down ends it by force",
            )
    forget(layout, NAME)
    return _take_summary(layout)


def check(layout: Layout) -> Checked:
    """Looks for every acknowledged write on the side that the proxy points at now."""
    state = require_state(layout)
    if not _has_entries(ledger(layout)):
        raise LabError(
            "there is no ledger",
            evidence=f"{ledger(layout)} is missing or empty",
            next_command="bmswitch lab traffic",
        )
    if recorded(layout, NAME) is not None:
        raise LabError(
            "the load still runs",
            evidence="its last writes are not settled",
            next_command="bmswitch lab traffic --stop",
        )
    side = serving(layout, state)
    token = layout.secret(f"{side}.token").read_text().strip()
    verdict = asyncio.run(check_ledger(ledger(layout), core_address(state, side), token, state.domain))
    write_private(
        layout.traffic / "check.json", msgspec.json.format(msgspec.json.encode(verdict)).decode() + "\n"
    )
    return Checked(side, verdict)


def serving(layout: Layout, state: State) -> Colour:
    """The colour that the proxy itself says it points at. Raises UnknownError when it does not say."""
    from bmswitch.proxy.open import open_node  # noqa: PLC0415 -- only here

    node = open_node(proxy.node(state, layout.root))
    try:
        colour = node.read().colour
    finally:
        node.close()
    if colour == "unknown":
        raise UnknownError("the proxy does not say which side serves", next_command="bmswitch lab status")
    return colour


def ledger(layout: Layout) -> Path:
    """One line for each write of the present or last run."""
    return layout.traffic / "ledger.ndjson"


def running(layout: Layout) -> Process | None:
    """The load in the background, if it runs."""
    return recorded(layout, NAME)


def _prepare(layout: Layout, rate: float, duration: float | None, writes: float) -> TrafficConfig:
    state = require_state(layout)
    already = running(layout)
    if already is not None:
        raise LabError(
            "the load runs already",
            evidence=f"process {already.pid}",
            next_command="bmswitch lab traffic --stop",
        )
    cores.make_secret(layout.secret("load.password"))
    config = msgspec.structs.replace(
        _config(layout, state, serving(layout, state)), rate=rate, duration=duration, writes=writes
    )
    layout.traffic.mkdir(exist_ok=True)
    if ledger(layout).exists():
        ledger(layout).replace(layout.traffic / "ledger.ndjson.1")
    for name in ("summary.json", "check.json", "ledger.ndjson.summary.json"):
        (layout.traffic / name).unlink(missing_ok=True)
    write_private(_config_file(layout), msgspec.json.format(msgspec.json.encode(config)).decode())
    return config


def _config(layout: Layout, state: State, side: Colour) -> TrafficConfig:
    return TrafficConfig(
        http_url=f"http://{proxy.frontend(state, 'http')}",
        imap=proxy.frontend(state, "imap"),
        smtp=proxy.frontend(state, "smtp"),
        core_url=core_address(state, side),
        token_file=str(layout.secret(f"{side}.token")),
        domain=state.domain,
        password_file=str(layout.secret("load.password")),
        ledger=str(ledger(layout)),
        seed=random.randrange(1, 1 << 31),  # noqa: S311 -- no secret: a second run must not repeat the first one's names
    )


def _config_file(layout: Layout) -> Path:
    return layout.traffic / "config.json"


def _has_entries(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _take_summary(layout: Layout) -> Summary:
    """Moves the run's summary to its name for readers; LabError when the run left none."""
    written, summary = layout.traffic / "ledger.ndjson.summary.json", layout.traffic / "summary.json"
    if written.exists():
        shutil.move(written, summary)
    try:
        return msgspec.json.decode(summary.read_bytes(), type=Summary)
    except (OSError, msgspec.MsgspecError) as error:
        raise LabError(
            "the load has left no summary",
            evidence=tail(layout.log(NAME)),
            next_command="bmswitch lab traffic --detach starts a new one",
        ) from error
