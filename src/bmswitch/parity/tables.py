"""What is read and compared for each container type, as data (clone-and-api.md 5.2 and 5.3).

`path` and `query` hold `{container}`, `{owner}`, `{domain}` and `{folder}` (the container uid without `mbox_records_`).
"""

from dataclasses import dataclass, field
from typing import Literal

Read = Literal["mget", "all"]
"""`mget`: uids from `_list`, values by POST of uids; `all`: one GET answers every item with its value."""

IDENTITY = ("id",)
VERSIONED = ("id", "version", "created", "updated")
PHOTO = "identification.photo"


@dataclass(frozen=True)
class Kind:
    """One container type: how its values are read, which signals survive a clone, what is ignored in its values.

    `query` is the POST that reads some items (body: uids, or ids when `by_id`); empty: the whole list is read again.
    `newer` names fields that one of BlueMind's 5.x versions added: left out when the two sides' versions differ.
    """

    read: Read
    path: str
    query: str = ""
    by_id: bool = False
    signals: tuple[str, ...] = VERSIONED
    ignored: frozenset[str] = frozenset()
    newer: frozenset[str] = frozenset()
    ordered: bool = False
    value_signals: tuple[str, ...] = field(default=())


def _mget(base: str, *ignored: str, signals: tuple[str, ...] = VERSIONED, name: str = "_mget") -> Kind:
    path = f"{base}/{{container}}/{name}"
    return Kind(read="mget", path=path, query=path, signals=signals, ignored=frozenset(ignored))


KINDS: dict[str, Kind] = {
    "addressbook": _mget("/api/addressbooks", PHOTO),
    "calendar": _mget("/api/calendars"),
    "todolist": _mget("/api/todolist"),
    "notes": _mget("/api/notes"),
    "tags": _mget("/api/tags"),
    "calendarview": _mget("/api/calendars/view"),
    "deferredaction": _mget("/api/deferredaction"),
    "smime_cacerts": _mget("/api/smime_cacerts", name="uid/_mget"),
    # The id is never kept, so neither is the version (3.3).
    "webappdata": _mget("/api/webappdata", signals=(), name="uid/_mget"),
    "device": Kind(read="all", path="/api/devices/{owner}/_list", ignored=frozenset({"lastSync"})),
    "owner_subscriptions": Kind(
        read="all",
        path="/api/containers/_subscriptions/{domain}/{owner}/_list",
        signals=("id", "version"),
        newer=frozenset({"automount"}),
    ),
    "container_flat_hierarchy": Kind(
        read="all", path="/api/containers/_hierarchy/{domain}/{owner}/_list", signals=IDENTITY
    ),
    "replicated_mailboxes": Kind(
        read="all",
        path="/internal-api/db_replicated_mailboxes_by_container/{container}/_allReplicas",
        signals=IDENTITY,
        value_signals=("uidValidity", "lastUid"),
        ignored=frozenset(
            {
                "uidValidity",
                "lastUid",
                "highestModSeq",
                "xconvModSeq",
                "lastAppendDate",
                "recentUid",
                "recentTime",
                "pop3LastLogin",
                "syncCRC",
                "dataLocation",
            }
        ),
    ),
    "mailbox_records": Kind(
        read="all",
        path="/internal-api/db_mailbox_records/{folder}/_all",
        query="/internal-api/db_mailbox_records/{folder}/_mgetById",
        by_id=True,
        signals=("id", "flags"),
        ignored=frozenset({"modSeq", "lastUpdated", "body"}),
    ),
}

NOT_RESTORED = frozenset(
    {
        "mapi_folder",
        "mapi_fai",
        "documentfolder",
        "replicated_conversations",
        "freebusy",
        "mailboxacl",
        "resources",
    }
)
"""Types whose items the clone has no restorer for (clone-and-api.md 3.3): their items are listed as not proved."""

KEPT_ENTRY_IDS = frozenset(
    {"USER", "GROUP", "MAILSHARE", "EXTERNALUSER", "ADDRESSBOOK", "CALENDAR", "ORG_UNIT"}
)
"""Kinds of directory entries whose item id survives; a resource's does not (3.3)."""

ENTRY_FIELDS = (
    "displayName",
    "accountType",
    "kind",
    "path",
    "email",
    "hidden",
    "system",
    "archived",
    "orgUnitUid",
    "dataLocation",
)

COMPLETE: dict[str, str] = {
    "USER": "/api/users/{domain}/{entry}/complete",
    "GROUP": "/api/groups/{domain}/{entry}/complete",
    "MAILSHARE": "/api/mailshares/{domain}/{entry}/complete",
    "EXTERNALUSER": "/api/externaluser/{domain}/{entry}/complete",
    "ORG_UNIT": "/api/directory/_ou/{domain}/{entry}/complete",
    "RESOURCE": "/api/resources/{domain}/{entry}",
}
"""Where the whole value of an entry is read, by kind; a resource answers the bare value."""

ENTRY_IGNORED = frozenset(
    {
        "password",
        "passwordLastChange",
        "mailboxCopyGuid",
        "memberCount",
        "contactInfos.identification.photo",
        "card.identification.photo",
    }
)

MAILBOX_KINDS = frozenset({"USER", "GROUP", "MAILSHARE", "RESOURCE"})


@dataclass(frozen=True)
class SideRead:
    """One thing of an owner that is no item: where it is read and whether the order of its lists means something.

    `each` names the field by which every element of the list is read again by itself: the list shows only a part of it.
    """

    path: str
    kinds: frozenset[str]
    ordered: bool = False
    ignored: frozenset[str] = frozenset()
    each: str = ""


def _of(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


ADMINISTRATORS = "organisation administrators"
DOMAIN = "domain"
_IDENTITY_IGNORED = frozenset({"isDefault"})
_ITEM_IGNORED = frozenset(
    {
        "internalId",
        "version",
        "displayName",
        "externalId",
        "createdBy",
        "updatedBy",
        "created",
        "updated",
        "flags",
    }
)

SIDE: dict[str, SideRead] = {
    "roles": SideRead("/api/users/{domain}/{entry}/roles", _of("USER")),
    "group roles": SideRead("/api/groups/{domain}/{entry}/roles", _of("GROUP")),
    "domain roles": SideRead("/api/domains/{domain}/roles", _of("DOMAIN")),
    "members": SideRead("/api/groups/{domain}/{entry}/members", _of("GROUP")),
    "settings": SideRead("/api/users/{domain}/{entry}/_settings", _of("USER")),
    "domain settings": SideRead("/api/domains/{domain}/_settings", _of("DOMAIN")),
    "mail filter": SideRead(
        "/api/mailboxes/{domain}/{entry}/_filter",
        _of("USER", "MAILSHARE"),
        ordered=True,
        ignored=frozenset({"rules.id"}),
    ),
    "domain mail filter": SideRead(
        "/api/mailboxes/{domain}/_filter", _of("DOMAIN"), ordered=True, ignored=frozenset({"rules.id"})
    ),
    "identities": SideRead(
        "/api/users/{domain}/{entry}/identity", _of("USER"), ignored=_IDENTITY_IGNORED, each="id"
    ),
    "mailbox identities": SideRead(
        "/api/mailboxes/{domain}/identity/{entry}",
        _of("USER", "MAILSHARE"),
        ignored=_IDENTITY_IGNORED,
        each="id",
    ),
    "external accounts": SideRead(
        "/api/users/{domain}/{entry}/accounts", _of("USER"), ignored=frozenset({"credentials"})
    ),
    ADMINISTRATORS: SideRead("/api/directory/_ou/{domain}/{entry}/_administrators", _of("ORG_UNIT")),
    "resource types": SideRead("/api/resources/{domain}/type", _of("DOMAIN")),
    DOMAIN: SideRead("/api/domains/{domain}", _of("DOMAIN"), ignored=_ITEM_IGNORED | {"value.properties"}),
    "server roles": SideRead(
        "/api/servers/default/_complete", _of("DOMAIN"), ignored=_ITEM_IGNORED | {"value.ip", "value.fqdn"}
    ),
    "server assignments": SideRead("/api/servers/default/{domain}/assignments", _of("DOMAIN")),
    "mail flow": SideRead("/api/mailflow/{domain}/_assignments", _of("DOMAIN")),
}

META_FIELDS = ("type", "owner", "domainUid", "defaultContainer", "readOnly", "datalocation", "deleted")
"""Fields of a container's descriptor that a clone keeps; not its name, which renames do not log (3.7)."""

UNLOGGED = frozenset({"container_flat_hierarchy"})
"""Types whose descriptor is never in the log: each side makes such a container itself (none in the real logs)."""

UNLOGGED_FIELDS = ("type", "owner", "domainUid")

NEVER_PROVED = (
    "everything in global.virt (not in the log; clone-and-api.md 0)",
    "UIDVALIDITY and UIDNEXT as an IMAP client sees them (a clone refuses logins, clone-and-api.md 4.1; read over REST instead)",
    "photos and icons (not in the log; clone-and-api.md 3.7)",
    "documents and file hosting: objects `doc-fs-...` and `sds-...` (not in the log; traffic-and-objects.md A10)",
    "private keys and certificates of the servers (not in the log; traffic-and-objects.md A10)",
    "API keys and sessions (not in the log; clone-and-api.md 3.7)",
    "container names after a rename (not in the log; clone-and-api.md 3.7)",
    "which identity is a user's default (not in the log; clone-and-api.md 3.7)",
    "credentials of external accounts (secrets)",
    "properties of domains, addresses of servers, sysconf and jobs (differ on purpose; checked by plan)",
    "used space of mailboxes (it follows from their mails)",
    "changelog positions of clients (rebuilt by the clone; clone-and-api.md 5.2)",
    "search index (rebuilt on the target; clone-and-api.md 5.3)",
    "metadata rows of message bodies (reading them for all mails costs more than it proves)",
    "MAPI views and folders (no restorer; traffic-and-objects.md A9)",
)
