"""What guards ask of a Kafka cluster beside its topics: a broker's own settings, the state of consumer groups. Read only."""

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from bmswitch.kafka.client import explained, settings
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
