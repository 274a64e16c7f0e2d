"""Prevents that one lost broker takes acknowledged records of the log with it (traffic-and-objects.md C 4)."""

from bmswitch.model.guards.answers import passed, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard(4)
def log_copies(facts: Facts) -> Finding:
    """Each record of both logs is on more than one broker."""
    single: list[str] = []
    for side in facts.logs:
        alone = [topic for topic, copies in side.copies.items() if copies == 1]
        if alone:
            single.append(f"{side.colour}: {len(alone)} of {len(side.copies)} topics have one copy")
        lone = [
            t
            for t, told in side.settings.items()
            if t not in alone and told.get("min.insync.replicas") == "1"
        ]
        if lone:
            single.append(f"{side.colour}: {len(lone)} topics have min.insync.replicas 1")
        if side.nodes_topic == 1:
            single.append(f"{side.colour}: the cluster's nodes topic has one copy")
    if facts.new_topic_copies == 1:
        single.append(
            f"topics that are made on {facts.target.colour} get one copy (kafka.replication_factor)"
        )
    if single:
        return warn(
            "one broker that is lost can take acknowledged records of the log with it",
            "; ".join(single),
            f"a record that is lost before it was copied is missing on {facts.target.colour} until `verify` finds it",
            "3 copies and min.insync.replicas 2 for the topics of the log",
        )
    if not facts.source.copies:
        return warn(
            f"it is not known how many copies {facts.source.colour}'s log has", facts.source.kafka_error
        )
    return passed("each record of the log is on several brokers")
