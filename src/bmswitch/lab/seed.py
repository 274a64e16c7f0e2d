"""Fills an empty stand-in with people and their data, through the services, so that its log is a real one.

Deterministic by `Seed.number`: same uids, texts, mails and order. Only session keys and random ids differ.
Every user's password is `PASSWORD`. Logins are `user-000@<domain>` and up.
"""

import asyncio
import random
import uuid

import msgspec

from bmswitch.lab.services.bodies import guid_of
from bmswitch.lab.services.cards import VCard, card
from bmswitch.lab.services.core_services import Services
from bmswitch.lab.services.parsing import ParsedMail, parse_mail
from bmswitch.lab.services.passwords import hash_password
from bmswitch.lab.services.shapes import CLASSES, Tag, VEvent, VEventSeries, VNote, VTodo, WebAppData, When
from bmswitch.lab.services.shapes_directory import (
    Domain,
    Email,
    ExternalUser,
    Group,
    Mailshare,
    Member,
    OrgUnit,
    Resource,
    ResourceType,
    User,
)
from bmswitch.lab.site import Seed
from bmswitch.lab.store import INITIALISED

PASSWORD = "lab-password"  # noqa: S105 - every person of the lab has it; documented in docs/lab.md
GIVEN = (
    "Ada",
    "Blaise",
    "Chloé",
    "Denis",
    "Émilie",
    "Félix",
    "Grace",
    "Hugo",
    "Inès",
    "Jules",
    "Katia",
    "Léon",
)
FAMILY = (
    "Martin",
    "Bernard",
    "Dubois",
    "Thomas",
    "Robert",
    "Petit",
    "Durand",
    "Leroy",
    "Moreau",
    "Simon",
    "Noël",
)
WORDS = (
    "budget",
    "review",
    "plan",
    "contract",
    "meeting",
    "report",
    "launch",
    "audit",
    "offer",
    "travel",
    "équipe",
)
BODIES = 24  # distinct mails, shared by everybody: few objects, many records
_EPOCH = 1_700_000_000_000
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


async def seed(services: Services, wanted: Seed) -> None:
    """Create domain, people, groups and contents. One transaction; the log follows after it."""
    parsed = await _store_bodies(services, wanted)
    await asyncio.sleep(0)
    _Seeder(services, wanted, parsed).run()


def user_uid(domain: str, index: int) -> str:
    """Uid of one seeded user."""
    return str(uuid.uuid5(_NAMESPACE, f"{domain}/user/{index}"))


async def _store_bodies(services: Services, wanted: Seed) -> list[ParsedMail]:
    mails = [_mail(wanted, index) for index in range(BODIES if wanted.items else 0)]
    await asyncio.gather(*(services.bodies.put(guid_of(raw), raw) for raw in mails))
    return [parse_mail(guid_of(raw), raw, _EPOCH) for raw in mails]


def _mail(wanted: Seed, index: int) -> bytes:
    chooser = random.Random(f"{wanted.number}/{wanted.domain}/mail/{index}")  # noqa: S311 - reproducible on purpose
    subject = " ".join(chooser.choices(WORDS, k=3))
    text = "\r\n".join(" ".join(chooser.choices(WORDS, k=12)) for _ in range(chooser.randint(3, 30)))
    lines = [
        f"From: Team <team@{wanted.domain}>",
        f"To: everybody <all@{wanted.domain}>",
        f"Subject: =?utf-8?q?{subject.replace(' ', '_').replace('é', '=C3=A9')}?=",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        f"Message-ID: <seed-{wanted.number}-{index}@{wanted.domain}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + text + "\r\n").encode()


class _Seeder:
    """One run of seeding."""

    def __init__(self, services: Services, wanted: Seed, mails: list[ParsedMail]) -> None:
        self._services = services
        self._domain = wanted.domain
        self._wanted = wanted
        self._mails = mails
        self._random = random.Random(f"{wanted.number}/{wanted.domain}")  # noqa: S311 - reproducible on purpose

    def run(self) -> None:
        services, domain = self._services, self._domain
        with services.context.write():
            services.installation.create_base()
            services.platform.create_domain(
                domain, Domain(label=domain, name=domain, description="lab", default_alias=domain)
            )
            units = self._units()
            users = [self._user(index, units) for index in range(self._wanted.users)]
            self._shared(users)
            for index, uid in enumerate(users):
                self._contents(index, uid)
            services.store.set_meta(INITIALISED, "yes")

    def _id(self, kind: str, index: int) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self._domain}/{kind}/{index}"))

    def _units(self) -> list[str]:
        directory = self._services.directory
        parent = self._id("unit", 0)
        directory.create(self._domain, parent, "ORG_UNIT", OrgUnit(name="headquarters"))
        units = [parent]
        for index, name in enumerate(("sales", "engineering"), 1):
            units.append(self._id("unit", index))
            directory.create(self._domain, units[-1], "ORG_UNIT", OrgUnit(name=name, parent_uid=parent))
        return units

    def _user(self, index: int, units: list[str]) -> str:
        login, uid = f"user-{index:03d}", user_uid(self._domain, index)
        given, family = GIVEN[index % len(GIVEN)], FAMILY[index // len(GIVEN) % len(FAMILY)]
        salt = uuid.uuid5(_NAMESPACE, f"salt/{uid}").bytes
        user = User(
            login=login,
            password=hash_password(PASSWORD, salt=salt),
            emails=[Email(address=f"{login}@{self._domain}", is_default=True)],
            org_unit_uid=units[index % len(units)] if index % 4 else None,
            contact_infos=card(f"{given} {family} {index}", given=given, family=f"{family} {index}"),
        )
        self._services.directory.create(self._domain, uid, "USER", user)
        return uid

    def _shared(self, users: list[str]) -> None:
        services, domain = self._services, self._domain
        for index, name in enumerate(("everybody", "readers")):
            group = Group(
                name=name, emails=[Email(address=f"{name}@{domain}", is_default=True)] if index else []
            )
            services.directory.create(domain, self._id("group", index), "GROUP", group)
            members = [Member(type="user", uid=uid) for uid in users[:: index + 1]]
            services.groups.add(domain, self._id("group", index), members)
        services.sides.set_roles(
            domain, f"{domain}_user_group", "GROUP", ["hasMailWebapp", "hasCalendar", "hasEAS"]
        )
        share = Mailshare(name="box", emails=[Email(address=f"box@{domain}", is_default=True)])
        services.directory.create(domain, self._id("share", 0), "MAILSHARE", share)
        kind = self._id("type", 0)
        services.sides.put(
            "resourceTypes", domain, domain, kind, msgspec.json.encode(ResourceType(label="room"))
        )
        room = Resource(
            label="room 1", type_identifier=kind, emails=[Email(address=f"room-1@{domain}", is_default=True)]
        )
        services.directory.create(domain, self._id("resource", 0), "RESOURCE", room)
        guest = ExternalUser(
            contact_infos=card("Guest Of Honour", given="Guest", family="Of Honour"),
            emails=[Email(address="guest@elsewhere.test", is_default=True)],
        )
        services.directory.create(domain, self._id("guest", 0), "EXTERNALUSER", guest)
        for parsed in self._mails[:5]:
            services.mail.add_record(self._root_folder(self._id("share", 0)), parsed)

    def _root_folder(self, owner: str) -> str:
        folders = self._services.mail.folders(owner)
        return next(folder.uid for folder in folders if folder.parent_uid is None)

    def _contents(self, index: int, uid: str) -> None:
        """`items` things of a user: two of five are mails, then cards, events, tasks, notes."""
        inbox = self._services.mail.folders(uid)[0].uid
        for number in range(self._wanted.items):
            match number % 5:
                case 0 | 1:
                    flags = ("\\Seen",) if self._random.random() < 0.5 else ()
                    parsed = self._mails[(index * 7 + number) % len(self._mails)]
                    self._services.mail.add_record(
                        inbox, parsed, flags=flags, internal_date=_EPOCH + number * 1000
                    )
                case 2:
                    self._item(f"book:Contacts_{uid}", "addressbook", uid, number, self._card(number))
                case 3:
                    self._item(f"calendar:Default:{uid}", "calendar", uid, number, self._event(uid, number))
                case _:
                    self._small(uid, number)
        self._item(
            f"webappdata:{uid}", "webappdata", uid, 0, WebAppData(key="mail:folder_list:expanded", value="[]")
        )

    def _small(self, uid: str, number: int) -> None:
        word = self._random.choice(WORDS)
        match number // 5 % 3:
            case 0:
                todo = VTodo(
                    summary=f"do the {word}", due=When(iso8601="2030-01-02", precision="Date"), percent=0
                )
                self._item(f"todolist:default_{uid}", "todolist", uid, number, todo)
            case 1:
                note = VNote(subject=word, body=f"<p>{word} {number}</p>")
                self._item(f"notes:default_{uid}", "notes", uid, number, note)
            case _:
                self._item(f"tags_{uid}", "tags", uid, number, Tag(label=word, color="3D99FF"))

    def _card(self, number: int) -> VCard:
        given, family = self._random.choice(GIVEN), self._random.choice(FAMILY)
        mail = f"{given}.{family}.{number}@elsewhere.test".lower()
        return card(f"{given} {family}", given=given, family=family, mails=(mail,))

    def _event(self, uid: str, number: int) -> VEventSeries:
        day = f"2030-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
        summary = " ".join(self._random.choices(WORDS, k=2))
        event = VEvent(
            summary=summary,
            dtstart=When(iso8601=f"{day}T08:00:00.000+01:00", timezone="Europe/Paris"),
            dtend=When(iso8601=f"{day}T09:00:00.000+01:00", timezone="Europe/Paris"),
            status="Confirmed",
            priority=5,
        )
        return VEventSeries(main=event, ics_uid=str(uuid.uuid5(_NAMESPACE, f"{uid}/event/{number}")))

    def _item(
        self,
        container: str,
        kind: str,
        owner: str,
        number: int,
        value: VCard | VEventSeries | VTodo | VNote | Tag | WebAppData,
    ) -> None:
        uid = str(uuid.uuid5(_NAMESPACE, f"{owner}/{kind}/{number}"))
        self._services.items.create(
            self._services.items.container(container), uid, msgspec.json.encode(value), CLASSES[kind],
            display_name=value.display_name, by=owner,
        )  # fmt: skip
