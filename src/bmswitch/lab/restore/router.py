"""Decodes a record of a domain's topic and hands it to its restorer by `key.type` (clone-and-api.md 3.2)."""

import sqlite3

import msgspec

from bmswitch.lab.restore import containers, directory, items, mail, side
from bmswitch.lab.restore.context import Context, Record, RestoreError
from bmswitch.lab.restore.owners import Owners
from bmswitch.model.errors import RecordError
from bmswitch.model.records import (
    SYSTEM,
    Operation,
    RecordKey,
    decode_envelope,
    decode_item_uid,
    decode_key,
)

RESTORERS = {
    **directory.RESTORERS,
    **containers.RESTORERS,
    **mail.RESTORERS,
    **items.RESTORERS,
    **side.RESTORERS,
}


class Router:
    """Restores the records of one domain. `skipped` are the types the caller does not want."""

    def __init__(self, context: Context, owners: Owners, skipped: frozenset[str] = frozenset()) -> None:
        self.context = context
        self._owners = owners
        self._skipped = skipped

    def apply(self, key: bytes | None, value: bytes | None, partition: int, offset: int) -> None:
        """Restore one record. Raises RestoreError when it can not be, and its owner is known.

        Null values and keys whose id is 0 are dropped before any restorer sees them.
        """
        if key is None or value is None:
            return
        place = f"[{partition}:{offset}]"
        decoded = decode_key(key)
        if decoded.id == 0:
            return
        try:
            self._route(decoded, value, partition, offset)
        except (RecordError, KeyError, TypeError, msgspec.MsgspecError, sqlite3.Error) as error:
            self._failed(decoded, value, place, error)

    def _route(self, key: RecordKey, value: bytes, partition: int, offset: int) -> None:
        context = self.context
        restorer = RESTORERS.get(key.type)
        if restorer is None or key.type in self._skipped:
            context.reporter.operation("skip", key.type, key, f", payload:{value[:200]!r}")
            return
        alias = context.state.aliases.get(key.uid)
        if alias is not None:
            key = msgspec.structs.replace(key, uid=alias)
        if key.operation is Operation.DELETE:
            record = Record(key, decode_item_uid(value), None, partition, offset)
        else:
            envelope = decode_envelope(value)
            record = Record(key, envelope.uid, envelope, partition, offset)
        restorer(context, record)

    def _failed(self, key: RecordKey, value: bytes, place: str, error: Exception) -> None:
        """Ignore the failure of a vanished owner's record, raise any other (change-log.md 3.5)."""
        if not self._known(key, value):
            self.context.reporter.operation("ignored", key.type, key)
            self.context.reporter.log(f"{place} owner of {key.owner} is not known to CRP: ignore errors")
            return
        if isinstance(error, RestoreError):
            raise error
        evidence = f"{place} {type(error).__name__}: {error}"
        raise RestoreError(f"a record of type {key.type} can not be restored", evidence=evidence) from error

    def _known(self, key: RecordKey, value: bytes) -> bool:
        if key.owner != SYSTEM:
            return self._owners.knows(key.owner)
        if key.type != "dir":
            return True
        try:
            return self._owners.knows(decode_item_uid(value))
        except RecordError:
            return True
