"""A made log from its first record to its last: an old head, people who arrive, then months of mail.

Only the seed, the number of people and of records decide what it is. `measured` says which of its proportions come from real
logs and which are assumed.
"""

import itertools
import random
import uuid
from collections import deque
from collections.abc import Iterable, Iterator

from bmswitch.lab.makelog import measured
from bmswitch.lab.makelog import record as r
from bmswitch.lab.makelog.mails import INBOX, TRASH, Mail, Mails
from bmswitch.lab.makelog.others import HALF, Others, legacy
from bmswitch.lab.makelog.people import IDS, Pair, People, Person, person
from bmswitch.lab.makelog.texts import Texts
from bmswitch.model import topics

START = 1_677_685_400_000
"""The log's first moment, epoch milliseconds: March 2023."""
_KEPT = 50_000
_FIRST_ID = 40


def installation_of(seed: int) -> str:
    """The installation that a made log is of."""
    return f"{topics.PREFIX}{uuid.UUID(int=seed)}"


class Story:
    """`records` records of `users` people. Iterating gives (orphans?, what chooses the partition, key, value)."""

    def __init__(
        self, users: int, records: int, *, seed: int, domain: str, installation: str, sizes: str
    ) -> None:
        self._draw = random.Random(f"{seed}/{domain}/{users}")  # noqa: S311 - reproducible on purpose
        self._users, self._records, self._domain, self._installation = users, records, domain, installation
        self._texts = Texts(self._draw)
        self._people = People(domain)
        self._numbers = itertools.count(_FIRST_ID)
        self._ids = itertools.count((_FIRST_ID + 2 * users) * IDS)
        self._mails = Mails(self._draw, self._people, self._texts, self._ids, domain=domain, sizes=sizes)
        self._others = Others(self._draw, self._people, self._texts, self._ids)
        self._living: list[Person] = []
        self._recent: deque[Mail] = deque(maxlen=_KEPT)
        self._going: deque[Mail] = deque()
        self.now = START

    def __iter__(self) -> Iterator[r.Made]:
        return itertools.islice(self._with_heartbeat(), self._records)

    def _with_heartbeat(self) -> Iterator[r.Made]:
        for number, one in enumerate(itertools.chain(self._orphans(), self._arrivals(), self._months()), 1):
            self.now += 40 if number % 50 else 2000
            yield one
            if number % measured.HEARTBEAT == 0:
                payload = b'{"defaultDataSourceSeq":78,"mailboxDataSourceSeq":{"bm-master":%d}}' % next(
                    self._ids
                )
                yield self._orphan(
                    r.SEQUENCE, "container_item_id_seq", "container_item_id_seq", 1981897513, payload
                )

    def _orphan(self, kind: r.Kind, container: str, uid: str, number: int, payload: bytes) -> r.Made:
        key, value = kind.item(b"system", container.encode(), r.text(uid), number, payload, created=self.now)
        return r.ORPHANS, uid, key, value

    def _orphans(self) -> Iterator[r.Made]:
        """Server, token, domain, configuration: what a clone needs before it begins."""
        iid, domain = self._installation, self._domain
        server = (
            b'{"ip":"10.0.0.1","fqdn":"bm.%b","name":"bm-master","tags":["bm/core","bm/pgsql","mail/imap"]}'
            % domain.encode()
        )
        yield self._orphan(r.SERVER, iid, "bm-master", 8, server)
        yield self._orphan(
            r.CORE_TOKEN, iid, "core_tok", -1, b'{"key":"00000000-0000-0000-0000-000000000000"}'
        )
        label = r.text(domain)
        yield self._orphan(
            r.DOMAIN_KIND, f"domains_{iid}", domain, 9,
            b'{"label":%b,"name":%b,"description":"","properties":{},"global":false,"aliases":[],"defaultAlias":%b}'
            % (label, label, label),
        )  # fmt: skip
        yield self._orphan(r.SYSCONF, "sysconf", "sysconf", -1737867407, b'{"values":{"archive_kind":"s3"}}')

    def _arrivals(self) -> Iterator[r.Made]:
        """Most people, one after the other, each with what is left of older versions."""
        people = self._users - int(self._users * measured.LATE)
        old = int(self._records * measured.LEGACY / max(1, people)) if people else 0
        rest = self._records * measured.LEGACY / max(1, people) - old
        for _ in range(people):
            yield from self._arrive(old + (self._draw.random() < rest))

    def _arrive(self, old: int = 0) -> Iterator[r.Made]:
        """One person: the entry, `old` records of older versions, everything as it is written now, halves of metadata."""
        first = next(self._numbers) * IDS
        one = person(self._draw, self._domain, first)
        self._living.append(one)
        records = self._people.arrive(one, self.now)
        yield self._of(one, next(records))
        shapes = [(len(self._living) + shape) % (HALF + 1) for shape in range(old)]
        before = [legacy(one, self._domain, self.now, shape) for shape in shapes if shape != HALF]
        after = [
            legacy(one, self._domain, self.now + n, HALF) for n, shape in enumerate(shapes) if shape == HALF
        ]
        yield from (self._of(one, pair) for pair in itertools.chain(before, records, after))

    @staticmethod
    def _of(one: Person, pair: Pair) -> r.Made:
        return r.DOMAIN, one.uid, *pair

    def _months(self) -> Iterator[r.Made]:
        """Mail and what goes with it, for ever."""
        late = int(self._users * measured.LATE)
        draw, every = self._draw, max(1, int(self._records / max(1, late) / 5))
        for number in itertools.count(1):
            one = draw.choice(self._living)
            mails = draw.randint(20, 300) if draw.random() < measured.BURST else 1
            for _ in range(mails):
                yield from self._arrived(one, INBOX)
                yield from self._later()
            if draw.random() < measured.OTHER:
                other, pairs = self._others.one(one, self.now)
                yield from (self._of(other, pair) for pair in pairs)
            if late and number % every == 0:
                yield from self._arrive()
                late -= 1
                if late % 10 == 0 and len(self._living) > 2:
                    gone = self._living.pop(draw.randrange(len(self._living)))
                    yield from (self._of(gone, pair) for pair in self._people.leave(gone))

    def _arrived(self, one: Person, folder: int, guid: bytes = b"") -> Iterator[r.Made]:
        mail, pairs = self._mails.arrive(one, folder, self.now, guid)
        if len(self._recent) == _KEPT:
            self._recent.popleft()
        self._recent.append(mail)
        return (self._of(one, pair) for pair in pairs)

    def _later(self) -> Iterator[r.Made]:
        """What happens to mails that came before, one of each kind for each that comes, by its share."""
        draw = self._draw
        if draw.random() < measured.READ:
            mail = self._one_of_recent()
            yield self._of(mail.person, self._mails.read(mail, self.now))
        if draw.random() < measured.MOVED:
            mail = self._one_of_recent()
            yield from self._arrived(mail.person, draw.randrange(TRASH, len(mail.person.folders)), mail.guid)
            yield from self._expunged(mail)
        if draw.random() < measured.EXPUNGED - measured.MOVED:
            yield from self._expunged(self._one_of_recent())
        if len(self._going) > 1000 or (self._going and draw.random() < 0.1):
            mail = self._going.popleft()
            yield from (self._of(mail.person, pair) for pair in self._mails.purge(mail))

    def _one_of_recent(self) -> Mail:
        """Mostly a late one."""
        back = int(len(self._recent) * self._draw.random() ** 3)
        return self._recent[-1 - back]

    def _expunged(self, mail: Mail) -> Iterable[r.Made]:
        if mail.gone:
            return
        mail.gone = True
        if self._draw.random() < measured.PURGED:
            self._going.append(mail)
        yield self._of(mail.person, self._mails.expunge(mail, self.now))
