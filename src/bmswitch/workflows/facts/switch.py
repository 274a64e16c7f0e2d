"""Reads what is known only once the copy runs: its status, the proof, what was parked, what a client sees now."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bmswitch.model.config import Config
from bmswitch.model.guards.facts import ParkedFacts, SwitchFacts
from bmswitch.model.plan import Plan
from bmswitch.replication.quarantine import FILE as QUARANTINE
from bmswitch.replication.quarantine import Entry, entries
from bmswitch.workflows.cures import noted
from bmswitch.workflows.facts.attempt import attempt, quietly
from bmswitch.workflows.facts.fresh import fresh_bodies
from bmswitch.workflows.facts.keys import key_facts
from bmswitch.workflows.proof_files import load_proof
from bmswitch.workflows.sites import verification
from bmswitch.workflows.soak import probe_all


def switch_facts(
    config: Config, plan: Plan, pool: ThreadPoolExecutor, orphans: Callable[[], list[str]], *, dry: bool
) -> SwitchFacts:
    """One look, without the status of the copy; `orphans` reads what a clone has missed in the source's orphans topic. `dry`: no canary is put."""
    run_dir = Path(config.run_dir)
    missed = pool.submit(attempt, orphans, list[str]())
    keys = pool.submit(key_facts, config) if not dry else None
    fresh = pool.submit(quietly, lambda: fresh_bodies(config, plan.source.topics), (0, list[str]()))
    faults = probe_all(pool, config.proxies, verify=verification(config.source.tls))
    parked, parked_error = parked_facts(run_dir)
    found, orphans_error = missed.result()
    return SwitchFacts(
        plan_id=plan.id,
        max_lag=config.budgets.max_lag,
        proof=load_proof(run_dir),
        frontend_faults=faults,
        free_bytes=shutil.disk_usage(run_dir).free,
        orphans=found,
        orphans_error=orphans_error,
        parked=parked,
        parked_error=parked_error,
        unknown_types=noted(run_dir).unknown,
        keys=keys.result() if keys else [],
        dry=dry,
        accepted=plan.accepted,
        fresh_bodies=fresh.result()[0][0],
        fresh_missing=fresh.result()[0][1],
        fresh_error=fresh.result()[1],
    )


def parked_facts(run_dir: Path) -> tuple[list[ParkedFacts], str]:
    """Every record that could not be understood, and why they can not be read."""
    found, error = attempt(lambda: entries(run_dir / QUARANTINE), list[Entry]())
    return [_parked(entry) for entry in found], error


def _parked(entry: Entry) -> ParkedFacts:
    who = entry.decision.who if entry.decision else ""
    return ParkedFacts(entry.number, entry.parked.reason, entry.state, who)
