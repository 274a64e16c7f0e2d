"""A person of a made log, and the records of its creation and end, in the order of a real one (change-log.md 6, last paragraph)."""

import random
from collections.abc import Iterator

import msgspec

from bmswitch.lab.makelog import record as r
from bmswitch.lab.makelog.texts import FAMILY, FOLDERS, GIVEN
from bmswitch.lab.services.cards import card
from bmswitch.lab.services.shapes import CalendarView
from bmswitch.lab.services.shapes_directory import DirEntry, Email, Mailbox, User
from bmswitch.model.murmur import default_folder_uid

DEFAULT_FOLDERS = ("INBOX", "Sent", "Trash", "Drafts", "Junk", "Outbox", "Templates")
OWN_FOLDERS = 2
Pair = tuple[bytes, bytes | None]
_json = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, rename="camel"):
    """The payload of a user's entry (`DirEntryAndValue`)."""

    entry: DirEntry
    vcard: object
    mailbox: Mailbox
    value: User


class Person(msgspec.Struct):
    """Uid, name and folders; `last` is the highest IMAP uid of each folder, `first_id` the first of its `IDS` item ids."""

    uid: str
    name: str
    owner: bytes
    subtree: bytes
    folders: list[bytes]
    first_id: int
    last: list[int]


def person(draw: random.Random, domain: str, first_id: int) -> Person:
    """A person; uid, name and own folders are drawn."""
    uid = f"cli-created-{draw.getrandbits(128):032x}"
    uid = "-".join((uid[:20], uid[20:24], uid[24:28], uid[28:32], uid[32:]))
    name = f"{draw.choice(GIVEN)} {draw.choice(FAMILY)} {first_id}"
    folders = [default_folder_uid(f"user.{uid}", domain, folder).encode() for folder in DEFAULT_FOLDERS]
    folders += [b"%032x" % draw.getrandbits(128) for _ in range(OWN_FOLDERS)]
    subtree = f"subtree_{domain.replace('.', '_')}!user.{uid}".encode()
    return Person(uid, name, uid.encode(), subtree, folders, first_id, [0] * len(folders))


IDS = 1 + 2 * (len(DEFAULT_FOLDERS) + OWN_FOLDERS) + 12
"""Item ids that a person needs."""


class People:
    """Makes what is written of a person."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._d = domain.encode()

    def arrive(self, one: Person, now: int) -> Iterator[Pair]:
        """Entry, folders with their containers and nodes, books, calendar, view, rights, subscriptions, settings."""
        owner = one.owner
        yield self.entry(one, now)
        number = one.first_id + 1
        for index, folder in enumerate(one.folders):
            container = b"mbox_records_" + folder
            yield self._meta(one, container, b"mailbox_records", now)
            yield self._node(one, container, b"mailbox_records", number, now)
            yield self.folder(one, index, now)
            number += 1
        mail = f"user-{one.first_id}@{self._domain}"
        identity = _json({"email": mail, "format": "HTML", "signature": "", "displayname": one.name, "name": one.name,
                          "isDefault": True, "sentFolder": "Sent", "mailboxUid": one.uid})  # fmt: skip
        yield r.IDENTITY.side(owner, self._side(one, b"userMailIdentities"), b'"default"', identity, now=now)
        yield self.rules(one, now, b"")
        for prefix, kind in ((b"book:Contacts_", b"addressbook"), (b"book:CollectedContacts_", b"addressbook"),
                             (b"calendar:Default:", b"calendar"), (b"todolist:default_", b"todolist")):  # fmt: skip
            container = prefix + owner
            yield self._meta(one, container, kind, now)
            yield self._node(one, container, kind, number, now)
            yield self.rights(one, container, kind, now)
            yield self.subscription(one, container, kind, number + 1, now=now)
            number += 2
        view = _json(
            CalendarView(label="$$calendarhome$$", is_default=True, calendars=[f"calendar:Default:{one.uid}"])
        )
        yield r.VIEW.item(
            owner,
            b"calendarview:" + owner,
            b'"default"',
            number,
            view,
            created=now,
            name=b'"$$calendarhome$$"',
        )
        yield self.webdata(one, number + 1, now, None)
        roles = _json({"kind": "USER", "roles": ["hasMailWebapp", "hasCalendar"]})
        yield r.ROLE.side(owner, self._side(one, b"role"), r.text(one.uid), roles, now=now)
        yield self.membership(one, now, added=True)
        yield self.settings(one, now, None)

    def entry(self, one: Person, now: int, changed: int | None = None) -> Pair:
        """The directory entry."""
        login, domain = f"user-{one.first_id}", self._domain
        emails = [Email(address=f"{login}@{domain}", is_default=True)]
        given, _, family = one.name.partition(" ")
        payload = Entry(
            entry=DirEntry(display_name=one.name, entry_uid=one.uid, account_type="FULL", kind="USER",
                           path=f"{domain}/users/{one.uid}", email=emails[0].address, data_location="bm-master"),
            vcard=card(one.name, given=given, family=family),
            mailbox=Mailbox(name=login, emails=emails, data_location="bm-master"),
            value=User(login=login, password="210000:" + "ab" * 16 + ":" + "cd" * 32, emails=emails,
                       contact_infos=card(one.name, given=given, family=family), data_location="bm-master"),
        )  # fmt: skip
        return r.ENTRY.item(b"system", self._d, r.text(one.uid), one.first_id, _json(payload),
                            created=now, updated=changed, name=r.text(one.name))  # fmt: skip

    def folder(
        self, one: Person, index: int, now: int, changed: int | None = None, flags: bytes = b"[]"
    ) -> Pair:
        """A folder; an UPDATE when `changed` is given."""
        own = index - len(DEFAULT_FOLDERS)
        name = r.text(DEFAULT_FOLDERS[index] if own < 0 else FOLDERS[(one.first_id + own) % len(FOLDERS)])
        last = one.last[index]
        payload = (
            b'{"name":%b,"fullName":%b,"parentUid":null,"deleted":false,"lastUid":%d,"highestModSeq":%d,"xconvModSeq":%d,'
            b'"recentUid":0,"recentTime":%d,"lastAppendDate":%d,"pop3LastLogin":0,"uidValidity":%d,'
            b'"acls":[{"subject":"%b@%b","rights":"lrswipkxtecda"},{"subject":"admin0","rights":"lrswipkxtecda"}],'
            b'"options":"","syncCRC":0,"quotaRoot":null,"dataLocation":null}'
        ) % (name, name, last, last, last, now, changed or now, one.first_id, one.owner, self._d)  # fmt: skip
        return r.FOLDER.item(one.owner, one.subtree, b'"%b"' % one.folders[index], self.folder_id(one, index), payload,
                             created=now, updated=changed, version=last + 1, name=name, flags=flags, by=one.owner)  # fmt: skip

    @staticmethod
    def folder_id(one: Person, index: int) -> int:
        """Item id of a folder."""
        return one.first_id + IDS - 1 - index

    def _side(self, one: Person, kind: bytes) -> bytes:
        return b"%b_at_%b_%b" % (one.owner, self._d, kind)

    def _described(self, one: Person, container: bytes, kind: bytes, acls: bytes) -> bytes:
        return (
            b'{"contDesc":{"uid":"%b","name":"%b","owner":"%b","type":"%b","defaultContainer":true,"readOnly":false,'
            b'"domainUid":"%b","ownerDisplayname":null,"ownerDirEntryPath":null,"settings":{},"deleted":false,"datalocation":'
            b'"bm-master","internalId":0,"writable":null,"verbs":[],"offlineSync":false},"acls":%b,"settings":{}}'
        ) % (container, kind, one.owner, kind, self._d, acls)

    def _meta(self, one: Person, container: bytes, kind: bytes, now: int) -> Pair:
        uid = b'"%b"' % container
        payload = self._described(one, container, kind, b"[]")
        return r.META.side(one.owner, self._side(one, b"containers_meta"), uid, payload, now=now)

    def rights(self, one: Person, container: bytes, kind: bytes, now: int, subject: bytes = b"") -> Pair:
        """Rights on a container: an UPDATE of its metadata."""
        acls = b'[{"subject":"%b","verb":"All"}' % one.owner
        acls += b',{"subject":"%b","verb":"Read"}]' % subject if subject else b"]"
        payload = self._described(one, container, kind, acls)
        return r.META.side(one.owner, self._side(one, b"containers_meta"), b'"%b"' % container, payload,
                           now=now, operation=r.UPDATE)  # fmt: skip

    def _node(self, one: Person, container: bytes, kind: bytes, number: int, now: int) -> Pair:
        uid = b'"%b:%b@%b"' % (kind, container, self._d)
        payload = b'{"containerUid":"%b","containerType":"%b","name":"%b","deleted":false}' % (
            container,
            kind,
            kind,
        )
        return r.NODE.item(one.owner, b"container_flat_hierarchy_%b_at_%b" % (one.owner, self._d), uid,
                           number + 1_000_000_000, payload, created=now, name=b'"%b"' % kind)  # fmt: skip

    def subscription(
        self, one: Person, container: bytes, kind: bytes, number: int, *, now: int, changed: int | None = None
    ) -> Pair:
        """A subscription of its own."""
        payload = b'{"containerUid":"%b","offlineSync":true,"containerType":"%b","owner":"%b","defaultContainer":true,"name":"%b"}' % (
            container, kind, one.owner, kind,
        )  # fmt: skip
        return r.SUBSCRIPTION.item(one.owner, b"owner_subscriptions_%b_at_%b" % (one.owner, self._d),
                                   b'"sub-of-%b-to-%b"' % (one.owner, container), number, payload,
                                   created=now, updated=changed, name=b'"%b"' % container)  # fmt: skip

    def rules(self, one: Person, now: int, vacation: bytes) -> Pair:
        """Mail rules; with a text the person is away."""
        payload = (
            b'{"uid":"%b","isDomain":false,"filter":{"rules":[],"forwarding":{"enabled":false,"localCopy":false,"emails":[]},'
            b'"vacation":{"enabled":%b,"start":null,"end":null,"text":"%b","textHtml":"","subject":""}}}'
        ) % (one.owner, b"true" if vacation else b"false", vacation)
        return r.FILTER.side(one.owner, self._side(one, b"mailfilters"), r.text(one.uid), payload, now=now)

    def webdata(self, one: Person, number: int, now: int, changed: int | None) -> Pair:
        """What the web application keeps."""
        payload = _json({"key": "mail:folder_list:collapsed_trees",
                         "value": f'[{{"key":"mailshares-tree","collapsed":{"true" if changed else "false"}}}]'})  # fmt: skip
        return r.WEBDATA.item(one.owner, b"webappdata:" + one.owner, b'"mail:folder_list:collapsed_trees"', number, payload,
                              created=now, updated=changed, by=one.owner)  # fmt: skip

    def membership(self, one: Person, now: int, *, added: bool) -> Pair:
        """A membership of the default group, with its copy of the group."""
        group = self._d + b"_user_group"
        payload = (
            b'{"member":{"type":"user","uid":"%b"},"group":{"orgUnitUid":null,"emails":[],"hidden":true,"archived":false,"system":false,'
            b'"dataLocation":"bm-master","name":"user","description":null,"properties":{"is_profile":"true"},"hiddenMembers":true,'
            b'"mailArchived":false,"memberCount":6},"added":%b}'
        ) % (one.owner, b"true" if added else b"false")
        return r.MEMBERSHIP.side(one.owner, self._side(one, b"memberships"), b'"%b"' % group, payload, now=now,
                                 operation=r.UPDATE, number=13)  # fmt: skip

    def settings(self, one: Person, now: int, changed: int | None) -> Pair:
        """A person's settings."""
        values = {"lang": "fr", "timezone": "Europe/Paris", "mail-application": "mail-webapp", "defaultview": "week",
                  "work_hours_start": "8", "work_hours_end": "18", "timeformat": "HH:mm", "changed": str(changed or now)}  # fmt: skip
        return r.SETTINGS.item(b"system", self._d, r.text(one.uid), one.first_id, _json({"values": values}),
                               created=now, updated=changed, name=r.text(one.name))  # fmt: skip

    def leave(self, one: Person) -> Iterator[Pair]:
        """A deleted person: nodes, then the entry; everything else stays behind (change-log.md 3.5)."""
        for index, folder in enumerate(one.folders):
            uid = b'"mailbox_records:mbox_records_%b@%b"' % (folder, self._d)
            yield from r.NODE.deletion(one.owner, b"container_flat_hierarchy_%b_at_%b" % (one.owner, self._d), uid,
                                       one.first_id + 1 + index + 1_000_000_000)  # fmt: skip
        yield from r.ENTRY.deletion(b"system", self._d, r.text(one.uid), one.first_id)
