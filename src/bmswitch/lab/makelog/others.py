"""Everything that is no mail: calendars, cards, rights, settings, rules, web data; and the shapes of older versions."""

import random
from collections.abc import Callable, Iterator

import msgspec

from bmswitch.lab.makelog import record as r
from bmswitch.lab.makelog.people import Pair, People, Person
from bmswitch.lab.makelog.texts import FAMILY, GIVEN, Texts
from bmswitch.lab.services.cards import card
from bmswitch.lab.services.shapes import VEvent, VEventSeries, When

_json = msgspec.json.Encoder().encode
_KEPT = 4096
HALF = 4
"""The shape that needs its container."""
_CHANGED, _DELETED = 0.25, 0.1


class Item(msgspec.Struct):
    """An event or a card that may change or go."""

    person: Person
    uid: bytes
    number: int
    kind: r.Kind
    container: bytes
    at: int


class Others:
    """Makes events of another kind, one at a time; a small part of the items stays in mind, to be changed and deleted."""

    def __init__(self, draw: random.Random, people: People, texts: Texts, ids: Iterator[int]) -> None:
        self._draw, self._texts, self._ids = draw, texts, ids
        self._items: list[Item] = []
        kinds: tuple[tuple[Callable[[Person, int], Pair], int], ...] = (
            (self._new, 30),
            (lambda p, now: people.rights(p, b"calendar:Default:" + p.owner, b"calendar", now, b"user-group"), 8),
            (lambda p, now: people.settings(p, now - 1, now), 5),
            (lambda p, now: people.entry(p, now - 1, now), 4),
            (lambda p, now: people.rules(p, now, texts.subject()), 3),
            (lambda p, now: people.webdata(p, p.first_id + 26, now - 1, now), 10),
            (lambda p, now: people.membership(p, now, added=draw.random() < 0.7), 2),
            (lambda p, now: people.subscription(p, b"calendar:Default:" + p.owner, b"calendar", p.first_id + 24, now=now - 1, changed=now), 3),
        )  # fmt: skip
        self._kinds = [kind for kind, _ in kinds]
        self._weights = [weight for _, weight in kinds]

    def one(self, person: Person, now: int) -> tuple[Person, list[Pair]]:
        """The records of one event, of this person or, when an item changes or goes, of the item's."""
        draw = self._draw.random()
        if self._items and draw < _CHANGED:
            item = self._draw.choice(self._items)
            return item.person, [self._written(item, now)]
        if self._items and draw < _CHANGED + _DELETED:
            item = self._items.pop(self._draw.randrange(len(self._items)))
            return item.person, [
                *item.kind.deletion(item.person.owner, item.container, item.uid, item.number)
            ]
        return person, [self._draw.choices(self._kinds, self._weights)[0](person, now)]

    def _new(self, person: Person, now: int) -> Pair:
        number = next(self._ids)
        event = self._draw.random() < 0.7
        kind, container = (r.EVENT, b"calendar:Default:") if event else (r.CARD, b"book:Contacts_")
        item = Item(
            person, b'"%032x"' % self._draw.getrandbits(128), number, kind, container + person.owner, now
        )
        if len(self._items) < _KEPT:
            self._items.append(item)
        else:
            self._items[self._draw.randrange(_KEPT)] = item
        return self._written(item, None)

    def _written(self, item: Item, changed: int | None) -> Pair:
        if item.kind is r.EVENT:
            title = self._texts.subject().decode()
            start, end = (When(iso8601=f"2023-0{self._draw.randint(1, 9)}-17T{hour}:00:00.000+02:00", timezone="Europe/Paris")
                          for hour in ("08", "09"))  # fmt: skip
            event = VEvent(dtstart=start, dtend=end, summary=title, description=self._texts.of(200).decode())
            payload = _json(VEventSeries(main=event, ics_uid=item.uid[1:-1].decode()))
        else:
            given, family = self._draw.choice(GIVEN), self._draw.choice(FAMILY)
            title = f"{given} {family}"
            payload = _json(card(title, given=given, family=family))
        return item.kind.item(item.person.owner, item.container, item.uid, item.number, payload,
                              created=item.at, updated=changed, name=r.text(title), by=item.person.owner)  # fmt: skip


def legacy(person: Person, domain: str, now: int, shape: int) -> Pair:
    """A record as it was until 2022 and 2023 (change-log.md 5.7), one of five shapes; `HALF` is for containers that are there."""
    owner, d = person.owner, domain.encode()
    if shape == 0:  # a boolean instead of the operation
        key, value = People(domain).webdata(person, person.first_id + 26, now, now + 1)
        return key.replace(b'"operation":"UPDATE"', b'"created":false'), value
    if shape == 1:  # `roles` instead of `role`
        kind = r.Kind("roles", r.ROLE.value_class.decode())
        return kind.side(owner, b"%b_at_%b_roles" % (owner, d), b'"%b"' % owner,
                         b'{"kind":"USER","roles":["hasMailWebapp"]}', now=now)  # fmt: skip
    if shape == 2:  # settings as a plain map
        kind = r.Kind("dir", "java.util.HashMap")
        return kind.item(
            b"system", d, b'"%b"' % owner, person.first_id, b'{"lang":"fr"}', created=now, updated=now + 1
        )
    if shape == 3:  # a type without restorer
        kind = r.Kind("replicated_conversations", "net.bluemind.backend.mail.replica.api.Conversation")
        return kind.item(
            owner, b"subtree_conversations_" + owner, b'"%d"' % now, person.first_id + 25, b"{}", created=now
        )
    container = b"book:Contacts_" + owner  # one half of a container's metadata
    acl = b'[{"subject":"%b","verb":"All"}]' % owner
    half = (
        b'"type":"ACL","acls":%b,"settings":null' % acl
        if now % 2
        else b'"type":"SETTING","acls":null,"settings":{}'
    )
    return r.META.side(owner, b"%b_at_%b_containers_meta" % (owner, d), b'"%b"' % container,
                       b'{"containerUid":"%b",%b}' % (container, half), now=now, operation=r.UPDATE)  # fmt: skip
