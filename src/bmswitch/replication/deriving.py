"""Derives the reverse proxy's directory topic from green's own log, when several workers share the copy.

One process alone writes it, in the order of green's log: so whatever workers do, what comes last there comes last here too.
"""

from collections.abc import Mapping

from bmswitch.model.config import Kafka
from bmswitch.model.records import LogRecord, RecordKey
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.crp_dir_entries import CrpDirEntries
from bmswitch.replication.mirror import Mirror
from bmswitch.replication.quarantine import Quarantine
from bmswitch.replication.runner import MirrorThread
from bmswitch.replication.sink import KafkaSink
from bmswitch.replication.source import KafkaSource


class DerivedOnly(Chain):
    """Of each record only what is derived from it goes on."""

    def __init__(self, topic: str) -> None:
        super().__init__([])
        self._cure = CrpDirEntries(topic)

    def __call__(self, record: LogRecord, key: RecordKey) -> list[LogRecord]:
        """The derived records, none for most."""
        return self._cure(record)[1:] if key.type in self._cure.types else []


def deriving(
    green: Kafka, group: str, topic: str, domains: Mapping[str, int], quarantine: Quarantine
) -> MirrorThread:
    """Reads green's domain topics (topic: partitions) and writes `topic` there. Not started yet."""
    source = KafkaSource(green, f"{group}-crp", domains)
    mirror = Mirror(source, KafkaSink(green), DerivedOnly(topic), quarantine, source.start)
    return MirrorThread(source, mirror)
