"""The joints of the pipeline: what a source, a sink and a cure are. Each has an in-memory twin in `memory`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord
from bmswitch.model.topics import TopicKind

Place = tuple[str, int]
"""A topic and a partition of it."""


class Batch(msgspec.Struct, frozen=True):
    """Records in the order of each partition; `ends` are next offsets of partitions that were read to their end.

    `read`: how many records were read to make it; None: as many as it holds.
    """

    records: Sequence[LogRecord]
    ends: Mapping[Place, int]
    read: int | None = None


class Settled(msgspec.Struct, frozen=True):
    """A parked record that does not wait any more, and why."""

    record: LogRecord
    said: str


class WaitingError(RecordError):
    """A record's parent has not come: it is parked, and followed up by the cure `children_wait`. `parent`: what it waits for."""

    def __init__(self, cause: str, *, evidence: str, parent: str) -> None:
        super().__init__(cause, evidence=evidence)
        self.parent = parent


class Source(Protocol):
    """Where records come from, and where our place in it is kept."""

    def read(self, limit: int, timeout: float) -> Batch:
        """Waits at most `timeout` seconds for a first record, then takes what is there, at most `limit`."""

    def wait(self, timeout: float) -> None:
        """Lets so many seconds pass without a record."""

    def commit(self, positions: Mapping[Place, int], *, wait: bool) -> None:
        """Keeps the next offsets to read; with `wait` they are kept durably when it returns."""

    def ends(self) -> dict[str, list[int]]:
        """End offsets as last seen; free of cost."""

    def close(self) -> None:
        """Frees sockets; commits nothing."""


class Sink(Protocol):
    """Where records go."""

    def send(self, records: Sequence[LogRecord]) -> None:
        """Queues records in their order; waits when the queue is full."""

    def flush(self) -> None:
        """Returns when everything that was sent is acknowledged; else raises."""

    def close(self) -> None:
        """Gives up what was not flushed."""


class Watch(Protocol):
    """Looks at what is copied, after each acknowledgement."""

    def see(self, record: LogRecord) -> None:
        """One record of the source, as it was read."""

    def flush(self, read: Mapping[Place, int]) -> None:
        """Everything below these offsets was seen and acknowledged."""

    def close(self) -> None:
        """Frees what it holds."""


class Cure(Protocol):
    """A pure function record -> records that prevents one documented harm.

    It is called only for records of the topic kinds and key types that it names; `types` None means every type. With an
    attribute `old_keys` it also gets, before all others, records of any type whose key is a LegacyKey; with a method `mend` it
    is asked for one that can be read instead of a record that can not.
    """

    @property
    def kinds(self) -> frozenset[TopicKind]:
        """Topics whose records it wants."""

    @property
    def types(self) -> frozenset[str] | None:
        """Key types it wants."""

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """What goes on instead of the record. Raises RecordError to park it, RefusedError to stop the run."""
