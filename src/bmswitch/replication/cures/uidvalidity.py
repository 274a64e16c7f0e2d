"""Prevents that IMAP clients download all their mail again after the switch.

A folder that the clone creates gets green's own UIDVALIDITY; only a later UPDATE record brings blue's value
(clone-and-api.md 3.4). Most folders of an exported log have no UPDATE: 203 of 208 in a measured one (traffic-and-objects.md
A9). So every CREATE of a folder is followed by an UPDATE with the same value. A real UPDATE comes later in the same
partition and wins; a deletion empties both keys.
"""

import msgspec

from bmswitch.model.records import LogRecord, Operation, decode_key, encode_key
from bmswitch.model.topics import TopicKind


class UidValidity:
    """Repeats each folder's CREATE record as an UPDATE, right behind it."""

    kinds = frozenset({TopicKind.DOMAIN, TopicKind.PRESYNC})
    types = frozenset({"replicated_mailboxes"})
    when = "always"
    without = "after the switch IMAP clients download again every folder that the log has as CREATE only"

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record, and its repetition when it creates a folder."""
        if record.value is None:
            return [record]
        key = decode_key(record.key)
        if key.operation is not Operation.CREATE:
            return [record]
        again = encode_key(msgspec.structs.replace(key, operation=Operation.UPDATE))
        return [record, msgspec.structs.replace(record, key=again)]
