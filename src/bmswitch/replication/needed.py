"""What the cures would have done in a log that nobody copies: they are shown its records, and what they would change is counted.

For a plan in shared mode. Nothing is kept of the records but what the cures themselves keep, which is bounded as in a copy.
"""

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, Operation, RecordKey
from bmswitch.replication.api import Cure
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.cures.deletions_mended import DeletionsMended
from bmswitch.replication.cures.legacy_records import LegacyRecords
from bmswitch.replication.cures.metadata_described import MetadataDescribed
from bmswitch.replication.cures.resources_whole import ResourcesWhole
from bmswitch.replication.cures.uidvalidity import UidValidity
from bmswitch.replication.reading import understand


class Needed:
    """Fed by `see`, from the log's beginning, each partition in its order. `records` counts what was seen."""

    def __init__(self) -> None:
        alone: dict[str, Cure] = {
            "legacy_records": LegacyRecords(),
            "metadata_described": MetadataDescribed(),
            "resources_whole": ResourcesWhole(fresh=True),
        }
        self.records = 0
        self._chains = {name: Chain([cure]) for name, cure in alone.items()}
        self._deletions, self._waiting = DeletionsMended(), ChildrenWait(fresh=True)
        self._counts = dict.fromkeys(("deletions_mended", "children_wait", *alone), 0)
        self._created: set[int] = set()

    @property
    def counts(self) -> dict[str, int]:
        """Records that each cure would have changed or held back, by its name; folders that have a CREATE only for `uidvalidity`."""
        return self._counts | {"uidvalidity": len(self._created)}

    def see(self, record: LogRecord) -> None:
        """One record. What no cure understands counts for none: a copy would park it."""
        self.records += 1
        try:
            key = understand(record)
        except RecordError:
            self._counts["deletions_mended"] += self._deletions.mend(record) is not None
            return
        for name, chain in self._chains.items():
            try:
                out = chain(record, key)
            except RecordError:
                continue
            self._counts[name] += out is not None and out != [record]
        self._wait(record, key)
        if key.type in UidValidity.types:
            self._folder(record, key)

    def _wait(self, record: LogRecord, key: RecordKey) -> None:
        try:
            self._waiting.hold(record, key)
        except RecordError:
            self._counts["children_wait"] += 1
            return
        self._waiting.came(record, key)
        self._waiting.settled()

    def _folder(self, record: LogRecord, key: RecordKey) -> None:
        """A folder that only a CREATE is known of has the clone's own UIDVALIDITY (clone-and-api.md 3.4)."""
        place = hash((record.topic, key.owner, key.uid, key.id))
        if record.value is not None and key.operation is Operation.CREATE:
            self._created.add(place)
        elif record.value is not None:
            self._created.discard(place)
