"""Prevents that a clone is made over an installation that is in use (clone-and-api.md 7.3)."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import CLONING, NOT_INSTALLED, RUNNING, Facts
from bmswitch.model.guards.guard import PLAN, guard
from bmswitch.model.plan import Finding


@guard(asked=PLAN)
def target_is_free(facts: Facts) -> Finding:
    """Nothing lives on the target yet: its core is not there, not installed, or a clone that is under way."""
    target = facts.target
    if target.state == RUNNING:
        return stop(
            f"{target.colour} is in use: its core is RUNNING",
            f"{target.url} has {len(target.domains)} domain(s)",
            f"name another {target.colour}, or wipe this one (clone-and-api.md 7.2, step 5)",
        )
    if target.state and target.state not in {NOT_INSTALLED, CLONING}:
        return stop(f"{target.colour} is in a state that can not become a clone", target.state)
    return passed(f"nothing lives on {target.colour}", target.state or "no core there yet")
