"""Prevents that bounces to rewritten senders and public links break: both are keyed with the id (C 42, 45)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(42, 45)
def same_installation_id(facts: Facts) -> Finding:
    """The target keeps the source's installation id."""
    source, target = facts.source, facts.target
    if target.installation_id and source.installation_id and target.installation_id != source.installation_id:
        return warn(
            f"{target.colour} gets another installation id than {source.colour}",
            f"{source.installation_id} and {target.installation_id}",
            "bounces to rewritten senders (SRS) are refused, new links to shared files have other keys",
            f"leave {target.colour}.installation_id out of the configuration, unless a fork is meant",
        )
    return passed(f"{target.colour} keeps {source.colour}'s installation id")
