"""Where everything stands, read once: both cores, proxies, replication, proof, switch. What does not answer is `unknown`."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bmswitch.journal.journal import read_journal
from bmswitch.model.config import Colour, Config
from bmswitch.model.errors import BmswitchError, UnknownError
from bmswitch.model.status import WorkerStatus
from bmswitch.model.switch import Entry, Node, State, fold
from bmswitch.proxy.open import open_node
from bmswitch.replication.state import read_status
from bmswitch.workflows.effects_core import state_of
from bmswitch.workflows.effects_proxy import read_node
from bmswitch.workflows.legs import current_leg
from bmswitch.workflows.proof_files import load_proof
from bmswitch.workflows.sites import open_core

FRESH = 5.0
_TIMEOUT = 1.5
_EVERY = 0.2
_SILENT_FOR = 15.0


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """The replication in short; `alive` is false when its status is older than a few seconds, `held` says why nothing is read."""

    phase: str
    alive: bool
    records: int
    lag_records: int
    lag_bytes: int
    lag_seconds: float
    left_seconds: float | None
    left_low: float | None
    left_high: float | None
    log_life_seconds: float | None
    workers: list[WorkerStatus]
    held: str
    rate_limit: float
    error: str


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """The last proof in short; `age` in seconds."""

    verdict: str
    age: int
    containers: int
    items: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one moment. `serving` is the colour that all nodes point at, else `unknown`."""

    blue: str
    green: str
    serving: str
    nodes: list[Node]
    replication: Copy | None
    proof: Proved | None
    switch: str
    last: Entry | None
    journal_error: str = ""


def overview(config: Config) -> Overview:
    """One look; bounded, raises only for a configuration that can not be used."""
    run_dir = Path(config.run_dir)
    with ThreadPoolExecutor(len(config.proxies) + 2) as pool:
        blue = pool.submit(_state, config, "blue")
        green = pool.submit(_state, config, "green")
        nodes = list(pool.map(lambda node: _read(config, node), range(len(config.proxies))))
    entries, error = _entries(run_dir)
    colours = {node.colour for node in nodes}
    state = fold(entries)
    return Overview(
        blue=blue.result(),
        green=green.result(),
        serving=colours.pop() if len(colours) == 1 else "unknown",
        nodes=nodes,
        replication=copy_of(run_dir),
        proof=_proof(run_dir),
        switch=_words(state),
        last=entries[-1] if entries else None,
        journal_error=error,
    )


def copy_of(run_dir: Path) -> Copy | None:
    """The replication's own words, and whether it still speaks."""
    status = read_status(run_dir)
    if status is None:
        return None
    return Copy(
        phase=status.phase,
        alive=time.time() - status.updated_at <= FRESH,
        records=status.records,
        lag_records=status.lag_records,
        lag_bytes=status.lag_bytes,
        lag_seconds=status.lag_seconds,
        left_seconds=status.left_seconds,
        left_low=status.left_low,
        left_high=status.left_high,
        log_life_seconds=status.log_life_seconds,
        workers=status.workers,
        held=status.held,
        rate_limit=status.rate_limit,
        error=status.error,
    )


def wait_caught_up(config: Config, timeout: float) -> None:
    """Returns when a living replicate says that green is caught up.

    Raises:
        UnknownError: not within `timeout` seconds, it failed, or it gives no sign of life for 15 s.
    """
    run_dir, end, heard = Path(config.run_dir), time.monotonic() + timeout, time.monotonic()
    while True:
        seen = copy_of(run_dir)
        if seen is not None and seen.alive and seen.phase == "caught_up":
            return
        now = time.monotonic()
        if seen is not None and seen.alive:
            heard = now
        cause = f"green is not caught up within {timeout:g} s" if now >= end else ""
        if now - heard > _SILENT_FOR:
            cause = f"replicate does not run: no sign of it for {_SILENT_FOR:g} s"
        if seen is not None and seen.alive and seen.phase == "failed":
            cause = "the replication has failed"
        if cause:
            raise UnknownError(
                cause,
                evidence=f"replicate says {seen.phase} {seen.error}".strip() if seen else "no replicate.json",
                next_command="bmswitch replicate --follow",
            )
        time.sleep(min(_EVERY, max(0.0, end - time.monotonic())))


def wait_standby(config: Config, timeout: float) -> None:
    """Returns when a living standby is caught up and proven equal. `config` is as it is in the file.

    Raises:
        UnknownError: not within `timeout` seconds, or it failed.
    """
    end = time.monotonic() + timeout
    while True:
        leg = current_leg(config)
        run_dir = Path(leg.config.run_dir)
        seen, proof = copy_of(run_dir), _proof(run_dir)
        alive = seen.phase if seen is not None and seen.alive else ""
        proven = proof is not None and proof.verdict == "equal"
        if leg.number > 1 and alive == "caught_up" and proven:
            return
        if time.monotonic() >= end or alive == "failed":
            raise UnknownError(
                f"no standby is ready after {timeout:g} s",
                evidence=f"it says {seen.phase} {seen.error}".strip() if seen else "none has begun",
                consequence="traffic stays where it is",
                next_command="bmswitch standby",
            )
        time.sleep(_EVERY)


def _state(config: Config, colour: Colour) -> str:
    core = open_core(config, colour, timeout=_TIMEOUT)
    try:
        return state_of(core)
    finally:
        core.close()


def _read(config: Config, index: int) -> Node:
    node = open_node(config.proxies[index], timeout=_TIMEOUT)
    try:
        return read_node(node)
    finally:
        node.close()


def _entries(run_dir: Path) -> tuple[list[Entry], str]:
    try:
        return read_journal(run_dir / "journal.ndjson")[0], ""
    except BmswitchError as error:
        return [], f"{error.cause}: {error.evidence}"


def _proof(run_dir: Path) -> Proved | None:
    proof = load_proof(run_dir)
    if proof is None:
        return None
    age = int(time.time() - proof.at)
    return Proved(verdict=proof.verdict, age=age, containers=proof.containers, items=proof.items)


def _words(state: State | None) -> str:
    if state is None:
        return "not begun"
    return state.outcome or f"open at {state.phase}"
