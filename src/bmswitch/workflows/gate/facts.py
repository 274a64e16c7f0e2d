"""What the guards look at, read once. A part that can not be read carries why; guards turn that into `unknown`."""

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from bmswitch.bluemind.client import Core
from bmswitch.model.config import Config
from bmswitch.model.errors import BmswitchError, ConfigError
from bmswitch.model.plan import Finding, Level, Plan
from bmswitch.model.proof import Proof
from bmswitch.model.status import ReplicateStatus
from bmswitch.model.switch import Node
from bmswitch.proxy.api import ProxyNode
from bmswitch.replication.quarantine import FILE as QUARANTINE
from bmswitch.replication.quarantine import Entry as Parked
from bmswitch.replication.quarantine import entries
from bmswitch.replication.state import read_status
from bmswitch.workflows.effects_core import state_of
from bmswitch.workflows.effects_proxy import read_node
from bmswitch.workflows.sites import open_bucket, verification
from bmswitch.workflows.soak import probe_all
from bmswitch.workflows.verify import load_proof

Part = TypeVar("Part")


class GateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything. `*_error` says why a part could not be read; `now` is epoch seconds."""

    now: float
    plan_id: str
    max_lag: float
    mode: str
    status: ReplicateStatus | None
    proof: Proof | None
    blue: str
    green: str
    versions: dict[str, tuple[str, str]]
    versions_error: str
    nodes: list[Node]
    frontend_faults: list[str]
    bucket_error: str
    free_bytes: int
    missing_commands: list[str]
    orphans: list[str]
    orphans_error: str
    cpus: int = 0
    parked: list[Parked] = []
    parked_error: str = ""


Guard = Callable[[GateFacts], Finding]


def gather(
    config: Config,
    plan: Plan,
    *,
    blue: Core,
    green: Core,
    nodes: list[ProxyNode],
    orphans: Callable[[], list[str]],
) -> GateFacts:
    """Reads all of it, side by side where that helps."""
    run_dir = Path(config.run_dir)
    with ThreadPoolExecutor(min(32, len(nodes) + 8)) as pool:
        missed = pool.submit(_attempt, orphans, list[str]())
        versions = pool.submit(_attempt, lambda: _versions(config, blue, green), dict[str, tuple[str, str]]())
        bucket = pool.submit(_attempt, lambda: _bucket(config), None)
        looked = list(pool.map(read_node, nodes))
        states = [pool.submit(state_of, core) for core in (blue, green)]
        faults = probe_all(pool, config.proxies, verify=verification(config.source.tls))
    core = config.source.core
    parked = _attempt(lambda: entries(run_dir / QUARANTINE), list[Parked]())
    return GateFacts(
        now=time.time(),
        plan_id=plan.id,
        max_lag=config.budgets.max_lag,
        mode=config.replication.mode,
        status=read_status(run_dir),
        proof=load_proof(run_dir),
        blue=states[0].result(),
        green=states[1].result(),
        versions=versions.result()[0],
        versions_error=versions.result()[1],
        nodes=looked,
        frontend_faults=faults,
        bucket_error=bucket.result()[1],
        free_bytes=shutil.disk_usage(run_dir).free,
        missing_commands=[name for name in ("stop", "start", "kick") if getattr(core, name) is None],
        orphans=missed.result()[0],
        orphans_error=missed.result()[1],
        cpus=os.cpu_count() or 1,
        parked=parked[0],
        parked_error=parked[1],
    )


def _attempt(read: Callable[[], Part], otherwise: Part) -> tuple[Part, str]:
    try:
        return read(), ""
    except ConfigError:
        raise
    except BmswitchError as error:
        return otherwise, " ".join(part for part in (error.cause, error.evidence) if part)


def _versions(config: Config, blue: Core, green: Core) -> dict[str, tuple[str, str]]:
    """Per side what is configured and what runs."""
    return {
        "blue": (config.source.version, blue.version().software_version),
        "green": (config.target.version, green.version().software_version),
    }


def _bucket(config: Config) -> None:
    bucket = open_bucket(config.bucket)
    try:
        bucket.check()
    finally:
        bucket.close()


def passed(guard: str, cause: str, evidence: str = "") -> Finding:
    """A guard that is content."""
    return Finding(guard=guard, level=Level.passed, cause=cause, evidence=evidence)


def stop(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    """A guard that forbids to go on."""
    return Finding(guard=guard, level=Level.stop, cause=cause, evidence=evidence, command=command)


def unknown(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    """A guard that can not know: never a pass."""
    return Finding(guard=guard, level=Level.unknown, cause=cause, evidence=evidence, command=command)


def warn(guard: str, cause: str, evidence: str = "", command: str = "") -> Finding:
    """A guard that lets go on and wants to be heard."""
    return Finding(guard=guard, level=Level.warn, cause=cause, evidence=evidence, command=command)
