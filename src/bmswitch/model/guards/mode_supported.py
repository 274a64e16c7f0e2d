"""Prevents a run in which both sides have one log: a side that comes back writes into what the other one leads (C 8, 9)."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import PLAN, guard
from bmswitch.model.plan import Finding
from bmswitch.model.topics import CRP


@guard(asked=PLAN)
def mode_supported(facts: Facts) -> Finding:
    """Mirror mode: the target's site gets its own copy of the log."""
    if facts.mode == "mirror":
        return passed(f"{facts.target.colour}'s site gets its own copy of the log")
    source, target = facts.source, facts.target
    return stop(
        "replication.mode: shared is not there yet: no switch in it was ever proven",
        "; ".join([*_unsafe(facts), "nothing is cured on its way, and there is no way back"]),
        "say replication.mode: mirror",
        f"{target.colour} would write into the log that {source.colour} may still write to",
    )


def _unsafe(facts: Facts) -> list[str]:
    """What would do harm here and now."""
    source, target = facts.source, facts.target
    found: list[str] = []
    if source.kafka_cluster_id != target.kafka_cluster_id:
        found.append(
            f"{target.colour}.kafka is another cluster than {source.colour}'s, so its clone finds no log"
        )
    if "its Kafka" in facts.missing_rights:
        found.append(
            f"{source.colour}.rights.kafka is not configured, so its right to write to the log stays when it has stepped down"
        )
    if not any(topic.endswith(CRP) for topic in source.topics):
        found.append(
            f"{source.colour} has no topic of directory entries, which the clone needs and only a mirror derives"
        )
    return found
