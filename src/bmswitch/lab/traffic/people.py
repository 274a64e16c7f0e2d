"""The load users and what the load knows of their data: the objects it may read and write."""

import random
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Kind = Literal["calendars", "addressbooks"]


@dataclass(slots=True)
class Item:
    """An event or a contact. `busy`: a write has no answer yet. `content` is the id of the newest acknowledged write."""

    kind: Kind
    container: str
    uid: str
    content: str
    busy: bool = False
    gone: bool = False

    @property
    def name(self) -> str:
        """Its name in the ledger."""
        return f"{self.kind}/{self.container}/{self.uid}"


@dataclass(slots=True)
class Mail:
    """A mail that the load appended to `Sent`, with the flags it set last."""

    load_id: str
    imap_uid: int
    busy: bool = False


T = TypeVar("T", Item, Mail)


@dataclass(slots=True)
class Person:
    """One load user. `token` is its login token; `items` and `mails` are those with a known state."""

    uid: str
    domain: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)
    items: list[Item] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    uid_validity: int = 0

    @property
    def address(self) -> str:
        """Login and mail address."""
        return f"{self.uid}@{self.domain}"

    def container(self, kind: Kind) -> str:
        """Uid of the own calendar or of the own contacts."""
        return f"calendar:Default:{self.uid}" if kind == "calendars" else f"book:Contacts_{self.uid}"

    def mail_name(self, folder: str, load_id: str) -> str:
        """A mail's name in the ledger."""
        return f"mail/{self.uid}/{folder}/{load_id}"

    def pick_item(self, chance: random.Random) -> Item | None:
        """Any item without a write under way."""
        return _pick(self.items, chance)

    def pick_mail(self, chance: random.Random) -> Mail | None:
        """Any appended mail without a write under way."""
        return _pick(self.mails, chance)

    def forget(self, item: Item) -> None:
        """Leave an item alone for ever: it is deleted, or its state is not known."""
        item.gone = True
        self.items = [other for other in self.items if other is not item]


def people(domain: str, count: int, password: str) -> list[Person]:
    """`load-00` and so on."""
    return [Person(uid=f"load-{number:02}", domain=domain, password=password) for number in range(count)]


def _pick(objects: list[T], chance: random.Random) -> T | None:
    """A few draws: with most objects free the first one succeeds."""
    for _ in range(min(len(objects), 4)):
        found = chance.choice(objects)
        if not found.busy:
            return found
    return None
