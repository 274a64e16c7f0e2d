"""Prevents that green pushes its configuration to blue's machines.

A server uid that the clone does not know keeps the source's address, and the clone then configures the live machine
through bm-node (clone-and-api.md 0.3 and 2.9). So each `Server` record gets green's address, and a record of a server
without mapping stops the run.
"""

from collections.abc import Iterable, Mapping

import msgspec

from bmswitch.model.errors import RecordError, RefusedError
from bmswitch.model.records import SERVER_CLASS, LogRecord, Operation, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ServerAddresses:
    """Rewrites `value.ip` by the map of server uid to green's address."""

    kinds = frozenset({TopicKind.ORPHANS})
    types = frozenset({"installation"})
    when = "always"
    without = "green reconfigures blue's live machines"
    fixed = "without it green would reconfigure blue's live machines"

    def __init__(self, servers: Mapping[str, str]) -> None:
        self._servers = servers

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record with green's address; other classes, deletions and tombstones as they are."""
        uid = server_uid(record)
        if uid is None or record.value is None:
            return [record]
        if uid not in self._servers:
            raise unmapped([uid])
        return [msgspec.structs.replace(record, value=_with_ip(record.value, self._servers[uid]))]


def server_uid(record: LogRecord) -> str | None:
    """Uid of the server that a record creates or updates; None for every other record. Raises RecordError."""
    if record.value is None or SERVER_CLASS.encode() not in record.key:
        return None
    key = decode_key(record.key)
    if key.value_class != SERVER_CLASS or key.operation is Operation.DELETE:
        return None
    return decode_item_uid(record.value)


def unmapped(uids: Iterable[str]) -> RefusedError:
    """The refusal that names the servers for which the configuration has no address."""
    names = ", ".join(sorted(uids))
    return RefusedError(
        f"blue's log has servers that the configuration does not map: {names}",
        evidence="a server without mapping keeps blue's address, and green would reconfigure the live machine",
        next_command=f"add {names} to `servers:` in the configuration, then make a new plan",
    )


def _with_ip(value: bytes, ip: str) -> bytes:
    """The envelope with another `value.ip`; every other byte stays."""
    try:
        envelope = _fields.decode(value)
        server = _fields.decode(envelope["value"])
    except (msgspec.MsgspecError, KeyError) as error:
        raise RecordError("a server record is not understood", evidence=str(error)) from error
    server["ip"] = msgspec.Raw(msgspec.json.encode(ip))
    envelope["value"] = msgspec.Raw(msgspec.json.encode(server))
    return msgspec.json.encode(envelope)
