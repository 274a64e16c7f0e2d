"""Prevents that green restores topology and domains under blue's installation id.

The id stands in every topic name, in the uid of the `installation` container and in `domains_<id>` (change-log.md 1.1
and 5.1). Not needed, and left out of the pipeline, when both sides share the id: the normal case of a mirror.
"""

import msgspec

from bmswitch.model import topics
from bmswitch.model.records import LogRecord, decode_key, encode_key
from bmswitch.model.topics import TopicKind


class InstallationId:
    """Rewrites topic and container uid of one record; value bytes stay as they are."""

    kinds = frozenset(TopicKind)
    types = None
    when = "the two installation ids differ"
    without = "green's topics have blue's names, which green's clone never reads"
    fixed = "the names of green's topics depend on it"

    def __init__(self, blue: str, green: str) -> None:
        self._old, self._new = topics.hex_id(blue), topics.hex_id(green)
        self._uids = {blue: green, f"domains_{blue}": f"domains_{green}"}

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record under green's id."""
        topic = rename(record.topic, self._old, self._new)
        return [msgspec.structs.replace(record, topic=topic, key=self._key(record))]

    def _key(self, record: LogRecord) -> bytes:
        parsed = topics.parse(record.topic)
        if parsed is None or parsed.kind is not TopicKind.ORPHANS:
            return record.key
        key = decode_key(record.key)
        if key.uid not in self._uids:
            return record.key
        return encode_key(msgspec.structs.replace(key, uid=self._uids[key.uid]))


def rename(topic: str, old: str, new: str) -> str:
    """The topic's name under another installation's 32 characters."""
    return new + topic.removeprefix(old) if topic.startswith(old + "-") else topic
