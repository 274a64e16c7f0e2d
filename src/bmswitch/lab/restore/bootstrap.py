"""Fills an empty store from the installation's own log: same restorers, but every id, version and date is the log's.

Used for an installation whose log was loaded from a dump: afterwards its core is running and leads.
"""

import time
from collections.abc import Callable

import msgspec

from bmswitch.lab.restore import orphans
from bmswitch.lab.restore.context import Context, Reporter, RestoreError
from bmswitch.lab.restore.domain import BATCH
from bmswitch.lab.restore.owners import Everybody
from bmswitch.lab.restore.reader import Reader, new_group, partition_counts, place_of
from bmswitch.lab.restore.router import Router
from bmswitch.lab.site import StandIn
from bmswitch.lab.store import Store
from bmswitch.model import topics
from bmswitch.model.errors import LabError
from bmswitch.model.records import SYSTEM, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind

LIMIT = 600.0
_SHOWN = 5  # failures named in the error


class Restored(msgspec.Struct, frozen=True):
    """What a bootstrap read, by topic, and the leftovers of deleted owners that it could not apply."""

    records: dict[str, int]
    ignored: int


def bootstrap(site: StandIn, store: Store, log: Callable[[str], None] = lambda _: None) -> Restored:
    """Restore orphans and all domains from the site's own Kafka. Blocks; run it in a thread when a loop must live.

    Raises:
        LabError: no log, or a record of an owner who still exists can not be restored.
    """
    deadline = time.monotonic() + LIMIT
    counts = partition_counts(site.kafka_bootstrap)
    topic = topics.orphans(site.installation_id)
    if topic not in counts:
        raise LabError("the installation has no log to start from", evidence=topic)
    records = {topic: _orphans(site, store, counts[topic], log, deadline)}
    ignored = 0
    for name, count in sorted(counts.items()):
        parsed = topics.parse(name)
        mine = parsed and parsed.hex_id == topics.hex_id(site.installation_id)
        if parsed is None or not mine or parsed.kind is not TopicKind.DOMAIN:
            continue
        context = Context(store, parsed.domain, Reporter(log), exact=True)
        records[name], failures = _domain(site, context, name, count, deadline)
        ignored += _judge(context, failures)
    store.bump_id_sequence(store.highest_item_id())
    return Restored(records, ignored)


def _orphans(
    site: StandIn, store: Store, partitions: int, log: Callable[[str], None], deadline: float
) -> int:
    topic = topics.orphans(site.installation_id)
    reader = Reader(site.kafka_bootstrap, topic, new_group(site.installation_id), partitions)
    try:
        messages = reader.read_all(deadline)
    finally:
        reader.close()
    target = orphans.Target(
        installation_id=site.installation_id,
        servers={site.server_uid: site.address},
        sysconf={},
        exact=True,
        configured=lambda _: None,
    )
    tracker = orphans.Tracker(store, log, exact=True)
    grouped = orphans.decode((m.key(), m.value(), *place_of(m)) for m in messages)
    orphans.restore(store, grouped, tracker, target, Reporter(log))
    return len(messages)


def _domain(
    site: StandIn, context: Context, topic: str, partitions: int, deadline: float
) -> tuple[int, dict[str, list[str]]]:
    """Apply a topic to its end; returns how many records, and failures by owner."""
    router = Router(context, Everybody())
    reader = Reader(site.kafka_bootstrap, topic, new_group(site.installation_id), partitions)
    failures: dict[str, list[str]] = {}
    total = 0
    try:
        while not reader.finished:
            if time.monotonic() > deadline:
                raise LabError("the log could not be restored in time", evidence=topic)
            batch = reader.take(BATCH, 0.1)
            with context.batch():
                for message in batch:
                    partition, offset = place_of(message)
                    key, value = message.key(), message.value()
                    try:
                        router.apply(key, value, partition, offset)
                    except RestoreError as error:
                        owner = _owner(key or b"", value or b"")
                        failures.setdefault(owner, []).append(f"{error.cause} {error.evidence}")
                    reader.applied(partition, offset)
            total += len(batch)
    finally:
        reader.close()
    return total, failures


def _owner(key: bytes, value: bytes) -> str:
    decoded = decode_key(key)
    return decode_item_uid(value) if decoded.owner == SYSTEM else decoded.owner


def _judge(context: Context, failures: dict[str, list[str]]) -> int:
    """Count the leftovers of owners who are gone; raise for those of owners who are there."""
    left = 0
    for owner, texts in failures.items():
        if context.store.item_id(context.domain, owner) is not None:
            shown = "; ".join(texts[:_SHOWN])
            raise LabError("the log can not be restored", evidence=f"{owner}: {len(texts)} records: {shown}")
        left += len(texts)
    return left
