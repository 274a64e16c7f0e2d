"""How many records the topics of a broker hold, and how many have left them again."""

from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Kafka

TIMEOUT = 5.0


def topic_counts(topics: Topics) -> dict[str, dict[str, int]]:
    """`{topic: {"partitions", "records", "dropped"}}`: sums of end offsets and of low watermarks, internal topics left out.

    Three requests to the broker, whatever the number of partitions. Raises UnreachableError when it does not answer.
    """
    found = {
        n: p for n, p in sorted(topics.cluster(TIMEOUT).topics.items()) if not n.startswith("__consumer")
    }
    ends, lows = topics.ends(found, TIMEOUT), topics.lows(found, TIMEOUT)
    return {
        name: {"partitions": count, "records": sum(ends[name]), "dropped": sum(lows[name])}
        for name, count in found.items()
    }


def open_topics(bootstrap: str) -> Topics:
    """A client of one broker of the lab."""
    return Topics(Kafka(bootstrap=bootstrap))
