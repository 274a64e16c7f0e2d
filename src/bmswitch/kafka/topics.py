"""Topics of one cluster: which exist, how far they go, and how the missing ones are made."""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping

import msgspec
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import EarliestSpec, LatestSpec, OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from bmswitch.kafka.client import explained, settings
from bmswitch.model.config import Kafka
from bmswitch.model.errors import RefusedError, UnreachableError
from bmswitch.model.topics import TopicKind, hex_id, installation_id, parse

TIMEOUT = 10.0
_LATEST: OffsetSpec = LatestSpec()  # type: ignore[no-untyped-call]  # the library leaves its constructor untyped
_EARLIEST: OffsetSpec = EarliestSpec()  # type: ignore[no-untyped-call]  # the same
_CREATE_TIMEOUT = 60.0
_NO_LEADER = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
"""What a broker says of a partition in the first moments after its creation, or while its leader changes."""
_TOPIC_SETTINGS = {
    "cleanup.policy": "compact",
    "compression.type": "zstd",
    "max.message.bytes": "5505024",
    "max.compaction.lag.ms": "3600000",
    "segment.ms": "3600000",
}
"""What BlueMind gives its own topics (change-log.md 1.2)."""
NEW_TOPIC_BYTES = int(_TOPIC_SETTINGS["max.message.bytes"])
"""Largest record batch that a topic made by the admin API takes."""
_ASKED = (
    "cleanup.policy",
    "min.insync.replicas",
    "max.message.bytes",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "retention.ms",
)
_CRP_SETTINGS = {"cleanup.policy": "compact", "compression.type": "zstd", "max.compaction.lag.ms": "120000"}


class Cluster(msgspec.Struct, frozen=True):
    """A cluster as its metadata says: id (may be empty), partitions of every topic, copies of each (the fewest)."""

    id: str
    topics: dict[str, int]
    copies: dict[str, int] = {}

    def of(self, iid: str) -> dict[str, int]:
        """Live log topics of one installation: orphans, domains, presync and crp, with their partitions."""
        wanted = hex_id(iid)
        named = {name: parse(name) for name in self.topics}
        return {name: self.topics[name] for name, topic in named.items() if topic and topic.hex_id == wanted}

    def installations(self) -> list[str]:
        """Ids (`bluemind-<uuid>`) of the installations that have an orphans topic here."""
        named = (parse(name) for name in self.topics)
        return sorted(installation_id(t.hex_id) for t in named if t and t.kind is TopicKind.ORPHANS)


class Topics:
    """Reads and makes topics of one cluster. Every call is bounded and raises UnreachableError or AccessError."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._admin = AdminClient(settings(kafka))

    def cluster(self, timeout: float = TIMEOUT) -> Cluster:
        """Every topic with its number of partitions."""
        with explained(self._kafka):
            metadata = self._admin.list_topics(timeout=timeout)
        found = {name: topic.partitions for name, topic in metadata.topics.items() if topic.error is None}
        return Cluster(
            metadata.cluster_id or "",
            {name: len(partitions) for name, partitions in found.items()},
            {name: min((len(p.replicas) for p in ps.values()), default=0) for name, ps in found.items()},
        )

    def settings(self, names: Iterable[str], timeout: float = TIMEOUT) -> dict[str, dict[str, str]]:
        """Each topic's settings in force: cleanup policy, copies in step, largest record batch.

        Raises UnreachableError when the broker does not tell them, at once when it names no controller: librdkafka would
        wait for one until the timeout.
        """
        wanted = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not wanted:
            return {}
        with explained(self._kafka):
            metadata = self._admin.list_topics(wanted[0].name, timeout=timeout)
            if metadata.controller_id not in metadata.brokers:
                raise UnreachableError(f"Kafka at {self._kafka.bootstrap} does not tell its topics' settings")
            answers = self._admin.describe_configs(wanted, request_timeout=timeout)
            found = {one.name: answer.result(timeout) for one, answer in answers.items()}
        return {
            name: {key: told[key].value or "" for key in _ASKED if key in told}
            for name, told in found.items()
        }

    def ids(self, names: Iterable[str], timeout: float = TIMEOUT) -> dict[str, str]:
        """Each topic's own id: one that was deleted and made anew has another. None of a broker that does not tell ids.

        Raises UnreachableError.
        """
        wanted = list(names)
        if not wanted:
            return {}
        with explained(self._kafka):
            metadata = self._admin.list_topics(wanted[0], timeout=timeout)
            if metadata.controller_id not in metadata.brokers:
                return {}
            answers = self._admin.describe_topics(TopicCollection(wanted), request_timeout=timeout)
            return {name: str(answer.result(timeout).topic_id) for name, answer in answers.items()}

    def ends(self, topics: Mapping[str, int], timeout: float = TIMEOUT) -> dict[str, list[int]]:
        """End offset (the next record's) of each partition of each topic."""
        return self._offsets(topics, _LATEST, timeout)

    def lows(self, topics: Mapping[str, int], timeout: float = TIMEOUT) -> dict[str, list[int]]:
        """First offset that is still there, of each partition of each topic."""
        return self._offsets(topics, _EARLIEST, timeout)

    def _offsets(self, topics: Mapping[str, int], spec: OffsetSpec, timeout: float) -> dict[str, list[int]]:
        """Asks all partitions at once; again, until the deadline, while one of them has no leader yet."""
        wanted = {TopicPartition(name, p): spec for name, count in topics.items() for p in range(count)}
        if not wanted:
            return {}
        deadline = time.monotonic() + timeout
        with explained(self._kafka):
            while True:
                try:
                    answers = self._admin.list_offsets(wanted, request_timeout=timeout)
                    found = {(t.topic, t.partition): a.result(timeout).offset for t, a in answers.items()}
                except KafkaException as failure:
                    if failure.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
                else:
                    return {name: [found[name, p] for p in range(count)] for name, count in topics.items()}

    def create(self, wanted: Mapping[str, int]) -> list[str]:
        """Makes the topics that are missing, with BlueMind's settings; returns their names.

        The configured `create_topics` command does it when there is one, else the admin API. What came out is read
        back. Raises RefusedError when an existing topic has another number of partitions.
        """
        there = self.cluster().topics
        refuse_other_counts(wanted, there, self._kafka.bootstrap)
        missing = {name: count for name, count in wanted.items() if name not in there}
        if not missing:
            return []
        if self._kafka.create_topics:
            self._by_command(self._kafka.create_topics, missing)
        else:
            self._by_admin(missing)
        there = self._until_there(missing)
        lost = sorted(name for name in missing if name not in there)
        if lost:
            raise UnreachableError(
                f"topics were not made on {self._kafka.bootstrap}: {', '.join(lost)}",
                next_command="make them, or set kafka.create_topics in the configuration",
            )
        refuse_other_counts(missing, there, self._kafka.bootstrap)
        self.ends(missing)  # each partition has its leader: who reads next must not be the one to find out
        return sorted(missing)

    def _until_there(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """The cluster's topics once all wanted ones are told; a broker tells of a new topic a moment later."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            there = self.cluster().topics
            if wanted.keys() <= there.keys() or time.monotonic() > deadline:
                return there
            time.sleep(0.05)

    def _by_command(self, command: list[str], missing: Mapping[str, int]) -> None:
        listed = " ".join(f"{name}:{count}" for name, count in sorted(missing.items()))
        try:
            done = subprocess.run(
                command,
                env={**os.environ, "BMSWITCH_TOPICS": listed},
                capture_output=True,
                text=True,
                timeout=_CREATE_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreachableError("the create_topics command can not be run", evidence=str(error)) from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-300:]
            raise UnreachableError(f"the create_topics command ended with {done.returncode}", evidence=said)

    def _by_admin(self, missing: Mapping[str, int]) -> None:
        new = [
            NewTopic(
                name,
                num_partitions=count,
                replication_factor=self._kafka.replication_factor,
                config=_CRP_SETTINGS if is_crp(name) else _TOPIC_SETTINGS,
            )
            for name, count in missing.items()
        ]
        with explained(self._kafka):
            for answer in self._admin.create_topics(new, request_timeout=_CREATE_TIMEOUT).values():
                answer.result(_CREATE_TIMEOUT)


def is_crp(name: str) -> bool:
    """True for the reverse proxy's directory topic."""
    topic = parse(name)
    return topic is not None and topic.kind is TopicKind.CRP


def refuse_other_counts(wanted: Mapping[str, int], there: Mapping[str, int], where: str) -> None:
    """Raises RefusedError when a topic exists with another number of partitions: owners would be split (2)."""
    wrong: Iterable[str] = sorted(n for n, count in wanted.items() if n in there and there[n] != count)
    for name in wrong:
        raise RefusedError(
            f"topic {name} has {there[name]} partitions on {where}, expected {wanted[name]}",
            evidence="the partition is part of the format: a record must land in the partition it came from",
            next_command=f"delete that topic on {where} if nothing uses it, and run the command again",
        )
