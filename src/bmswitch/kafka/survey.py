"""What guards and the throttle ask of a Kafka cluster beside its topics: a broker's own settings, the state of consumer groups. Read only."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from bmswitch.kafka.client import explained, settings
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka
from bmswitch.model.errors import UnreachableError

_BROKER = ("offsets.retention.minutes",)


def broker_settings(kafka: Kafka, timeout: float) -> dict[str, str]:
    """Settings of the controller that guards look at; UnreachableError when no broker tells, at once without a controller."""
    admin = AdminClient(settings(kafka))
    with explained(kafka):
        metadata = admin.list_topics(timeout=timeout)
        if metadata.controller_id not in metadata.brokers:
            raise UnreachableError(f"Kafka at {kafka.bootstrap} does not tell its settings")
        wanted = ConfigResource(ResourceType.BROKER, str(metadata.controller_id))
        told = admin.describe_configs([wanted], request_timeout=timeout)[wanted].result(timeout)
    return {key: told[key].value or "" for key in _BROKER if key in told}


def group_states(kafka: Kafka, prefix: str, timeout: float) -> dict[str, str]:
    """State (STABLE, EMPTY, PREPARING_REBALANCING, ...) of each consumer group whose name starts with `prefix`."""
    admin = AdminClient(settings(kafka))
    with explained(kafka):
        listed = admin.list_consumer_groups(request_timeout=timeout).result(timeout)
    if listed.errors:
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap} does not list its groups", evidence=str(listed.errors[0])
        )
    return {
        group.group_id: group.state.name if group.state else "UNKNOWN"
        for group in listed.valid
        if group.group_id.startswith(prefix)
    }


def copies_behind(kafka: Kafka, timeout: float) -> int:
    """Partitions of any topic with fewer copies in step than copies."""
    with explained(kafka):
        metadata = AdminClient(settings(kafka)).list_topics(timeout=timeout)
    return sum(
        len(partition.isrs) < len(partition.replicas)
        for topic in metadata.topics.values()
        for partition in topic.partitions.values()
    )


def group_places(
    kafka: Kafka, topics: Mapping[str, int], group: str, timeout: float
) -> dict[tuple[str, int], int]:
    """Committed offset of a consumer group in each partition of these topics where it has one."""
    admin = AdminClient(settings(kafka))
    wanted = [TopicPartition(name, p) for name, count in topics.items() for p in range(count)]
    with explained(kafka):
        asked = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, wanted)], request_timeout=timeout
        )[group]
        told = asked.result(timeout).topic_partitions or ()
    return {(one.topic, one.partition): one.offset for one in told if one.offset >= 0}


def group_behind(kafka: Kafka, topics: Mapping[str, int], group: str, timeout: float) -> int:
    """Records between a consumer group's places in these topics and their ends. Raises UnreachableError when it has none."""
    places = group_places(kafka, topics, group, timeout)
    if not places:
        raise UnreachableError(f"consumer group {group} has no place on {kafka.bootstrap}")
    ends = Topics(kafka).ends({name: topics[name] for name, _ in places}, timeout)
    return sum(max(0, ends[name][p] - offset) for (name, p), offset in places.items())
