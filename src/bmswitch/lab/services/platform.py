"""What has no domain: servers, domains, system configuration, jobs, id sequence, core token (change-log.md 5.1)."""

import msgspec

from bmswitch.lab.services.containers import Containers
from bmswitch.lab.services.context import SYSTEM, Context
from bmswitch.lab.services.directory import Directory
from bmswitch.lab.services.errors import NotFound
from bmswitch.lab.services.items import Items
from bmswitch.lab.services.shapes import DTO, SIDE_CLASSES
from bmswitch.lab.services.shapes_directory import DirEntry, Domain, DomainSettings, Group, Job, Server
from bmswitch.lab.store import Ace, Container, Item, Side
from bmswitch.model.partition import java_hash
from bmswitch.model.records import Envelope

GLOBAL_DOMAIN = "global.virt"
SERVER_CLASS = "net.bluemind.server.api.Server"
DOMAIN_CLASS = "net.bluemind.domain.api.Domain"
SETTINGS_CLASS = "net.bluemind.domain.api.DomainSettings"
SYSCONF_CLASS = "net.bluemind.system.api.SystemConf"
DIR_CLASS = "net.bluemind.directory.api.DirEntry"
SEQUENCE = "container_item_id_seq"

DEFAULT_SETTINGS = {
    "lang": "en", "timezone": "Europe/Paris", "date": "yyyy-MM-dd", "timeformat": "HH:mm", "day_weekstart": "monday",
    "defaultview": "week", "work_hours_start": "8", "work_hours_end": "18", "working_days": "mon,tue,wed,thu,fri",
    "default_event_alert": "900", "default_allday_event_alert": "25200", "mail": "true",
}  # fmt: skip
SERVER_TAGS = [
    "mail/smtp", "mail/imap", "bm/es", "bm/core", "bm/nginx", "bm/pgsql", "bm/pgsql-data", "filehosting/data",
]  # fmt: skip

_encode = msgspec.json.encode


class _Values(msgspec.Struct, frozen=True):
    values: dict[str, str]


class _Token(msgspec.Struct, frozen=True):
    key: str


class _Sequence(msgspec.Struct, frozen=True, rename="camel"):
    default_data_source_seq: int
    mailbox_data_source_seq: dict[str, int]


class Platform:
    """The installation's own data."""

    def __init__(self, context: Context, items: Items, containers: Containers, directory: Directory) -> None:
        self._context = context
        self._items = items
        self._containers = containers
        self._directory = directory

    # ---- servers

    def servers(self) -> list[Item]:
        """All machines."""
        return self._context.store.items(self._context.site.installation_id)

    def put_server(self, uid: str, server: Server) -> None:
        """Add or change a machine; logged to the orphans."""
        container = self._root("installation", self._context.site.installation_id)
        name = server.fqdn or server.ip
        if self._context.store.item(container.uid, uid) is None:
            self._items.create(container, uid, _encode(server), SERVER_CLASS, display_name=name)
        else:
            self._items.update(container, uid, _encode(server), display_name=name)

    def republish_servers(self) -> None:
        """What a promotion does: every machine is written again, so that proxies learn the new addresses."""
        container = self._root("installation", self._context.site.installation_id)
        for item in self.servers():
            self._items.update(container, item.uid)

    # ---- domains

    def domains(self) -> list[Item]:
        """All domains, `global.virt` too."""
        return self._context.store.items(self._domains_uid())

    def domain(self, uid: str) -> Item:
        """One domain."""
        return self._items.get(self._domains_uid(), uid)

    def create_domain(self, uid: str, domain: Domain) -> None:
        """A domain with its settings, directory, address book and default groups."""
        root = self._root("domains", self._domains_uid())
        with self._context.write():
            self._items.create(root, uid, _encode(domain), DOMAIN_CLASS, display_name=uid)
            self._context.store.create_container(
                Container(uid=uid, type="dir", owner=SYSTEM, domain=uid, name=uid, default=True)
            )
            self.set_domain_settings(uid, DEFAULT_SETTINGS)
            if uid == GLOBAL_DOMAIN:
                return
            self._add_face(uid, uid, "DOMAIN", uid, f"{uid}/domain/{uid}", email=None)
            self._create_book(uid)
            self._create_groups(uid)

    def update_domain(self, uid: str, domain: Domain) -> None:
        """Change a domain."""
        self._items.update(self._root("domains", self._domains_uid()), uid, _encode(domain))

    def domain_settings(self, uid: str) -> dict[str, str]:
        """Settings of a domain."""
        found = self._context.store.side("domain_settings", uid, uid)
        return {} if found is None else msgspec.json.decode(found.value, type=DomainSettings).settings

    def set_domain_settings(self, uid: str, settings: dict[str, str]) -> None:
        """Replace the settings; the record carries the domain's item id and a new date."""
        context = self._context
        value = _encode(DomainSettings(domain_uid=uid, settings=settings))
        root = self._root("domains", self._domains_uid())
        with context.write():
            item = self._items.get(root.uid, uid)
            item = msgspec.structs.replace(item, updated=max(context.now(), (item.created or 0) + 1))
            context.store.put_item(root.uid, item)
            context.store.put_side(
                Side(
                    type="domain_settings",
                    owner=uid,
                    uid=uid,
                    domain=uid,
                    value=value,
                    value_class=SETTINGS_CLASS,
                )
            )
            context.log_item(root, item, value=value, value_class=SETTINGS_CLASS)

    # ---- system configuration, token, sequence

    def sysconf(self) -> dict[str, str]:
        """All values, secrets included."""
        found = self._context.store.side("sysconf", SYSTEM, "sysconf")
        return {} if found is None else msgspec.json.decode(found.value, type=_Values).values

    def merge_sysconf(self, values: dict[str, str]) -> None:
        """Set some values; the whole configuration is logged. Not fenced."""
        merged = _encode(_Values(self.sysconf() | values))
        with self._context.write(fenced=False):
            self._context.store.put_side(
                Side(type="sysconf", owner=SYSTEM, uid="sysconf", value=merged, value_class=SYSCONF_CLASS)
            )
            self._log(
                "sysconf", "sysconf", "sysconf", java_hash("sysconf"), merged, value_class=SYSCONF_CLASS
            )

    def log_core_token(self, token: str) -> None:
        """When a core becomes RUNNING it publishes its token, in clear (change-log.md 4)."""
        with self._context.write(fenced=False):
            value = _encode(_Token(token))
            self._log(
                "installation",
                self._context.site.installation_id,
                "core_tok",
                -1,
                value,
                value_class=DTO + "CoreTok",
            )

    def log_sequence(self) -> None:
        """The heartbeat: how far item ids went (change-log.md 8.4)."""
        last = self._context.store.id_sequence()
        value = _encode(_Sequence(last, {self._context.site.server_uid: last}))
        with self._context.write(fenced=False):
            self._log(
                SEQUENCE,
                SEQUENCE,
                SEQUENCE,
                java_hash(SEQUENCE),
                value,
                value_class=DTO + "ContainerItemIdSeq",
            )

    def log_seppuku(self) -> None:
        """The last word of a demoted leader, into the first domain's topic (clone-and-api.md 2.4)."""
        names = sorted((item.id, item.uid) for item in self.domains() if item.uid != GLOBAL_DOMAIN)
        if not names:
            return
        domain = names[0][1]
        now = self._context.now()
        envelope = Envelope(
            value=msgspec.Raw(b'{"byeTime":%d}' % now),
            uid="seppuku",
            internal_id=java_hash("seppuku"),
            version=0,
            created=now,
            produced_by=self._context.site.produced_by,
            value_class=DTO + "Seppuku",
        )
        with self._context.write(fenced=False):
            self._context.log_as(domain, "dir", SYSTEM, domain, envelope)

    def update_job(self, job: Job) -> None:
        """Change a planned job: an UPDATE record (change-log.md 5.1). Not fenced."""
        value, kind, now = _encode(job), "job_plans", self._context.now()
        known = self._context.store.side(kind, SYSTEM, job.id)
        with self._context.write(fenced=False):
            self._context.store.put_side(
                Side(
                    type=kind,
                    owner=SYSTEM,
                    uid=job.id,
                    value=value,
                    value_class=SIDE_CLASSES[kind],
                    updated=now,
                )
            )
            self._context.log_side(
                kind, "", SYSTEM, job.id, value, value_class=SIDE_CLASSES[kind],
                created=None if known else now, updated=now if known else None,
            )  # fmt: skip

    # ---- user settings

    def user_settings(self, domain: str, uid: str) -> dict[str, str]:
        """Settings of a user over those of the domain."""
        self._directory.entry(domain, uid, "USER")
        found = self._context.store.side("user_settings", uid, uid)
        own = {} if found is None else msgspec.json.decode(found.value, type=_Values).values
        return self.domain_settings(domain) | own

    def set_user_settings(self, domain: str, uid: str, settings: dict[str, str], *, by: str) -> None:
        """Replace a user's settings; those equal to the domain's are dropped; the entry gets a new version."""
        self._directory.entry(domain, uid, "USER")
        inherited = self.domain_settings(domain)
        own = {name: value for name, value in settings.items() if inherited.get(name) != value}
        value = _encode(_Values(own))
        context = self._context
        with context.write():
            item = self._items.get(domain, uid)
            item = msgspec.structs.replace(
                item,
                version=context.store.next_version(domain),
                updated=max(context.now(), (item.created or 0) + 1),
                updated_by=by,
            )
            context.store.put_item(domain, item)
            context.store.put_side(Side(type="user_settings", owner=uid, uid=uid, domain=domain, value=value))
            context.log_item(
                self._items.container(domain),
                item,
                value=value,
                value_class="net.bluemind.user.api.UserSettings",
            )

    # ---- inner

    def _domains_uid(self) -> str:
        return f"domains_{self._context.site.installation_id}"

    def _root(self, type_: str, uid: str) -> Container:
        found = self._context.store.container(uid)
        return found or self._context.store.create_container(
            Container(uid=uid, type=type_, owner=SYSTEM, name=uid)
        )

    def _log(self, type_: str, container: str, uid: str, id_: int, value: bytes, *, value_class: str) -> None:
        envelope = Envelope(
            value=msgspec.Raw(value),
            uid=uid,
            internal_id=id_,
            version=0,
            produced_by=self._context.site.produced_by,
            value_class=value_class,
        )
        self._context.log_as("", type_, SYSTEM, container, envelope)

    def _add_face(self, domain: str, uid: str, kind: str, name: str, path: str, *, email: str | None) -> None:
        entry = DirEntry(display_name=name, entry_uid=uid, kind=kind, path=path, email=email)
        self._items.create(self._items.container(domain), uid, _encode(entry), DIR_CLASS, display_name=name)

    def _create_book(self, domain: str) -> None:
        """The domain's address book: its owner is the book itself (change-log.md 2)."""
        uid = f"addressbook_{domain}"
        self._add_face(
            domain, uid, "ADDRESSBOOK", "$$domain.addressbook$$", f"{domain}/addressbooks/{uid}", email=None
        )
        self._containers.create(
            Container(
                uid=uid,
                type="addressbook",
                owner=uid,
                domain=domain,
                name="$$domain.addressbook$$",
                default=True,
            )
        )
        self._containers.set_acl(uid, [Ace(domain, "Read")])

    def _create_groups(self, domain: str) -> None:
        for name in ("user", "admin"):
            group = Group(name=name, hidden=True, hidden_members=True, properties={"is_profile": "true"})
            self._directory.create(domain, f"{domain}_{name}_group", "GROUP", group)


def require_domain(context: Context, uid: str) -> None:
    """NotFound unless the domain is there."""
    container = context.store.container(uid)
    if container is None or container.type != "dir":
        raise NotFound(f"domain {uid} not found")
