"""Which places records of the source's log touch, from their keys and item uids: what the proof at the switch has to read.

The operation, the value and the order do not matter here: a place that was touched is read again on both sides.
"""

from dataclasses import dataclass, field

import msgspec

from bmswitch.model.barrier import is_probe
from bmswitch.model.differences import Place
from bmswitch.model.errors import RecordError
from bmswitch.model.records import SEPPUKU_UID, LogRecord, RecordKey, decode_item_uid, decode_key
from bmswitch.model.topics import TopicKind, TopicName, parse
from bmswitch.parity.read import Wanted
from bmswitch.parity.sides import CONTAINERS, ENTRIES, ENTRY, META, SIDE
from bmswitch.parity.tables import DOMAIN, NOT_RESTORED

_MAX_ITEMS = 5000
_SETTINGS_CLASS = "net.bluemind.user.api.UserSettings"
_DOMAIN_SETTINGS_CLASS = "DomainSettings"

_OF_OWNER: dict[str, tuple[str, ...]] = {
    "role": ("roles", "group roles", "domain roles"),
    "mailfilters": ("mail filter", "domain mail filter"),
    "mailboxIdentity": ("mailbox identities",),
    "userMailIdentities": ("identities",),
    "userAccounts": ("external accounts",),
    "mailflow": ("mail flow",),
}
_NOT_READ = NOT_RESTORED | {"message_bodies", "message_bodies_es_source", "mapi_artifacts"}

_NO_IDS: frozenset[int] = frozenset()

Items = dict[str, frozenset[int]]


def topic_of(name: str) -> TopicName | None:
    """What a topic holds, when its records are about items; None for all others."""
    topic = parse(name)
    return None if topic is None or topic.kind in (TopicKind.CRP, TopicKind.PRESYNC) else topic


@dataclass
class Touched:
    """Places with the items touched in them; None stands for all items of the place.

    `unread` counts records that can not be understood: the quarantine of the replication has them by name.
    """

    places: dict[Place, Items | None] = field(default_factory=dict)
    unread: int = 0

    def __len__(self) -> int:
        return len(self.places)

    @property
    def items(self) -> int:
        """Items touched; a place that is read as a whole counts as one."""
        return sum(1 if items is None else len(items) for items in self.places.values())

    def wanted(self, place: Place, *, keep: bool = False) -> Wanted:
        """What has to be read of a place."""
        return Wanted(self.places[place], keep=keep)

    def add(self, record: LogRecord) -> None:
        """Takes one record; tombstones follow a DELETE of the same item, so they add nothing."""
        topic = topic_of(record.topic)
        if topic is None or record.value is None:
            return
        try:
            item = decode_item_uid(record.value)
        except RecordError:
            self.unread += 1
            return
        self.note(topic, record.key, item)

    def note(self, topic: TopicName, raw: bytes | msgspec.Raw, item: str) -> None:
        """Takes the key of one record of a topic of items, and the uid of its item."""
        try:
            key = decode_key(raw)
        except RecordError:
            self.unread += 1
            return
        if is_probe(item) or is_probe(key.owner):
            return
        if topic.kind is TopicKind.ORPHANS:
            if key.type == "domains" and (key.value_class or "").endswith(_DOMAIN_SETTINGS_CLASS):
                self.touch(Place(item, item, "", SIDE), "domain settings")
            elif key.type == "domains":
                self.touch(Place(item, item, "", SIDE), DOMAIN)
            return
        self._take(topic.domain, key, item)

    def _take(self, domain: str, key: RecordKey, item: str) -> None:
        owner = key.owner.split("/")[0]
        if key.type in _NOT_READ:
            return
        if key.type == "dir":
            self._entry(domain, key, item)
        elif key.type == "containers_meta":
            self.touch(Place(domain, owner, "", CONTAINERS), item)
            self.touch(Place(domain, owner, item, META), "acl", "settings")
        elif key.type == "memberships":
            self.touch(Place(domain, item, "", SIDE), "members")
        elif key.type == "ou-roles":
            self.touch(Place(domain, item, "", SIDE), "organisation administrators")
        elif key.type == "resourceTypes":
            self.touch(Place(domain, domain, "", SIDE), "resource types")
        elif key.type in _OF_OWNER:
            self.touch(Place(domain, owner, "", SIDE), *_OF_OWNER[key.type])
        else:
            self.touch(Place(domain, owner, key.uid, key.type), item, number=key.id)

    def _entry(self, domain: str, key: RecordKey, item: str) -> None:
        if item == SEPPUKU_UID:
            return
        if key.value_class == _SETTINGS_CLASS:
            self.touch(Place(domain, item, "", SIDE), "settings")
            return
        self.touch(Place(domain, "system", domain, ENTRIES), item, number=key.id)
        self.touch(Place(domain, item, "", ENTRY), "value")

    def touch(self, place: Place, *items: str, number: int | None = None) -> None:
        """Marks items of a place."""
        known = self.places.setdefault(place, {})
        if known is None:
            return
        for item in items:
            ids = known.get(item, _NO_IDS)
            known[item] = ids if number is None or number in ids else ids.union((number,))
        if len(known) > _MAX_ITEMS:
            self.places[place] = None

    def merge(self, other: "Touched") -> None:
        """Adds what another one has."""
        self.unread += other.unread
        for place, items in other.places.items():
            if items is None or self.places.get(place, {}) is None:
                self.places[place] = None
                continue
            known = self.places.setdefault(place, {})
            if known is not None:
                for item, ids in items.items():
                    known[item] = known.get(item, frozenset()) | ids

    def owners(self, domain: str) -> set[str]:
        """Owners whose kind has to be known before their places can be read."""
        return {p.owner for p in self.places if p.domain == domain and p.type in (ENTRY, SIDE)}
