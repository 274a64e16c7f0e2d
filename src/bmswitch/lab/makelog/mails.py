"""Mails of a made log: they arrive, are read, move, are deleted, in bursts too."""

import base64
import hashlib
import random
from collections.abc import Iterator

import msgspec

from bmswitch.lab.makelog import measured
from bmswitch.lab.makelog import record as r
from bmswitch.lab.makelog.people import Pair, People, Person
from bmswitch.lab.makelog.texts import Texts

INBOX, TRASH = 0, 2


class Mail(msgspec.Struct):
    """One mail in one folder."""

    person: Person
    folder: int
    uid: int
    number: int
    guid: bytes
    at: int
    flags: bytes = b"[]"
    gone: bool = False


class Mails:
    """Makes the records of mails. `ids` gives item ids; `search` and `body` are the sizes of their values."""

    def __init__(
        self,
        draw: random.Random,
        people: People,
        texts: Texts,
        ids: Iterator[int],
        *,
        domain: str,
        sizes: str,
    ) -> None:
        self._draw, self._people, self._texts, self._ids = draw, people, texts, ids
        self._d = domain.encode()
        self._body, self._search = measured.BODY[sizes], measured.SEARCH[sizes]

    def arrive(self, person: Person, folder: int, now: int, guid: bytes = b"") -> tuple[Mail, list[Pair]]:
        """A mail with its body and search source; mostly an UPDATE of the folder before."""
        number = next(self._ids)
        guid = guid or hashlib.sha1(b"%d" % number, usedforsecurity=False).hexdigest().encode()
        person.last[folder] += 1
        mail = Mail(person, folder, person.last[folder], number, guid, now)
        pairs: list[Pair] = []
        if self._draw.random() < measured.FOLDER_UPDATES_A_MAIL:
            pairs.append(self._people.folder(person, folder, now - 86_400_000, now))
        pairs += (self._body_of(mail), self._search_of(mail), self._record_of(mail, None))
        return mail, pairs

    def read(self, mail: Mail, now: int) -> Pair:
        """Its flags change."""
        mail.flags = self._draw.choice(
            (b'["\\\\Seen"]', b'["\\\\Seen","\\\\Answered"]', b'["\\\\Seen","$label1"]')
        )
        return self._record_of(mail, now)

    def expunge(self, mail: Mail, now: int) -> Pair:
        """Deleted by its owner: an UPDATE (change-log.md 6)."""
        return self._record_of(mail, now, internal=b'["expunged"]')

    def purge(self, mail: Mail) -> list[tuple[bytes, bytes | None]]:
        """Gone for good."""
        return r.RECORD.deletion(mail.person.owner, self._container(mail), b'"%d."' % mail.uid, mail.number)

    @staticmethod
    def _container(mail: Mail) -> bytes:
        return b"mbox_records_" + mail.person.folders[mail.folder]

    def _record_of(self, mail: Mail, changed: int | None, internal: bytes = b"[]") -> Pair:
        payload = (
            b'{"body":null,"imapUid":%d,"flags":%b,"internalFlags":%b,"messageBody":"%b","modSeq":%d,"internalDate":%d,'
            b'"lastUpdated":%d,"conversationId":"%d"}'
        ) % (
            mail.uid,
            mail.flags,
            internal,
            mail.guid,
            mail.uid,
            mail.at,
            changed or mail.at,
            r.number_of(mail.guid),
        )
        uid = b'"%d."' % mail.uid
        seen = b'["Seen"]' if b"Seen" in mail.flags else b"[]"
        return r.RECORD.item(mail.person.owner, self._container(mail), uid, mail.number, payload, created=mail.at,
                             updated=changed, version=mail.uid, name=uid, flags=seen)  # fmt: skip

    def _body_of(self, mail: Mail) -> Pair:
        room = self._body.at(self._draw.random()) - 830
        payload = (
            b'{"guid":"%b","subject":"%b","smartAttach":false,"date":%d,"created":%d,"size":%d,"headers":[],"recipients":[{"kind":'
            b'"Originator","address":"user-%d@%b"},{"kind":"Primary","address":"user-%d@%b"}],"messageId":null,"references":[],'
            b'"structure":{"mime":"text/html","address":"1","encoding":"7bit","charset":"utf-8","size":%d},"preview":"%b","bodyVersion":4}'
        ) % (mail.guid, self._texts.subject(), mail.at, mail.at, room * 20, mail.number % 977, self._d, mail.person.first_id,
             self._d, room * 20, self._texts.of(room))  # fmt: skip
        return self._side(r.BODY, b"message_bodies", mail, payload)

    def _search_of(self, mail: Mail) -> Pair:
        room = (self._search.at(self._draw.random()) - 470) * 3 // 4 - 130
        document = b'{"subject":"%b","content":"%b","size":%d,"content-type":"text/html","messageId":"<%b@%b>"}' % (
            self._texts.subject(), self._texts.of(room), room, mail.guid, self._d,
        )  # fmt: skip
        payload = b'{"data":"%b"}' % base64.b64encode(document)
        return self._side(r.SEARCH, b"message_bodies_es_source", mail, payload)

    def _side(self, kind: r.Kind, name: bytes, mail: Mail, payload: bytes) -> Pair:
        owner = mail.person.owner
        return kind.side(
            owner, b"%b_at_%b_%b" % (owner, self._d, name), b'"%b"' % mail.guid, payload, now=mail.at
        )
