"""Prevents that a record is dropped, or ends green's clone, because what it belongs to comes later in the log.

A creation that is logged again moves behind what needs it (change-log.md 3.4; bugs 2, 3, 5 of change-log.md 10), and what is left of a
deleted owner stands before his deletion (change-log.md 3.5). A clone drops mails whose folder it does not have, and ends at settings, roles,
filters, bodies or notes of an entry that it does not have (clone-and-api.md 3.3). Parents in other partitions are another matter
(change-log.md 8.2 and 8.3): a clone invents them, and for org units there is `parents_first`.

A child and its parent share a partition, so nothing else has to wait: the child is parked with its reason, the neighbours go on, and
right behind its parent it follows. When the parent is deleted instead, it is settled: there is nothing to restore. What is parked at
the end has a parent that never came. Whoever is seen first at a restart is taken for known, but for those that something waits for.
"""

from collections.abc import Iterable
from typing import Protocol

from bmswitch.model.record_types import ENTRY_CLASS, USER_SETTINGS_CLASS
from bmswitch.model.records import SYSTEM, LogRecord, Operation, RecordKey, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind, parse
from bmswitch.replication.api import Settled, WaitingError

MOST = 5_000
"""Records that wait at the same time; others then pass as they are."""
FOLDERS = 2_000_000
"""Folders of one domain that are remembered; beyond, every folder is taken for known."""
DIR, FOLDER, MAIL = "dir", "replicated_mailboxes", "mailbox_records"
_ENTRIES = frozenset({ENTRY_CLASS, "net.bluemind.directory.api.DirEntry"})
_OWNED = frozenset({
    FOLDER, MAIL, "message_bodies", "message_bodies_es_source", "mapi_artifacts", "role", "mailfilters", "mailboxIdentity",
    "userMailIdentities", "userAccounts", "owner_subscriptions", "notes", "tags", "device", "calendarview", "webappdata",
})  # fmt: skip
"""A clone can not restore them without their owner. Cards, events and tasks it can: it makes their containers by itself."""


class Known(Protocol):
    """Parents that came."""

    def __contains__(self, uid: object, /) -> bool: ...

    def add(self, uid: str, /) -> None:
        """One came."""


class _AllBut:
    """Everybody, but those that something waits for."""

    def __init__(self) -> None:
        self.missing: set[object] = set()

    def __contains__(self, uid: object, /) -> bool:
        return uid not in self.missing

    def add(self, uid: str, /) -> None:
        self.missing.discard(uid)


class _Hashes:
    """Uids by their hash: a third of the memory."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __contains__(self, uid: object, /) -> bool:
        return hash(uid) in self._hashes or len(self._hashes) >= FOLDERS

    def add(self, uid: str, /) -> None:
        self._hashes.add(hash(uid))


class _Domain:
    """What came of one domain, and what waits: by parent, in the order of the log."""

    def __init__(self, uid: str, *, fresh: bool) -> None:
        self.exempt = frozenset({SYSTEM, uid})
        self.owners: Known = set() if fresh else _AllBut()
        self.folders: Known = _Hashes() if fresh else _AllBut()
        self.waiting: dict[str, list[LogRecord]] = {}

    def miss(self, parent: str) -> None:
        """A parent has not come, as an earlier run has seen."""
        what, _, uid = parent.partition(" ")
        known = self.folders if what == "folder" else self.owners
        if isinstance(known, _AllBut):
            known.missing.add(uid)


class ChildrenWait:
    """Lets a record wait until its owner's entry, or its mail's folder, has passed. `left` counts those that could not wait.

    `fresh`: the log is read from its beginning. `waiting`: what an earlier run has parked, with the parent that it waits for.
    """

    kinds = frozenset({TopicKind.DOMAIN})
    types = _OWNED | {DIR}
    when = "always; in a run that goes on elsewhere, for what waits already"
    without = "the clone ends at such a record, or leaves a mail out, and says nothing"

    def __init__(self, *, fresh: bool, waiting: Iterable[tuple[LogRecord, str]] = ()) -> None:
        self.left = 0
        self._fresh, self._held = fresh, 0
        self._domains: dict[str, _Domain | None] = {}
        self._settled: list[Settled] = []
        for record, parent in waiting:
            domain = self._domain(record.topic)
            if domain is not None:
                domain.miss(parent)
                key = decode_key(record.key)
                if key.type == MAIL:  # its folder waits for the same owner, or comes later
                    domain.miss(f"folder {key.uid}")
                domain.waiting.setdefault(parent, []).append(record)
                self._held += 1

    def __call__(self, record: LogRecord) -> list[LogRecord]:
        """The record, and behind a parent what waited for it. Raises WaitingError."""
        key = decode_key(record.key)
        self.hold(record, key)
        children = self.came(record, key)
        for child in children:
            self.follows(child, record)
        return [record, *children]

    def hold(self, record: LogRecord, key: RecordKey) -> None:
        """Raises WaitingError when the record's parent has not come; then it is remembered."""
        domain = self._domain(record.topic)
        parent = _missing(domain, record, key) if domain is not None else ""
        if not parent or domain is None:
            return
        if self._held >= MOST:
            self.left += 1
            return
        domain.waiting.setdefault(parent, []).append(record)
        self._held += 1
        what, _, uid = parent.partition(" ")
        raise WaitingError(
            f"it waits for its {what}", evidence=f"{uid} has not come before it", parent=parent
        )

    def came(self, record: LogRecord, key: RecordKey) -> list[LogRecord]:
        """What waited for the parent that this record makes. Those of a parent that it deletes are settled."""
        if key.type not in {DIR, FOLDER} or record.value is None:
            return []
        domain = self._domain(record.topic)
        if domain is None or (key.type == DIR and key.owner != SYSTEM):
            return []
        gone = key.operation is Operation.DELETE
        if key.type == DIR and not gone and key.value_class not in _ENTRIES:
            return []
        uid = decode_item_uid(record.value)
        if key.type == DIR:
            domain.owners.add(uid)
            parent = f"owner {uid}"
        else:
            domain.folders.add(f"mbox_records_{uid}")
            parent = f"folder mbox_records_{uid}"
        children = domain.waiting.pop(parent, [])
        self._held -= len(children)
        if gone:
            said = f"nothing to restore: its {parent} was deleted at offset {record.offset}"
            self._settled += [Settled(child, said) for child in children]
            return []
        return children

    def follows(self, child: LogRecord, parent: LogRecord) -> None:
        """A record that waited was handed on behind its parent."""
        self._settled.append(Settled(child, f"handed on behind offset {parent.offset}, which it waited for"))

    def settled(self) -> list[Settled]:
        """What does not wait any more, once."""
        found, self._settled = self._settled, []
        return found

    def _domain(self, topic: str) -> _Domain | None:
        try:
            return self._domains[topic]
        except KeyError:
            parsed = parse(topic)
            mine = parsed is not None and parsed.kind is TopicKind.DOMAIN
            found = _Domain(parsed.domain, fresh=self._fresh) if parsed is not None and mine else None
            self._domains[topic] = found
            return found


def _missing(domain: _Domain, record: LogRecord, key: RecordKey) -> str:
    """The parent that has not come, empty when it has or when there is none."""
    owner = key.owner.partition("/")[0]
    if key.type == DIR:
        if key.value_class != USER_SETTINGS_CLASS or record.value is None:
            return ""
        owner = decode_item_uid(record.value)
    if owner not in domain.owners and owner not in domain.exempt:
        return f"owner {owner}"
    return f"folder {key.uid}" if key.type == MAIL and key.uid not in domain.folders else ""
