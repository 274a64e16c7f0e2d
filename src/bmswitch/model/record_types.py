"""The record types of the change log: what is known of each, and what bmswitch looks at inside (change-log.md 5, 5.7).

A type is a container type with the Java class of its payload: 43 are written today, 7 were. A payload is a typed struct where a
cure or the switch looks inside (`PAYLOADS`), and untouched bytes everywhere else. A type that is not here passes as it is: it
is counted and named.
"""

from typing import Literal

import msgspec

from bmswitch.model.records import CORE_TOKEN_CLASS, SEPPUKU_CLASS, SERVER_CLASS

Where = Literal["orphans", "domain"]
Pair = tuple[str, str | None]
"""Key type and value class."""

BACKUP, MAIL = "net.bluemind.core.backup.continuous.", "net.bluemind.backend.mail."
ENTRY_CLASS = "net.bluemind.directory.service.DirEntryAndValue"
META_CLASS = BACKUP + "dto.ContainerMetadata"
MEMBERSHIP_CLASS = BACKUP + "dto.GroupMembership"
ROLE_CLASS = BACKUP + "dto.DirEntryRole"
SEQUENCE_CLASS = BACKUP + "dto.ContainerItemIdSeq"
USER_SETTINGS_CLASS = "net.bluemind.user.api.UserSettings"
DOMAIN_SETTINGS_CLASS = "net.bluemind.domain.api.DomainSettings"


NULL = msgspec.Raw(b"null")


class RecordType(msgspec.Struct, frozen=True):
    """One type. `restored`: BlueMind's clone has a restorer for it. `legacy`: until when it was written, empty for today's."""

    type: str
    value_class: str
    where: Where = "domain"
    restored: bool = True
    legacy: str = ""


_ORPHANS = (
    ("installation", SERVER_CLASS),
    ("installation", CORE_TOKEN_CLASS),
    ("domains", "net.bluemind.domain.api.Domain"),
    ("domains", DOMAIN_SETTINGS_CLASS),
    ("sysconf", "net.bluemind.system.api.SystemConf"),
    ("container_item_id_seq", SEQUENCE_CLASS),
    ("job_plans", "net.bluemind.scheduledjob.api.Job"),
)
_DOMAIN = (
    ("dir", ENTRY_CLASS),
    ("dir", "net.bluemind.directory.api.DirEntry"),
    ("dir", USER_SETTINGS_CLASS),
    ("dir", SEPPUKU_CLASS),
    ("dir", "net.bluemind.mailbox.api.Mailbox"),
    ("containers_meta", META_CLASS),
    ("memberships", MEMBERSHIP_CLASS),
    ("role", ROLE_CLASS),
    ("ou-roles", BACKUP + "dto.OrgUnitAdminRole"),
    ("resourceTypes", "net.bluemind.resource.api.type.ResourceTypeDescriptor"),
    ("mailfilters", BACKUP + "dto.MailboxMailFilter"),
    ("mailboxIdentity", "net.bluemind.mailbox.identity.api.Identity"),
    ("userMailIdentities", "net.bluemind.user.api.UserMailIdentity"),
    ("userAccounts", "net.bluemind.user.api.UserAccount"),
    ("mailflow", "net.bluemind.mailflow.api.MailRuleActionAssignmentDescriptor"),
    ("mapi_artifacts", "net.bluemind.exchange.mapi.api.MapiReplica"),
    ("mapi_artifacts", "net.bluemind.exchange.mapi.api.MapiFolder"),
    ("message_bodies", MAIL + "api.MessageBody"),
    ("message_bodies_es_source", BACKUP + "dto.IndexedMessageBodyDTO"),
    ("container_flat_hierarchy", "net.bluemind.core.container.api.ContainerHierarchyNode"),
    ("owner_subscriptions", "net.bluemind.core.container.api.ContainerSubscriptionModel"),
    ("replicated_mailboxes", MAIL + "replica.api.MailboxReplica"),
    ("mailbox_records", MAIL + "replica.api.MailboxRecord"),
    ("calendar", "net.bluemind.calendar.api.VEventSeries"),
    ("calendarview", "net.bluemind.calendar.api.CalendarView"),
    ("todolist", "net.bluemind.todolist.api.VTodo"),
    ("notes", "net.bluemind.notes.api.VNote"),
    ("addressbook", "net.bluemind.addressbook.api.VCard"),
    ("tags", "net.bluemind.tag.api.Tag"),
    ("device", "net.bluemind.device.api.Device"),
    ("webappdata", "net.bluemind.webappdata.api.WebAppData"),
    ("deferredaction", "net.bluemind.deferredaction.api.DeferredAction"),
    ("smime_cacerts", "net.bluemind.smime.cacerts.api.SmimeCacert"),
)
_UNRESTORED: tuple[tuple[str, str, Where], ...] = (
    ("installation", "net.bluemind.videoconferencing.saas.api.BlueMindVideoRoom", "orphans"),
    ("mapi_fai", "net.bluemind.exchange.mapi.api.MapiFAI", "domain"),
    ("mapi_folder", "net.bluemind.exchange.mapi.api.MapiRawMessage", "domain"),
)
_LEGACY: tuple[tuple[str, Where, str, str], ...] = (
    ("2021", "orphans", "domains", "java.util.HashMap"),
    ("2021", "orphans", "domains", "java.util.LinkedHashMap"),
    ("2021", "domain", "dir", "java.util.HashMap"),
    ("2021", "domain", "dir", "java.util.LinkedHashMap"),
    ("2022-02", "domain", "dir", BACKUP + "events.BubbleEventsVerticle.FullDirEntry"),
    ("2022-03", "domain", "roles", ROLE_CLASS),
    ("2022-11", "domain", "replicated_conversations", MAIL + "replica.persistence.InternalConversation"),
)
RECORD_TYPES: tuple[RecordType, ...] = (
    *(RecordType(*pair, "orphans") for pair in _ORPHANS),
    *(RecordType(*pair) for pair in _DOMAIN),
    *(RecordType(type_, name, where, restored=False) for type_, name, where in _UNRESTORED),
    *(RecordType(type_, name, where, restored=False, legacy=until) for until, where, type_, name in _LEGACY),
)
_PAIRS = frozenset((one.type, one.value_class) for one in RECORD_TYPES)
_TYPES = frozenset(one.type for one in RECORD_TYPES)


def is_known(pair: Pair) -> bool:
    """True for a type of the table. A deletion may know no class (change-log.md 3.3): then the key type decides."""
    return pair in _PAIRS or (pair[1] is None and pair[0] in _TYPES)


class Entry(msgspec.Struct):
    """`entry` of a directory record."""

    kind: str = ""


class EntryValue(msgspec.Struct, rename="camel"):
    """`value` of a directory record: what says where it belongs."""

    parent_uid: str | None = None
    org_unit_uid: str | None = None


class DirEntryAndValue(msgspec.Struct):
    """A user, group, mailshare, resource, external user or org unit."""

    entry: Entry
    value: EntryValue | None = None


class ContainerMetadata(msgspec.Struct, rename="camel"):
    """A container's descriptor, rights and settings. Until March 2023 `container_uid` and one of the halves only (5.7)."""

    cont_desc: msgspec.Raw = NULL
    container_uid: str | None = None
    acls: msgspec.Raw = NULL
    settings: msgspec.Raw = NULL


class IdSequence(msgspec.Struct, rename="camel"):
    """Last ids given out: in the directory's database, and in each mail shard by server uid."""

    default_data_source_seq: int
    mailbox_data_source_seq: dict[str, int] | None = None


class MailboxReplica(msgspec.Struct, rename="camel"):
    """A folder."""

    full_name: str
    parent_uid: str | None = None


PAYLOADS: dict[Pair, type[msgspec.Struct]] = {
    ("dir", ENTRY_CLASS): DirEntryAndValue,
    ("containers_meta", META_CLASS): ContainerMetadata,
    ("container_item_id_seq", SEQUENCE_CLASS): IdSequence,
    ("replicated_mailboxes", MAIL + "replica.api.MailboxReplica"): MailboxReplica,
}
"""The payloads that are looked into; of servers and legacy settings single fields are replaced as bytes."""
