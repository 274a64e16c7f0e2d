"""Guards about the copy: it runs, it is close behind, nothing was parked or missed, and its last proof says equal."""

from bmswitch.model.plan import Finding
from bmswitch.workflows.gate.facts import GateFacts, passed, stop, unknown

FRESH = 5.0
"""Seconds after which a status that did not change means that its process is gone."""

_AGAIN = "bmswitch replicate --follow"


def replicate_runs(facts: GateFacts) -> Finding:
    """A replicate of this plan is alive: it writes its status several times a second."""
    status = facts.status
    if status is None:
        return unknown("replicate_runs", "there is no running replicate", "no replicate.json", _AGAIN)
    age = facts.now - status.updated_at
    if age > FRESH:
        return stop("replicate_runs", "replicate does not run any more", f"last sign {age:.0f} s ago", _AGAIN)
    if status.plan_id != facts.plan_id:
        return stop("replicate_runs", "replicate runs for another plan", status.plan_id, _AGAIN)
    return passed("replicate_runs", "replicate runs", f"process {status.pid}")


def caught_up(facts: GateFacts) -> Finding:
    """Green has shown a nonce of every partition: the first pass is over."""
    if facts.status is None:
        return unknown("caught_up", "it is not known whether green is caught up")
    phase = facts.status.phase
    if phase != "caught_up":
        return stop(
            "caught_up",
            "green is not caught up",
            f"replicate says {phase} {facts.status.error}".strip(),
            "bmswitch status --wait caught-up --timeout 600",
        )
    return passed("caught_up", "green is caught up")


def lag(facts: GateFacts) -> Finding:
    """What is still under way fits into the hold."""
    if facts.status is None:
        return unknown("lag", "the lag is not known")
    seconds = facts.status.lag_seconds
    seen = f"{facts.status.lag_records} records, {seconds:.1f} s"
    if seconds > facts.max_lag:
        return stop("lag", f"the lag is above {facts.max_lag:g} s", seen, "wait, or raise budgets.max_lag")
    return passed("lag", "the lag is small", seen)


def quarantine(facts: GateFacts) -> Finding:
    """Each parked record is on green by a retry, or somebody accepted by name and reason that green misses it."""
    if facts.status is None:
        return unknown("quarantine", "it is not known whether records were parked")
    if facts.parked_error:
        return unknown("quarantine", "the parked records can not be read", facts.parked_error)
    if facts.status.quarantined > len(facts.parked):
        return unknown(
            "quarantine",
            "replicate parked more records than the file has",
            f"{facts.status.quarantined} and {len(facts.parked)}",
            "look for quarantine.ndjson in the run folder",
        )
    waiting = [entry for entry in facts.parked if entry.state == "parked"]
    if waiting:
        first = waiting[0]
        return stop(
            "quarantine",
            f"{len(waiting)} records could not be understood and were parked: green misses them",
            f"number {first.number}: {first.parked.reason}",
            f"bmswitch quarantine show {first.number}, then retry it or accept it",
        )
    if facts.parked:
        accepted = [entry for entry in facts.parked if entry.state == "accepted"]
        return passed(
            "quarantine",
            f"{len(facts.parked)} records were parked, {len(accepted)} of them accepted, all others retried",
            "; ".join(f"number {e.number} by {e.decision.who}" for e in accepted[:5] if e.decision),
        )
    return passed("quarantine", "no record was parked")


def orphans(facts: GateFacts) -> Finding:
    """Domains, servers, settings and jobs are as they were when the clone read them: it reads them once."""
    if facts.orphans_error:
        return unknown("orphans", "blue's orphans topic can not be read", facts.orphans_error)
    if facts.orphans:
        return stop(
            "orphans",
            "domains, servers, settings or jobs changed on blue after green's clone had read them",
            "; ".join(facts.orphans),
            "make the same change on green after the switch and clone again: `bmswitch plan`",
        )
    return passed("orphans", "nothing changed that a clone reads only once")


def proof(facts: GateFacts) -> Finding:
    """The last proof is of this plan and says equal."""
    found = facts.proof
    if found is None:
        return unknown("proof", "green was never proven equal", "no proof.json", "bmswitch verify")
    if found.plan_id != facts.plan_id:
        return stop("proof", "the last proof is of another plan", found.plan_id, "bmswitch verify")
    if found.verdict != "equal":
        return stop(
            "proof",
            f"the last proof says {found.verdict}",
            f"{found.differences} differences",
            "bmswitch verify",
        )
    return passed(
        "proof", "the last proof says equal", f"{facts.now - found.at:.0f} s ago, {found.items} items"
    )
