"""Prevents that the newest mails have no body where the target reads: a replicated store lags behind the log (C 18)."""

from bmswitch.model.guards.answers import passed, some, stop, unknown
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding


@guard(18, asked=GATE)
def fresh_bodies_there(facts: Facts) -> Finding:
    """Every body that the newest records of each partition name is in the configured bucket."""
    if facts.at_gate.fresh_error:
        return unknown("the newest bodies can not be looked for", facts.at_gate.fresh_error)
    missing = facts.at_gate.fresh_missing
    if missing:
        return stop(
            f"{len(missing)} of the {facts.at_gate.fresh_bodies} newest bodies are not in the bucket",
            some(missing, 3),
            "wait until the object store has caught up, then try again",
            "these mails would be empty after the switch",
        )
    return passed(f"the {facts.at_gate.fresh_bodies} newest bodies are in the bucket")
