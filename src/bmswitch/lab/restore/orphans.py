"""The orphans topic: topology, id sequence, domains, settings, job plans, in this order (clone-and-api.md 3.1)."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from bmswitch.lab.restore.context import Context, Record, Reporter
from bmswitch.lab.restore.items import put
from bmswitch.lab.store import Container, Side, Store
from bmswitch.model.errors import CloneError, RecordError
from bmswitch.model.records import (
    CORE_TOKEN_CLASS,
    SERVER_CLASS,
    SYSTEM,
    Operation,
    decode_envelope,
    decode_key,
)

DOMAIN_CLASS = "net.bluemind.domain.api.Domain"
DOMAIN_SETTINGS_CLASS = "net.bluemind.domain.api.DomainSettings"
GLOBAL = "global.virt"
SEQUENCE = "container_item_id_seq"
SHIFT, WATERMARK = 1_000_000, 900_000  # change-log.md 8.4


class Sequence(msgspec.Struct, rename="camel"):
    """Last ids given out on the leader: directory database, and each mail shard."""

    default_data_source_seq: int
    mailbox_data_source_seq: dict[str, int] = {}

    @property
    def highest(self) -> int:
        """The stand-in has one sequence: the largest of all."""
        return max([self.default_data_source_seq, *self.mailbox_data_source_seq.values()])


class Server(msgspec.Struct):
    """What orders servers: core first, then search, then the rest."""

    tags: list[str] = []


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The installation that is being filled. `servers` maps a server uid to its new address.

    `configured` hears the address of each server that is left as the source has it: BlueMind then configures that machine.
    """

    installation_id: str
    servers: Mapping[str, str]
    sysconf: Mapping[str, str]
    exact: bool
    configured: Callable[[str], None]


class Found(msgspec.Struct, frozen=True):
    """What the rest of the clone needs: domains with a topic of their own, and the core token of the source."""

    domains: frozenset[str]
    token: str


_sequences = msgspec.json.Decoder(Sequence)
_servers = msgspec.json.Decoder(Server)


def configured_log(data_dir: str) -> Callable[[str], None]:
    """A `Target.configured` that appends `configured <ip>` to `<data_dir>/actions.log`."""

    def append(address: str) -> None:
        with (Path(data_dir) / "actions.log").open("a", encoding="utf-8") as file:
            file.write(f"configured {address}\n")

    return append


class Tracker:
    """Keeps the id sequence ahead of the leader's: +1,000,000, again when it came within reach (+900,000)."""

    def __init__(self, store: Store, log: Callable[[str], None], *, exact: bool) -> None:
        self._store = store
        self._log = log
        self._exact = exact
        self._next = 0

    def feed(self, value: bytes) -> None:
        """Take the value of one `container_item_id_seq` record. Raises RecordError."""
        try:
            leader = _sequences.decode(decode_envelope(value).value).highest
        except msgspec.MsgspecError as error:
            raise RecordError("an id sequence record is not understood", evidence=str(error)) from error
        if self._exact:
            self._store.bump_id_sequence(leader)
        elif leader < self._next:
            self._log(f"Leaving item_id_seq alone, waiting for {self._next} before bump")
        else:
            self._next = leader + WATERMARK
            wanted = leader + SHIFT
            self._log(
                f"Bumping t_container_item_id_seq to {wanted} (server 'local', db 'bj', leader seq '{leader}')"
            )
            self._store.bump_id_sequence(wanted)


def decode(messages: Iterable[tuple[bytes | None, bytes | None, int, int]]) -> dict[str, list[Record]]:
    """(key, value, partition, offset) grouped by type; deletions and null values are not interpreted (3.1)."""
    grouped: dict[str, list[Record]] = {}
    for raw, value, partition, offset in messages:
        if raw is None or value is None:
            continue
        key = decode_key(raw)
        if key.id == 0 or key.operation is Operation.DELETE:
            continue
        envelope = decode_envelope(value)
        grouped.setdefault(key.type, []).append(Record(key, envelope.uid, envelope, partition, offset))
    return grouped


def restore(
    store: Store, grouped: dict[str, list[Record]], tracker: Tracker, target: Target, reporter: Reporter
) -> Found:
    """Apply all orphans in one transaction. Raises CloneError when there is no id sequence yet."""
    if not grouped.get(SEQUENCE):
        raise CloneError(
            "the orphans topic has no container_item_id_seq record yet",
            evidence="the source writes one a minute, once it is running",
            consequence="the clone stays in CORE_STATE_CLONING",
        )
    context = Context(store, "", reporter, exact=target.exact)
    with context.batch():
        installation = grouped.get("installation", [])
        token = _core_token(installation)
        _topology(context, installation, target)
        _refuse_missing_shards(installation, _latest(grouped[SEQUENCE]), exact=target.exact)
        tracker.feed(_latest(grouped[SEQUENCE]))
        domains = _domains(context, grouped.get("domains", []), target)
        _sysconf(context, grouped.get("sysconf", []), target)
        for record in grouped.get("job_plans", []):
            _put_side(context, record, "job_plans", SYSTEM, bytes(record.sent.value), uid=record.uid)
    return Found(frozenset(domains), token)


def _refuse_missing_shards(servers: list[Record], sequence: bytes, *, exact: bool) -> None:
    """A shard without a number is a null fault in BlueMind's clone (clone-and-api.md 3.1)."""
    shards = _sequences.decode(decode_envelope(sequence).value).mailbox_data_source_seq
    for record in servers:
        if record.key.value_class != SERVER_CLASS or record.uid in shards or exact:
            continue
        if "bm/pgsql-data" in _servers.decode(record.sent.value).tags:
            raise CloneError("the id sequence of a mail shard is missing", evidence=record.uid)


def _latest(records: list[Record]) -> bytes:
    last = max(records, key=lambda record: record.offset)
    return msgspec.json.encode(last.sent)


def _core_token(records: list[Record]) -> str:
    """The token with the highest offset."""
    tokens = [record for record in records if record.key.value_class == CORE_TOKEN_CLASS]
    if not tokens:
        return ""
    last = max(tokens, key=lambda record: record.offset)
    return str(msgspec.json.decode(last.sent.value, type=dict[str, str]).get("key", ""))


def _topology(context: Context, records: list[Record], target: Target) -> None:
    servers = {r.uid: r for r in records if r.key.value_class == SERVER_CLASS}
    _system_container(context, target.installation_id, "installation")
    for record in sorted(servers.values(), key=_server_order):
        value = msgspec.json.decode(record.sent.value)
        if record.uid in target.servers:
            value["ip"] = target.servers[record.uid]
        else:
            target.configured(str(value.get("ip")))
        put(context, record, target.installation_id, dates=True, value=msgspec.json.encode(value))
        context.reporter.log(f"{record.uid}: server restored with address {value.get('ip')}")
    context.reporter.log("Dealt with topology")


def _server_order(record: Record) -> tuple[int, str]:
    tags = _servers.decode(record.sent.value).tags
    rank = 0 if "bm/core" in tags else 1 if "bm/es" in tags else 2
    return rank, record.uid


def _domains(context: Context, records: list[Record], target: Target) -> set[str]:
    """Domains and their settings in the order of the log; `global.virt` has no topic of its own."""
    container = f"domains_{target.installation_id}"
    _system_container(context, container, "domains")
    found: set[str] = set()
    for record in records:
        kind, uid = record.key.value_class, record.uid
        if kind == DOMAIN_CLASS:
            put(context, record, container, dates=True)
            if not context.has_container(uid):
                context.add_container(
                    Container(uid=uid, type="dir", owner=SYSTEM, domain=uid, name=uid, default=True)
                )
            found |= {uid} - {GLOBAL}
        elif kind == DOMAIN_SETTINGS_CLASS:
            _put_side(context, record, "domain_settings", uid, bytes(record.sent.value))
        else:
            context.report("FILTER", record)
    context.reporter.log(f"Dealt with {len(found)} domain(s)")
    return found


def _sysconf(context: Context, records: list[Record], target: Target) -> None:
    """The last record over what green has; nothing is removed; the caller's overrides win."""
    if not records:
        return
    last = max(records, key=lambda record: record.offset)
    known = context.store.side("sysconf", SYSTEM, "sysconf")
    values = _values(known.value) if known else {}
    values |= _values(bytes(last.sent.value)) | dict(target.sysconf)
    _put_side(context, last, "sysconf", SYSTEM, msgspec.json.encode({"values": values}), uid="sysconf")
    shown = f" to {values}" if not context.exact else ""  # BlueMind's clone prints the secrets too (1.7)
    context.reporter.log(f"System config restored{shown}")


def _values(value: bytes) -> dict[str, str]:
    return msgspec.json.decode(value, type=dict[str, dict[str, str]]).get("values", {})


def _system_container(context: Context, uid: str, kind: str) -> None:
    if not context.has_container(uid):
        context.add_container(Container(uid=uid, type=kind, owner=SYSTEM, name=uid))


def _put_side(
    context: Context, record: Record, kind: str, owner: str, value: bytes, *, uid: str = ""
) -> None:
    context.store.put_side(
        Side(
            type=kind,
            owner=owner,
            uid=uid or owner,
            domain=owner if kind == "domain_settings" else "",
            value=value,
            value_class=record.key.value_class or "",
            created=record.sent.created,
            updated=record.sent.updated,
        )
    )
