"""Says whether a record can be understood at all, cheaply: what can not is parked, as it would kill green's restorer."""

from bmswitch.model.errors import RecordError
from bmswitch.model.records import LogRecord, RecordKey, decode_item_uid, decode_key

LARGEST = 5_500_000
"""Bytes of a value: a broker takes 5,505,024 with key and framing (change-log.md 1.2)."""
_SEARCH = "message_bodies_es_source"


def understand(record: LogRecord) -> RecordKey:
    """The key of a record whose key is whole, and whose value is JSON with a uid. Raises RecordError.

    Of search sources only the outside is looked at: they are most bytes of a log (84 % of a measured one), one long text each.
    """
    key = decode_key(record.key)
    value = record.value
    if value is None:
        return key
    if value[:1] != b"{" or value[-1:] != b"}":
        raise RecordError("a record value is no JSON object", evidence=f"{len(value)} bytes")
    if len(value) > LARGEST:
        raise RecordError("a record is larger than the format allows", evidence=f"{len(value)} bytes")
    if key.type != _SEARCH:
        decode_item_uid(value)
    return key
