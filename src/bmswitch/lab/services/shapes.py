"""Payloads of items that people make: events, tasks, notes, tags, views, subscriptions (change-log.md 5.5).

Class names are in `CLASSES`, by container type.
"""

# ruff: noqa: RUF012 - msgspec copies an empty list or dict for each struct; ruff does not see that these are structs

import msgspec

from bmswitch.lab.services.cards import NULL, Shape, VCard


class When(Shape, frozen=True, kw_only=True):
    """A date: `iso8601`, `timezone`, `precision` (`Date` or `DateTime`)."""

    iso8601: str
    timezone: str | None = None
    precision: str = "DateTime"


class ICalendarElement(Shape, frozen=True, kw_only=True):
    """What events and tasks share."""

    dtstart: When | None = None
    summary: str | None = None
    classification: str | None = "Public"
    location: str | None = None
    description: str | None = None
    priority: int | None = None
    alarm: list[msgspec.Raw] | None = None
    status: str | None = None
    attendees: list[msgspec.Raw] = []
    organizer: msgspec.Raw = NULL
    categories: list[msgspec.Raw] = []
    exdate: list[When] | None = []
    rdate: list[When] | None = None
    rrule: msgspec.Raw = NULL
    url: str | None = None
    conference: str | None = None
    conference_id: str | None = None
    conference_configuration: dict[str, str] = {}
    attachments: list[msgspec.Raw] = []
    properties: dict[str, str] | None = None
    sequence: int | None = 0
    draft: bool = False


class VEvent(ICalendarElement, frozen=True, kw_only=True):
    """One event."""

    dtend: When | None = None
    transparency: str | None = "Opaque"


class VEventSeries(Shape, frozen=True, kw_only=True):
    """An event with its exceptions and counter-proposals."""

    main: VEvent | None = None
    occurrences: list[msgspec.Raw] = []
    counters: list[msgspec.Raw] = []
    properties: dict[str, str] | None = None
    ics_uid: str | None = None
    accept_counters: bool = True

    @property
    def display_name(self) -> str | None:
        """The summary."""
        return self.main.summary if self.main else None


class VTodo(ICalendarElement, frozen=True, kw_only=True):
    """A task."""

    due: When | None = None
    percent: int | None = None
    completed: When | None = None
    uid: str | None = None

    @property
    def display_name(self) -> str | None:
        """The summary."""
        return self.summary


class VNote(Shape, frozen=True, kw_only=True):
    """A note."""

    subject: str | None = None
    body: str | None = None
    color: str | None = "YELLOW"
    height: int | None = 150
    width: int | None = 250
    pos_x: int | None = 250
    pos_y: int | None = 250
    categories: list[msgspec.Raw] = []

    @property
    def display_name(self) -> str | None:
        """The subject."""
        return self.subject


class Tag(Shape, frozen=True, kw_only=True):
    """A label with its colour."""

    label: str
    color: str | None = None

    @property
    def display_name(self) -> str | None:
        """The label."""
        return self.label


class CalendarView(Shape, frozen=True, kw_only=True):
    """A saved view of calendars."""

    label: str | None = None
    type: str = "WEEK"
    is_default: bool = False
    calendars: list[str] = []

    @property
    def display_name(self) -> str | None:
        """The label."""
        return self.label


class WebAppData(Shape, frozen=True, kw_only=True):
    """One setting of the web application."""

    key: str | None = None
    value: str | None = None

    @property
    def display_name(self) -> str | None:
        """None at creation, as in the real log."""
        return None


class Device(Shape, frozen=True, kw_only=True):
    """A telephone that synchronises."""

    identifier: str | None = None
    owner: str | None = None
    type: str | None = None
    wipe_date: int | None = None
    wipe_by: str | None = None
    unwipe_date: int | None = None
    unwipe_by: str | None = None
    is_wiped: bool = False
    wipe_mode: str | None = None
    has_partnership: bool = False
    policy: int | None = None
    last_sync: int | None = None
    protocol_version: float | None = None

    @property
    def display_name(self) -> str | None:
        """The identifier."""
        return self.identifier


class DeferredAction(Shape, frozen=True, kw_only=True):
    """Something to be done at a date, such as a reminder."""

    action_id: str | None = None
    reference: str | None = None
    execution_date: int | None = None
    configuration: dict[str, str] = {}

    @property
    def display_name(self) -> str | None:
        """None."""
        return None


class HierarchyNode(Shape, frozen=True, kw_only=True):
    """One container in its owner's flat hierarchy."""

    container_uid: str
    container_type: str
    name: str
    deleted: bool = False


class Subscription50(Shape, frozen=True, kw_only=True):
    """A subscription as 5.0 writes it: without `automount` (added in September 2023)."""

    container_uid: str
    offline_sync: bool
    container_type: str
    owner: str
    default_container: bool
    name: str


class Subscription51(Shape, frozen=True, kw_only=True):
    """A subscription as 5.1 writes it."""

    container_uid: str
    offline_sync: bool
    automount: bool
    container_type: str
    owner: str
    default_container: bool
    name: str


Payload = VCard | VEventSeries | VTodo | VNote | Tag | CalendarView | WebAppData | Device | DeferredAction

PAYLOADS: dict[str, type[Payload]] = {
    "addressbook": VCard,
    "calendar": VEventSeries,
    "todolist": VTodo,
    "notes": VNote,
    "tags": Tag,
    "calendarview": CalendarView,
    "webappdata": WebAppData,
    "device": Device,
    "deferredaction": DeferredAction,
}
CLASSES = {
    "addressbook": "net.bluemind.addressbook.api.VCard",
    "calendar": "net.bluemind.calendar.api.VEventSeries",
    "todolist": "net.bluemind.todolist.api.VTodo",
    "notes": "net.bluemind.notes.api.VNote",
    "tags": "net.bluemind.tag.api.Tag",
    "calendarview": "net.bluemind.calendar.api.CalendarView",
    "webappdata": "net.bluemind.webappdata.api.WebAppData",
    "device": "net.bluemind.device.api.Device",
    "deferredaction": "net.bluemind.deferredaction.api.DeferredAction",
    "container_flat_hierarchy": "net.bluemind.core.container.api.ContainerHierarchyNode",
    "owner_subscriptions": "net.bluemind.core.container.api.ContainerSubscriptionModel",
    "replicated_mailboxes": "net.bluemind.backend.mail.replica.api.MailboxReplica",
    "mailbox_records": "net.bluemind.backend.mail.replica.api.MailboxRecord",
}
DTO = "net.bluemind.core.backup.continuous.dto."
SIDE_CLASSES = {
    "containers_meta": DTO + "ContainerMetadata",
    "memberships": DTO + "GroupMembership",
    "role": DTO + "DirEntryRole",
    "ou-roles": DTO + "OrgUnitAdminRole",
    "resourceTypes": "net.bluemind.resource.api.type.ResourceTypeDescriptor",
    "mailfilters": DTO + "MailboxMailFilter",
    "mailboxIdentity": "net.bluemind.mailbox.identity.api.Identity",
    "userMailIdentities": "net.bluemind.user.api.UserMailIdentity",
    "userAccounts": "net.bluemind.user.api.UserAccount",
    "mailflow": "net.bluemind.mailflow.api.MailRuleActionAssignmentDescriptor",
    "message_bodies": "net.bluemind.backend.mail.api.MessageBody",
    "message_bodies_es_source": DTO + "IndexedMessageBodyDTO",
    "job_plans": "net.bluemind.scheduledjob.api.Job",
}
