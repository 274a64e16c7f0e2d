"""What every service works with: site, store, publisher, state; and the one way to write.

with context.write():                    # fence checked; one transaction; the log follows after the commit
    context.store.put_item(...)
    context.log(domain, key, item_uid, envelope)
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import msgspec

from bmswitch.lab.publisher import Publisher
from bmswitch.lab.services.errors import NotWritable
from bmswitch.lab.services.state import State
from bmswitch.lab.site import StandIn
from bmswitch.lab.store import Container, Item, Store
from bmswitch.model.records import (
    Envelope,
    Operation,
    RecordKey,
    encode_envelope,
    operation_for,
    synthetic_id,
)

SYSTEM = "system"
ADMIN0 = "admin0_global.virt"
NO_IDS = msgspec.Raw(b"null")

hashed_id = lru_cache(maxsize=65_536)(synthetic_id)


class Context:
    """One running core. `now` gives epoch milliseconds and may be replaced (seeding is deterministic)."""

    def __init__(self, site: StandIn, store: Store, publisher: Publisher, state: State) -> None:
        self.site = site
        self.store = store
        self.publisher = publisher
        self.state = state
        self.now: Callable[[], int] = wall_ms
        self._depth = 0
        self._waiting: list[Callable[[], None]] = []

    def check_writable(self) -> None:
        """The fence of item and container writes (clone-and-api.md 2.1). Raises NotWritable."""
        if not self.state.writable:
            raise NotWritable

    @contextmanager
    def write(self, *, fenced: bool = True) -> Iterator[None]:
        """One transaction; records logged inside are sent after the outermost one is committed.

        `fenced` False: plain tables that BlueMind does not fence (passwords, roles, identities, sysconf, jobs, bodies).
        """
        if fenced:
            self.check_writable()
        self._depth += 1
        try:
            with self.store.tx():
                yield
        except BaseException:
            if self._depth == 1:
                self._waiting.clear()
            raise
        finally:
            self._depth -= 1
        if not self._depth:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for send in waiting:
            send()

    def log_item(
        self,
        container: Container,
        item: Item,
        *,
        value: bytes | None = None,
        ids: msgspec.Raw = NO_IDS,
        value_class: str = "",
    ) -> None:
        """Log an item as it was just stored; `value` and `value_class` replace what is stored (passwords, settings)."""
        envelope = Envelope(
            value=msgspec.Raw(item.value if value is None else value),
            uid=item.uid,
            internal_id=item.id,
            version=item.version,
            display_name=item.display_name,
            external_id=item.external_id,
            created_by=item.created_by,
            updated_by=item.updated_by,
            created=item.created,
            updated=item.updated,
            flags=item.flags,
            produced_by=self.site.produced_by,
            value_class=value_class or item.value_class,
            ids=ids,
        )
        self._log(container.domain, container.type, container.owner, container.uid, envelope)

    def log_item_delete(self, container: Container, item: Item) -> None:
        """Log that an item went."""
        key = RecordKey(
            container.type, container.owner, container.uid, item.id, item.value_class, Operation.DELETE
        )
        domain, uid = container.domain, item.uid
        self._waiting.append(lambda: self.publisher.delete(domain, key, uid))

    def log_side(
        self,
        type_: str,
        domain: str,
        owner: str,
        uid: str,
        value: bytes,
        *,
        value_class: str,
        created: int | None = None,
        updated: int | None = None,
        id_: int | None = None,
    ) -> None:
        """Log what is no item: version 0, a hashed id, no author (change-log.md 3.2, 5.3)."""
        envelope = Envelope(
            value=msgspec.Raw(value),
            uid=uid,
            internal_id=hashed_id(uid) if id_ is None else id_,
            version=0,
            created=created,
            updated=updated,
            produced_by=self.site.produced_by,
            value_class=value_class,
        )
        self._log(domain, type_, owner, side_container(type_, owner, domain), envelope)

    def log_side_delete(self, type_: str, domain: str, owner: str, uid: str, value_class: str) -> None:
        """Log that a side value went."""
        container = side_container(type_, owner, domain)
        key = RecordKey(type_, owner, container, hashed_id(uid), value_class, Operation.DELETE)
        self._waiting.append(lambda: self.publisher.delete(domain, key, uid))

    def log_as(self, domain: str, type_: str, owner: str, container_uid: str, envelope: Envelope) -> None:
        """Log an envelope made by the caller, under any container uid (orphans, memberships)."""
        self._log(domain, type_, owner, container_uid, envelope)

    def _log(self, domain: str, type_: str, owner: str, container_uid: str, envelope: Envelope) -> None:
        operation = operation_for(envelope.created, envelope.updated)
        key = RecordKey(type_, owner, container_uid, envelope.internal_id, envelope.value_class, operation)
        self._waiting.append(lambda: self.publisher.put(domain, key, envelope.uid, encode_envelope(envelope)))


def side_container(type_: str, owner: str, domain: str) -> str:
    """Container uid of a side record; no such container exists (change-log.md 5)."""
    return f"{owner}_at_{domain or 'null'}_{type_}"


def wall_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000
