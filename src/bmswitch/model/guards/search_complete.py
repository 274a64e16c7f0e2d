"""Prevents that a search misses mail although the folders are right (traffic-and-objects.md C 52)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import GATE, guard
from bmswitch.model.plan import Finding

ENOUGH = 0.99
FEW = 20
"""Share of the source's documents, and how many may lack beside: both are written while they are counted."""


@guard(52, asked=GATE)
def search_complete(facts: Facts) -> Finding:
    """The target's mail index has nearly as many documents as the source's."""
    source, target = facts.source, facts.target
    for side in facts.sides:
        if side.documents < 0:
            return warn(
                f"{side.colour}'s search index can not be counted",
                side.documents_error,
                command="compare the counts with BlueMind's own index tool (bm-cli index coherency)",
            )
    if target.documents + FEW < source.documents * ENOUGH:
        return warn(
            f"{target.colour}'s search index misses {source.documents - target.documents} documents",
            f"{source.documents} on {source.colour}, {target.documents} on {target.colour}",
            "people do not find mail that is there",
            f"consolidate the index on {target.colour} before the switch",
        )
    return passed(f"{target.colour}'s search index is complete", f"{target.documents} documents")
