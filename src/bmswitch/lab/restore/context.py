"""What every restorer works with: the record, the store, and what one run remembers (clone-and-api.md 1.1, 3.4).

`Context.exact` tells the two users apart. A clone (False) shows BlueMind's behaviour: local versions of folders and mail
records, new ids of resources and web application data, hierarchy nodes that stay, green's own UIDVALIDITY. A bootstrap
(True) rebuilds the installation that wrote the log: every id, version and date is the record's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from bmswitch.lab.store import Container, Store
from bmswitch.model.errors import RecordError
from bmswitch.model.records import Envelope, Operation, RecordKey

GROUP_NAMES = {"user": "user_group", "admin": "admin_group"}
_LOG_EVERY = 2.0  # seconds between two lines of one kind (clone-and-api.md 1.7)


class RestoreError(RecordError):
    """A record can not be restored: fatal for the worker, unless its owner is unknown to the proxy's directory topic."""


class Record(msgspec.Struct, frozen=True):
    """One decoded record. `uid` is the item's; `envelope` is None for a deletion; `key.uid` is already aliased."""

    key: RecordKey
    uid: str
    envelope: Envelope | None
    partition: int
    offset: int

    @property
    def deleted(self) -> bool:
        """Whether this is a DELETE."""
        return self.key.operation is Operation.DELETE

    @property
    def sent(self) -> Envelope:
        """The envelope of a CREATE or UPDATE."""
        if self.envelope is None:
            raise RestoreError("a record that is no deletion has no payload", evidence=self.place)
        return self.envelope

    @property
    def place(self) -> str:
        """Partition and offset as the task log prints them."""
        return f"[{self.partition}:{self.offset}]"


class RestoreState:
    """What one run knows about one domain, in memory only: a resumed run starts without it (clone-and-api.md 1.8).

    `aliases`: logged uid to green's uid. `mailboxes`: owners whose mailbox was created in this run; only they have a
    body store. `groups`: group name to uid.
    """

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.mailboxes: set[str] = set()
        self.groups: dict[str, str] = {}
        self.groups_read = False

    def alias(self, uid: str) -> str:
        """Green's uid for a logged one."""
        return self.aliases.get(uid, uid)


class Reporter:
    """Writes the task's log lines, at most one per kind and 2 s, with a running operation counter."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self.log = log
        self.operations = 0
        self.by_kind: dict[str, int] = {}
        self._last: dict[str, float] = {}

    def operation(self, operation: str, kind: str, key: RecordKey, extra: str = "") -> None:
        """Count one operation and print it when its kind was silent for a while."""
        self.operations += 1
        name = f"{operation} {kind}"
        self.by_kind[name] = self.by_kind.get(name, 0) + 1
        now = time.monotonic()
        if now - self._last.get(name, -_LOG_EVERY) < _LOG_EVERY:
            return
        self._last[name] = now
        self.log(f"{self.operations} op:{operation}, type:{kind},  key:{key.owner}/{key.uid}/{key.id}{extra}")


class Context:
    """Everything a restorer needs for one domain. Used by one thread at a time."""

    def __init__(self, store: Store, domain: str, reporter: Reporter, *, exact: bool = False) -> None:
        self.store = store
        self.domain = domain
        self.reporter = reporter
        self.exact = exact
        self.replace_uidvalidity: Callable[[], bool] = lambda: False
        self.state = RestoreState()
        self._known: set[str] = set()

    def now(self) -> int:
        """Wall clock in epoch milliseconds: the date of what green does itself."""
        return time.time_ns() // 1_000_000

    def report(self, operation: str, record: Record, kind: str = "") -> None:
        """One line of the task log, kind `type` or `type.kind`."""
        name = f"{record.key.type}.{kind}" if kind else record.key.type
        self.reporter.operation(operation, name, record.key)

    def has_container(self, uid: str) -> bool:
        """Whether a container exists; existing ones are remembered."""
        if uid in self._known:
            return True
        if self.store.container(uid) is None:
            return False
        self._known.add(uid)
        return True

    def ensure_container(self, uid: str, kind: str, owner: str, name: str = "") -> None:
        """Create a container that a record needs and nothing has announced (change-log.md 3.5)."""
        if not self.has_container(uid):
            self.add_container(
                Container(uid=uid, type=kind, owner=owner, domain=self.domain, name=name or uid)
            )

    def add_container(self, container: Container) -> None:
        """Create a container and remember it."""
        self.store.create_container(container)
        self._known.add(container.uid)

    def drop_container(self, uid: str) -> bool:
        """Remove a container with its items."""
        self._known.discard(uid)
        return self.store.delete_container(uid)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction. What was remembered is forgotten when it is rolled back."""
        try:
            with self.store.tx():
                yield
        except BaseException:
            self._known.clear()
            raise
