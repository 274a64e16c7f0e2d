"""Prevents that a site is switched onto itself, or its log copied onto itself."""

from bmswitch.model.guards.answers import passed, stop
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding


@guard()
def two_sites(facts: Facts) -> Finding:
    """Source and target are two."""
    source, target = facts.source, facts.target
    if source.url == target.url:
        return stop("blue and green are the same core", source.url, "correct blue.url or green.url")
    if target.servers and set(target.servers.values()) == set(source.servers.values()):
        return stop(
            "blue and green are one installation under two addresses",
            f"{source.url} and {target.url} have the same servers: {', '.join(sorted(target.servers.values()))}",
            f"correct {target.colour}.url",
        )
    same = source.kafka_cluster_id and source.kafka_cluster_id == target.kafka_cluster_id
    if same and facts.mode == "mirror":
        return stop(
            "blue and green use the same Kafka cluster, so there is nothing to mirror to",
            f"cluster id {source.kafka_cluster_id}",
            f"give {target.colour} its own Kafka, or say replication.mode: shared",
        )
    ids = (source.kafka_cluster_id, target.kafka_cluster_id)
    if facts.mode == "shared" and all(ids) and ids[0] != ids[1]:
        return stop(
            f"{target.colour}.kafka is another Kafka cluster than {source.colour}'s, and replication.mode is shared",
            f"cluster ids {ids[0]} and {ids[1]}",
            f"leave {target.colour}.kafka out, or say replication.mode: mirror",
            f"{target.colour}'s clone would find no log",
        )
    return passed("blue and green are two sites" + (" on one Kafka" if facts.mode == "shared" else ""))
