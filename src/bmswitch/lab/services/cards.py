"""VCard as BlueMind writes it: every field present, in its order, nulls explicit (change-log.md 5.5)."""

import msgspec

NULL = msgspec.Raw(b"null")


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of payloads: unknown fields are ignored, absent ones get BlueMind's default, all are written."""


class Parameter(Shape, frozen=True, kw_only=True):
    """One parameter of a property, such as `TYPE`=`work`."""

    label: str
    value: str


class Basic(Shape, frozen=True, kw_only=True):
    """A property that is one text."""

    parameters: list[Parameter] = []
    value: str | None = None


class PersonName(Shape, frozen=True, kw_only=True):
    """The structured name."""

    parameters: list[Parameter] = []
    value: str | None = None
    family_names: str | None = None
    given_names: str | None = None
    additional_names: str | None = None
    prefixes: str | None = None
    suffixes: str | None = None


class Gender(Shape, frozen=True, kw_only=True):
    """Gender with its text."""

    parameters: list[Parameter] = []
    value: str | None = None
    text: str | None = None


class Identification(Shape, frozen=True, kw_only=True):
    """Names, photo flag, dates. `formated_name` is what becomes the item's display name."""

    formated_name: Basic = Basic()
    name: PersonName = PersonName()
    nickname: Basic = Basic()
    photo: bool = False
    photo_binary: str | None = None
    birthday: int | None = None
    anniversary: int | None = None
    gender: Gender = Gender()


class Communications(Shape, frozen=True, kw_only=True):
    """Telephones, mail addresses, chat addresses, languages."""

    tels: list[msgspec.Raw] = []
    emails: list[Basic] = []
    impps: list[msgspec.Raw] = []
    langs: list[msgspec.Raw] = []


class Org(Shape, frozen=True, kw_only=True):
    """Company, division, department."""

    company: str | None = None
    division: str | None = None
    department: str | None = None


class Organizational(Shape, frozen=True, kw_only=True):
    """Title, role, organisation, members (of a distribution list)."""

    title: str | None = None
    role: str | None = None
    org: Org = Org()
    member: list[msgspec.Raw] = []


class Explanatory(Shape, frozen=True, kw_only=True):
    """Links, categories, note."""

    urls: list[msgspec.Raw] = []
    categories: list[msgspec.Raw] = []
    note: str | None = None


class Security(Shape, frozen=True, kw_only=True):
    """A public key."""

    key: Basic = Basic()


class Related(Shape, frozen=True, kw_only=True):
    """Persons around this one."""

    spouse: str | None = None
    manager: str | None = None
    assistant: str | None = None


class VCard(Shape, frozen=True, kw_only=True):
    """A contact, or the card of a directory entry (`source` is then its `bm://` address)."""

    kind: str = "individual"
    source: str | None = None
    identification: Identification = Identification()
    delivery_addressing: list[msgspec.Raw] = []
    communications: Communications = Communications()
    organizational: Organizational = Organizational()
    explanatory: Explanatory = Explanatory()
    security: Security = Security()
    related: Related = Related()

    @property
    def display_name(self) -> str | None:
        """The formatted name."""
        return self.identification.formated_name.value


def mail_property(address: str) -> Basic:
    """A mail address as the directory writes it into a card."""
    labels = [("DEFAULT", "true"), ("SYSTEM", "false"), ("TYPE", "work")]
    return Basic(parameters=[Parameter(label=a, value=b) for a, b in labels], value=address)


def card(
    name: str, *, given: str | None = None, family: str | None = None, mails: tuple[str, ...] = ()
) -> VCard:
    """A card with a name and addresses."""
    return VCard(
        identification=Identification(
            formated_name=Basic(value=name), name=PersonName(given_names=given, family_names=family)
        ),
        communications=Communications(emails=[mail_property(mail) for mail in mails]),
    )
