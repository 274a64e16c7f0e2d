"""Guards about the change log: readable, whole, written to right now, kept as BlueMind keeps it."""

from bmswitch.model.plan import Finding
from bmswitch.model.preflight.answers import passed, stop, topology_read, unknown, warn
from bmswitch.model.preflight.facts import Facts
from bmswitch.model.topics import CRP, hex_id

HEARTBEAT_WITHIN = 120.0
"""Seconds; blue publishes its id sequence every 60."""


def logs_readable(facts: Facts) -> Finding:
    """Both Kafka clusters answer and blue's holds an installation's log."""
    for name, side in (("blue", facts.blue), ("green", facts.green)):
        if side.kafka_error:
            return unknown("logs_readable", f"{name}'s Kafka can not be read", side.kafka_error)
    if not any(name.endswith("-__orphans__") for name in facts.blue.topics):
        return stop("logs_readable", "blue's Kafka holds no change log", "no topic ends with -__orphans__")
    return passed("logs_readable", f"blue's log has {len(facts.blue.topics)} topics")


def one_topic_a_domain(facts: Facts) -> Finding:
    """Every domain has its topic: the clone waits for ever otherwise (clone-and-api.md 2.9)."""
    if not topology_read(facts) or facts.blue.kafka_error:
        return unknown("one_topic_a_domain", "blue could not be read whole")
    missing = [d for d in facts.blue.domains if not any(t.endswith(f"-{d}") for t in facts.blue.topics)]
    if missing:
        return stop(
            "one_topic_a_domain",
            "a domain has no topic in the log",
            ", ".join(missing),
            "bm-cli setup clone-init",
        )
    return passed("one_topic_a_domain", f"{len(facts.blue.domains)} domain(s), each with its topic")


def same_partitions(facts: Facts) -> Finding:
    """Every topic of one log has the same number of partitions (change-log.md 2, traps)."""
    if facts.blue.kafka_error:
        return unknown("same_partitions", "blue's Kafka can not be read", facts.blue.kafka_error)
    counts = {n for t, n in facts.blue.topics.items() if not t.endswith("-crp-dir-entries")}
    if len(counts) > 1:
        return stop(
            "same_partitions",
            "topics of blue's log differ in their number of partitions",
            str(sorted(counts)),
        )
    return passed("same_partitions", f"{counts.pop() if counts else 0} partitions everywhere")


def id_sequence_fresh(facts: Facts) -> Finding:
    """Blue has published its id sequence in the last two minutes, as its core does each minute.

    Without such a record the clone ends in an error; an old one means that blue's core does not reach its log
    (clone-and-api.md 1.8 and 9.2).
    """
    if facts.heartbeat_error or facts.blue.kafka_error:
        why = facts.heartbeat_error or facts.blue.kafka_error
        return unknown("id_sequence_fresh", "blue's id sequence can not be read from its log", why)
    age = facts.heartbeat_age
    if age is None:
        return stop(
            "id_sequence_fresh",
            "blue's log has no id sequence record: a clone would end in an error",
            "no container_item_id_seq among the newest records of its partition",
            "wait a minute when blue has just started, else look at its core log",
        )
    if age > HEARTBEAT_WITHIN:
        return stop(
            "id_sequence_fresh",
            "blue's core does not write its log: the id sequence should come every minute",
            f"the newest is {age:.0f} s old",
            "look for `Failed to store` in blue's core log, and at its Kafka",
        )
    return passed("id_sequence_fresh", f"blue's id sequence was logged {max(0.0, age):.0f} s ago")


def log_settings(facts: Facts) -> Finding:
    """Both logs are compacted and never deleted, and green's takes every record of blue's (C 28, change-log.md 1.2)."""
    deleting = [
        f"{name} {topic}: {told['cleanup.policy']}"
        for name, side in (("blue", facts.blue), ("green", facts.green))
        for topic, told in side.settings.items()
        if told.get("cleanup.policy", "compact") != "compact"
    ]
    if deleting:
        return stop(
            "log_settings",
            "a topic of the log is not kept by compaction alone: records go before they are copied",
            "; ".join(deleting),
            "kafka-configs --alter --add-config cleanup.policy=compact",
        )
    small = _too_small(facts)
    if small:
        return stop(
            "log_settings",
            "a topic on green takes smaller records than on blue",
            "; ".join(small),
            "raise max.message.bytes of that topic on green's Kafka",
        )
    dark = [side.settings_error for side in (facts.blue, facts.green) if side.settings_error]
    if dark:
        return warn(
            "log_settings",
            "the settings of the log's topics are not known",
            "; ".join(dark),
            "a topic that is deleted from loses records before they are copied",
            "kafka-configs --describe: cleanup.policy must be compact, max.message.bytes on green not below blue's",
        )
    return passed("log_settings", "the log is compacted, never deleted, and green takes its largest records")


def log_copies(facts: Facts) -> Finding:
    """Each record of both logs is on more than one broker (traffic-and-objects.md C 4)."""
    single: list[str] = []
    for name, side in (("blue", facts.blue), ("green", facts.green)):
        alone = [topic for topic, copies in side.copies.items() if copies == 1]
        if alone:
            single.append(f"{name}: {len(alone)} of {len(side.copies)} topics have one copy")
        lone = [
            t
            for t, told in side.settings.items()
            if t not in alone and told.get("min.insync.replicas") == "1"
        ]
        if lone:
            single.append(f"{name}: {len(lone)} topics have min.insync.replicas 1")
    if single:
        return warn(
            "log_copies",
            "one broker that is lost can take acknowledged records of the log with it",
            "; ".join(single),
            "a record that is lost before it was copied is missing on green until `verify` finds it",
            "3 copies and min.insync.replicas 2 for the topics of the log",
        )
    if not facts.blue.copies:
        return warn("log_copies", "it is not known how many copies blue's log has", facts.blue.kafka_error)
    return passed("log_copies", "each record of the log is on several brokers")


def _too_small(facts: Facts) -> list[str]:
    """Topics whose largest record on green is smaller than on blue; those not there yet as bmswitch makes them."""
    found: list[str] = []
    for topic, told in facts.blue.settings.items():
        if topic.endswith(CRP):
            continue
        wanted = int(told.get("max.message.bytes") or 0)
        there = facts.green.settings.get(_on_green(topic, facts), {}).get("max.message.bytes")
        takes = int(there) if there else facts.new_topic_bytes
        if there is None and _on_green(topic, facts) in facts.green.topics:
            continue
        if takes and takes < wanted:
            found.append(f"{topic}: {takes} on green, {wanted} on blue")
    return found


def _on_green(topic: str, facts: Facts) -> str:
    """The topic's name on green: its installation id may be another."""
    old, new = hex_id(facts.blue.installation_id), hex_id(facts.green.installation_id)
    return new + topic.removeprefix(old) if new and topic.startswith(old) else topic
