"""Prevents that records are deleted before they are copied, or refused as too large (C 28, change-log.md 1.2)."""

from bmswitch.model.guards.answers import passed, stop, unknown, warn
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.guard import guard
from bmswitch.model.plan import Finding
from bmswitch.model.topics import CRP, hex_id


@guard(28)
def log_settings(facts: Facts) -> Finding:
    """Both logs are compacted and never deleted, and the target's takes every record of the source's."""
    deleting = [
        f"{side.colour} {topic}: {told['cleanup.policy']}"
        for side in facts.logs
        for topic, told in side.settings.items()
        if told.get("cleanup.policy", "compact") != "compact"
    ]
    if deleting:
        return stop(
            "a topic of the log is not kept by compaction alone: records go before they are copied",
            "; ".join(deleting),
            "kafka-configs --alter --add-config cleanup.policy=compact",
        )
    source, target = facts.source.colour, facts.target.colour
    small = _too_small(facts)
    if small:
        return stop(
            f"a topic on {target} takes smaller records than on {source}",
            "; ".join(small),
            f"raise max.message.bytes of that topic on {target}'s Kafka",
        )
    hidden = [side for side in facts.logs if side.settings_error and side.tells_settings]
    if hidden:
        return unknown(
            f"{' and '.join(side.colour for side in hidden)}'s Kafka does not tell the settings of its topics",
            "; ".join(side.settings_error for side in hidden),
            "give bmswitch the right DescribeConfigs; for brokers that never tell, kafka.tells_settings: false, and look yourself",
        )
    dark = [side.settings_error for side in facts.logs if side.settings_error]
    if dark:
        return warn(
            "the settings of the log's topics are not known",
            "; ".join(dark),
            "a topic that is deleted from loses records before they are copied",
            f"kafka-configs --describe: cleanup.policy must be compact, max.message.bytes on {target} not below {source}'s",
        )
    return passed(f"the log is compacted, never deleted, and {target} takes its largest records")


def _too_small(facts: Facts) -> list[str]:
    """Topics whose largest record on the target is smaller than on the source; those not there yet as bmswitch makes them."""
    found: list[str] = []
    for topic, told in facts.source.settings.items():
        if topic.endswith(CRP):
            continue
        wanted = int(told.get("max.message.bytes") or 0)
        there = facts.target.settings.get(_on_target(topic, facts), {}).get("max.message.bytes")
        takes = int(there) if there else facts.new_topic_bytes
        if there is None and _on_target(topic, facts) in facts.target.topics:
            continue
        if takes and takes < wanted:
            found.append(f"{topic}: {takes} on {facts.target.colour}, {wanted} on {facts.source.colour}")
    return found


def _on_target(topic: str, facts: Facts) -> str:
    """The topic's name on the target: its installation id may be another."""
    old, new = hex_id(facts.source.installation_id), hex_id(facts.target.installation_id)
    return new + topic.removeprefix(old) if new and topic.startswith(old) else topic
