"""Prevents that records which nobody understood are forgotten (C 21)."""

from bmswitch.model.guards.answers import passed, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(21, asked=GATE)
def quarantine(facts: Facts) -> Finding:
    """Each parked record is on the target by a retry, or somebody accepted by name and reason that the target misses it."""
    status, parked, target = facts.at_gate.status, facts.at_gate.parked, facts.target.colour
    if status is None:
        return unknown("it is not known whether records were parked")
    if facts.at_gate.parked_error:
        return unknown("the parked records can not be read", facts.at_gate.parked_error)
    if status.quarantined > len(parked):
        return unknown(
            "replicate parked more records than the file has",
            f"{status.quarantined} and {len(parked)}",
            "look for quarantine.ndjson in the run folder",
        )
    waiting = [record for record in parked if record.state == "parked"]
    if waiting:
        first = waiting[0].number
        return stop(
            f"{len(waiting)} records could not be understood and were parked: {target} misses them",
            f"number {first}: {waiting[0].reason}",
            f"bmswitch quarantine show {first}, then retry it or accept it",
        )
    accepted = [record for record in parked if record.state == "accepted"]
    if parked:
        return passed(
            f"{len(parked)} records were parked, {len(accepted)} of them accepted, all others retried",
            "; ".join(f"number {record.number} by {record.who}" for record in accepted[:5]),
        )
    return passed("no record was parked")
