"""Says whether a record can be understood at all, cheaply: what can not is parked, as it would kill green's restorer."""

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, Operation, RecordKey, decode_item_uid, decode_key


def understand(record: LogRecord) -> RecordKey:
    """The key of a record whose key is whole and whose value is at least a JSON object's outside.

    The value of a deletion is read entirely: a quote in a uid makes it invalid JSON (change-log.md 3.3). Raises RecordError.
    """
    key = decode_key(record.key)
    value = record.value
    if value is None:
        return key
    if value[:1] != b"{" or value[-1:] != b"}":
        raise RecordError("a record value is no JSON object", evidence=f"{len(value)} bytes")
    if key.operation is Operation.DELETE:
        decode_item_uid(value)
    return key
