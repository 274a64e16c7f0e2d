"""Green's log as a sink: the same partition, key bytes, timestamp and headers."""

from collections.abc import Sequence

from bmswitch.kafka.producer import LogProducer
from bmswitch.model.config import Kafka
from bmswitch.model.records import LogRecord


class KafkaSink:
    """Writes to one cluster; memory bounded by `queued_kib`."""

    def __init__(self, kafka: Kafka, *, queued_kib: int = 16_384) -> None:
        self._producer = LogProducer(kafka, queued_kib=queued_kib)

    def send(self, records: Sequence[LogRecord]) -> None:
        """See `Sink`."""
        self._producer.send_all(records)

    def flush(self) -> None:
        """See `Sink`."""
        self._producer.flush()

    def close(self) -> None:
        """See `Sink`."""
        self._producer.close()
