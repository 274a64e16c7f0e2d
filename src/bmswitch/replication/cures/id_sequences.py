"""Prevents that green's clone ends in an error because the id sequence of a mail shard is missing.

Until January 2022 the record had the directory's sequence only (bug 19 of change-log.md 10), and a clone that finds no number for one of
its shards ends (clone-and-api.md 3.1). A missing one is filled with the highest number that the record has: a sequence may be too
far ahead, never behind.
"""

from collections.abc import Iterable

import msgspec

from bmswitch.model.errors import RecordError
from bmswitch.model.record_types import IdSequence
from bmswitch.model.records import LogRecord
from bmswitch.model.topics import TopicKind

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_sequences = msgspec.json.Decoder(IdSequence)


class IdSequences:
    """Gives each server of the map a number in the record of the id sequences; every other byte stays."""

    kinds = frozenset({TopicKind.ORPHANS})
    types = frozenset({"container_item_id_seq"})
    when = "always"
    without = "green's clone ends in an error while the newest record has no number for one of its servers"

    def __init__(self, servers: Iterable[str]) -> None:
        self._servers = tuple(servers)

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record with a number for each server. Raises RecordError."""
        if record.value is None:
            return [record]
        missing = self.missing(record.value)
        if not missing:
            return [record]
        envelope = _fields.decode(record.value)
        known, payload = _sequences.decode(envelope["value"]), _fields.decode(envelope["value"])
        shards = known.mailbox_data_source_seq or {}
        highest = max(known.default_data_source_seq, *shards.values(), 0)
        filled = shards | dict.fromkeys(missing, highest)
        payload["mailboxDataSourceSeq"] = msgspec.Raw(msgspec.json.encode(filled))
        envelope["value"] = msgspec.Raw(msgspec.json.encode(payload))
        return [msgspec.structs.replace(record, value=msgspec.json.encode(envelope))]

    def missing(self, value: bytes) -> list[str]:
        """Servers for which such a record has no number. Raises RecordError."""
        try:
            known = _sequences.decode(_fields.decode(value)["value"])
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            raise RecordError(
                "a record of the id sequences is not understood", evidence=str(error)
            ) from error
        shards = known.mailbox_data_source_seq or {}
        return [uid for uid in self._servers if uid not in shards]
