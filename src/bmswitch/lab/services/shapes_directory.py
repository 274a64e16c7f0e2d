"""Payloads of the directory and of the installation (change-log.md 5.2, 5.5)."""

# ruff: noqa: RUF012 - msgspec copies an empty list or dict for each struct; ruff does not see that these are structs

import msgspec

from bmswitch.lab.services.cards import Shape, VCard


class Email(Shape, frozen=True, kw_only=True):
    """One address of an entry."""

    address: str
    all_aliases: bool = False
    is_default: bool = False


class Mailbox(Shape, frozen=True, kw_only=True):
    """The mailbox behind an entry."""

    name: str
    system: bool = False
    hidden: bool = False
    archived: bool = False
    type: str = "user"
    routing: str = "internal"
    emails: list[Email] = []
    data_location: str | None = None
    quota: int | None = None


class OrgUnitPath(Shape, frozen=True, kw_only=True):
    """Where an entry hangs in the organisation."""

    uid: str
    name: str
    parent: "OrgUnitPath | None" = None


class DirEntry(Shape, frozen=True, kw_only=True):
    """The entry's face in the directory."""

    display_name: str | None
    entry_uid: str
    account_type: str | None = None
    kind: str
    path: str
    email: str | None = None
    hidden: bool = False
    system: bool = False
    archived: bool = False
    emails: list[Email] | None = None
    org_unit_uid: str | None = None
    org_unit_path: OrgUnitPath | None = None
    data_location: str | None = None


class DirBase(Shape, frozen=True, kw_only=True):
    """What all entries with mail share."""

    org_unit_uid: str | None = None
    emails: list[Email] = []
    hidden: bool = False
    archived: bool = False
    system: bool = False
    data_location: str | None = None

    @property
    def default_email(self) -> str | None:
        """The default address, or the first."""
        found = next((email for email in self.emails if email.is_default), None) or next(
            iter(self.emails), None
        )
        return found.address if found else None


class User(DirBase, frozen=True, kw_only=True):
    """A person. `password` is a plain text or a hash when it comes in, a hash in the log, null in answers."""

    login: str
    password: str | None = None
    password_last_change: int | None = None
    password_must_change: bool = False
    password_never_expires: bool = False
    contact_infos: VCard = VCard()
    routing: str = "internal"
    account_type: str = "FULL"
    quota: int | None = None
    mailbox_copy_guid: str | None = None
    properties: dict[str, str] = {}


class Group(DirBase, frozen=True, kw_only=True):
    """A group; its members are memberships, not in here."""

    name: str
    description: str | None = None
    properties: dict[str, str] = {}
    hidden_members: bool = False
    mail_archived: bool = False
    member_count: int = 0


class Mailshare(DirBase, frozen=True, kw_only=True):
    """A shared mailbox."""

    name: str
    quota: int | None = None
    routing: str = "internal"
    card: VCard = VCard()


class ResourceProperty(Shape, frozen=True, kw_only=True):
    """One property of a resource."""

    property_id: str
    value: str | None = None


class Resource(DirBase, frozen=True, kw_only=True):
    """A room or a thing."""

    label: str
    type_identifier: str | None = None
    description: str | None = None
    reservation_mode: str = "AUTO_ACCEPT_REFUSE"
    properties: list[ResourceProperty] = []


class ExternalUser(DirBase, frozen=True, kw_only=True):
    """Somebody of another house."""

    contact_infos: VCard = VCard()


class OrgUnit(Shape, frozen=True, kw_only=True):
    """A department."""

    name: str
    parent_uid: str | None = None


Entry = User | Group | Mailshare | Resource | ExternalUser | OrgUnit


class DirEntryAndValue(Shape, frozen=True, kw_only=True):
    """Payload of a directory record; `value` is of the class that `entry.kind` says."""

    entry: DirEntry
    vcard: VCard | None
    mailbox: Mailbox | None
    value: msgspec.Raw


class Member(Shape, frozen=True, kw_only=True):
    """A member of a group: `user`, `group` or `external_user`."""

    type: str
    uid: str


class Server(Shape, frozen=True, kw_only=True):
    """One machine of the installation."""

    ip: str
    fqdn: str | None = None
    name: str | None = None
    tags: list[str] = []


class Domain(Shape, frozen=True, kw_only=True):
    """A mail domain."""

    label: str
    name: str
    description: str | None = None
    properties: dict[str, str] = {}
    global_: bool = msgspec.field(name="global", default=False)
    aliases: list[str] = []
    default_alias: str | None = None


class DomainSettings(Shape, frozen=True, kw_only=True):
    """Settings of a domain, all texts."""

    domain_uid: str
    settings: dict[str, str]


class Forwarding(Shape, frozen=True, kw_only=True):
    """Where mail is forwarded to."""

    enabled: bool = False
    local_copy: bool = False
    emails: list[str] = []


class Vacation(Shape, frozen=True, kw_only=True):
    """The vacation answer."""

    enabled: bool = False
    start: int | None = None
    end: int | None = None
    text: str | None = None
    text_html: str | None = None
    subject: str | None = None


class MailFilter(Shape, frozen=True, kw_only=True):
    """Rules of a mailbox."""

    rules: list[msgspec.Raw] = []
    forwarding: Forwarding = Forwarding()
    vacation: Vacation = Vacation()


class MailboxMailFilter(Shape, frozen=True, kw_only=True):
    """Filter record."""

    uid: str
    is_domain: bool
    filter: MailFilter


class UserMailIdentity(Shape, frozen=True, kw_only=True):
    """A sender identity of a user."""

    email: str | None = None
    format: str = "HTML"
    signature: str | None = ""
    displayname: str | None = None
    name: str | None = None
    is_default: bool = False
    sent_folder: str | None = "Sent"
    mailbox_uid: str | None = None


class Identity(Shape, frozen=True, kw_only=True):
    """A sender identity of a mailbox."""

    email: str | None = None
    format: str = "HTML"
    signature: str | None = ""
    displayname: str | None = None
    name: str | None = None
    is_default: bool = False
    sent_folder: str | None = "Sent"


class ResourceType(Shape, frozen=True, kw_only=True):
    """A kind of resource."""

    label: str
    properties: list[msgspec.Raw] = []
    templates: dict[str, str] = {}


class Roles(Shape, frozen=True, kw_only=True):
    """Role record of an entry (`USER`, `GROUP`, `DOMAIN`)."""

    kind: str
    roles: list[str]


class OrgUnitRoles(Shape, frozen=True, kw_only=True):
    """Administrator roles of an entry on an org unit."""

    kind: str
    roles: list[str]
    dir_uid: str
    org_unit: OrgUnit


class Membership(Shape, frozen=True, kw_only=True):
    """Membership record: with a copy of the group (change-log.md 5.5)."""

    member: Member
    group: Group
    added: bool


class Job(Shape, frozen=True, kw_only=True):
    """A planned job."""

    domain_status: list[msgspec.Raw] = []
    domain_planification: list[msgspec.Raw] = []
    id: str
    description: str = ""
    kind: str = "GLOBAL"
    send_report: bool = False
    recipients: str | None = None


class Account(Shape, frozen=True, kw_only=True):
    """An account on another system."""

    login: str | None = None
    credentials: str | None = None
    additional_settings: dict[str, str] = {}


class Descriptor50(Shape, frozen=True, kw_only=True):
    """Container descriptor inside a live metadata record of 5.0 (change-log.md 5.5)."""

    uid: str
    name: str
    owner: str
    type: str
    default_container: bool
    read_only: bool = False
    domain_uid: str | None
    owner_displayname: str | None = None
    owner_dir_entry_path: str | None = None
    settings: dict[str, str] | None = {}
    deleted: bool = False
    datalocation: str | None = None
    internal_id: int = 0
    writable: bool | None = None
    verbs: list[str] = []
    offline_sync: bool = False


class Descriptor51(Descriptor50, frozen=True, kw_only=True):
    """The same of 5.1: with `automount`."""

    automount: bool = False


class AclEntry(Shape, frozen=True, kw_only=True):
    """One right."""

    subject: str
    verb: str


class ContainerMetadata(Shape, frozen=True, kw_only=True):
    """Metadata record: always both parts (change-log.md 10.6)."""

    cont_desc: Descriptor50 | Descriptor51
    acls: list[AclEntry] = []
    settings: dict[str, str] = {}
