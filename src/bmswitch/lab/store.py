"""The stand-in's database: one SQLite file, written by one process.

It plays the part of BlueMind's PostgreSQL: containers, items (id, version, dates), and what has tables of its own.
Nothing here publishes: services write, and hand the record to the publisher after the commit (change-log.md 8.1).
The restorer writes with forced id, version and dates through the same methods; the store never invents any of them
unless asked (`next_id`, `next_version`).

Threads: every method takes one lock, `tx()` holds it; use it from the event loop for short work, or from one thread.

    store = Store(path)                       # ":memory:" works too
    with store.tx():                          # one transaction; nests; rolled back by an exception
        store.create_container(Container(uid="notes:default_u1", type="notes", owner="u1", domain="lab.test"))
        store.put_item("notes:default_u1", Item(uid="n1", id=store.next_id(), version=store.next_version(...), ...))

Side data (`Side`) is what is no item. type -> (owner, uid, JSON value):
    memberships         member uid, group uid, {"type": "user", "uid": member}
    role                entry or domain uid, same, {"kind": "USER", "roles": [...]}
    ou-roles            administrator uid, org unit uid, {"kind", "roles", "dirUid", "orgUnit"}
    mailfilters         mailbox uid (domain uid for the domain's), same, {"uid", "isDomain", "filter"}
    mailboxIdentity, userMailIdentities, userAccounts, mailflow, resourceTypes    owner as in the log, id, payload
    mapi_artifacts      mailbox uid, `replica` or `mapi:<KIND>:<guid>`, payload (value_class tells which)
    message_bodies      mailbox uid, body guid, MessageBody
    user_settings       user uid, same, {"values": {...}}
    domain_settings     domain uid, same, {"domainUid", "settings": {...}}
    sysconf             "system", "sysconf", {"values": {...}}
    job_plans           "system", job id, Job
Directory entries are items of the container `<domain uid>` (type `dir`, owner `system`) with a DirEntryAndValue as value;
servers are items of `bluemind-<uuid>` (type `installation`); domains of `domains_bluemind-<uuid>` (type `domains`).
A user's password hash is not in its item: it is in the table `passwords`.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

_SCHEMA = """
CREATE TABLE IF NOT EXISTS containers(
  id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, type TEXT NOT NULL, owner TEXT NOT NULL, domain TEXT NOT NULL,
  name TEXT NOT NULL, is_default INTEGER NOT NULL, read_only INTEGER NOT NULL, data_location TEXT,
  version INTEGER NOT NULL, acls BLOB NOT NULL, settings BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS containers_owner ON containers(owner, type);
CREATE TABLE IF NOT EXISTS items(
  container INTEGER NOT NULL, uid TEXT NOT NULL, id INTEGER NOT NULL, version INTEGER NOT NULL, display_name TEXT,
  external_id TEXT, created_by TEXT, updated_by TEXT, created INTEGER, updated INTEGER, flags TEXT NOT NULL,
  value BLOB NOT NULL, value_class TEXT NOT NULL, PRIMARY KEY(container, uid));
CREATE INDEX IF NOT EXISTS items_id ON items(id);
CREATE TABLE IF NOT EXISTS side(
  type TEXT NOT NULL, owner TEXT NOT NULL, uid TEXT NOT NULL, domain TEXT NOT NULL, value BLOB NOT NULL,
  value_class TEXT NOT NULL, created INTEGER, updated INTEGER, PRIMARY KEY(type, owner, uid));
CREATE INDEX IF NOT EXISTS side_uid ON side(type, uid);
CREATE TABLE IF NOT EXISTS addresses(
  address TEXT NOT NULL, domain TEXT NOT NULL, uid TEXT NOT NULL, PRIMARY KEY(address, domain, uid));
CREATE INDEX IF NOT EXISTS addresses_uid ON addresses(domain, uid);
CREATE TABLE IF NOT EXISTS passwords(
  domain TEXT NOT NULL, uid TEXT NOT NULL, hash TEXT NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY(domain, uid));
CREATE TABLE IF NOT EXISTS sessions(
  key TEXT PRIMARY KEY, domain TEXT NOT NULL, uid TEXT NOT NULL, used INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

DIR_ENTRY_CLASS = "net.bluemind.directory.service.DirEntryAndValue"
ID_SEQUENCE = "t_container_item_id_seq"
INITIALISED = "initialised"  # meta key: the store was filled from seed or log


class Ace(msgspec.Struct, frozen=True):
    """One entry of an access control list; `verb` is one of BlueMind's (`Read`, `Write`, `All`, ...)."""

    subject: str
    verb: str


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container. `id` is the database's own (0: give one); `version` its sequence; `domain` empty: of no domain."""

    uid: str
    type: str
    owner: str
    domain: str = ""
    name: str = ""
    default: bool = False
    read_only: bool = False
    data_location: str | None = None
    id: int = 0
    version: int = 0
    acls: tuple[Ace, ...] = ()
    settings: dict[str, str] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a container: BlueMind's ItemValue with the payload as JSON bytes. Dates are epoch milliseconds."""

    uid: str
    id: int
    version: int
    value: bytes
    value_class: str
    display_name: str | None = None
    external_id: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    created: int | None = None
    updated: int | None = None
    flags: tuple[str, ...] = ()


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is no item: see the module's table. `value` is JSON bytes."""

    type: str
    owner: str
    uid: str
    value: bytes
    domain: str = ""
    value_class: str = ""
    created: int | None = None
    updated: int | None = None


class Session(msgspec.Struct, frozen=True):
    """An API key that a login gave out; `used` is the epoch millisecond of its last use."""

    key: str
    domain: str
    uid: str
    used: int


class _Address(msgspec.Struct):
    address: str


class _Value(msgspec.Struct):
    login: str | None = None
    emails: list[_Address] = []


class _Entry(msgspec.Struct):
    value: _Value | None = None


_encode = msgspec.json.encode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_acls = msgspec.json.Decoder(tuple[Ace, ...]).decode
_decode_settings = msgspec.json.Decoder(dict[str, str]).decode

_CONTAINER = "SELECT uid,type,owner,domain,name,is_default,read_only,data_location,id,version,acls,settings FROM containers"
_ITEM = (
    "SELECT i.uid,i.id,i.version,i.value,i.value_class,i.display_name,i.external_id,i.created_by,i.updated_by,"
    "i.created,i.updated,i.flags FROM items i JOIN containers c ON i.container=c.id"
)
_SIDE = "SELECT type,owner,uid,value,domain,value_class,created,updated FROM side"
_MANY = 500  # SQLite takes 999 variables in one statement


class Store:
    """All state of one stand-in. `path` is a file (made 0600) or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._ids: dict[str, int] = {}
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch(mode=0o600)
        self._db = sqlite3.connect(
            str(path), isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file. Every committed write is in it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def tx(self) -> Iterator[None]:
        """One transaction over several writes; inner ones join the outer one; an exception rolls all of it back."""
        with self._lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._ids.clear()
                self._db.execute("ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth = 0

    # ---- meta and the id sequence

    def meta(self, key: str) -> str | None:
        """A value that `set_meta` wrote, or None."""
        with self._lock:
            row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep one text under a name."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", (key, value))

    def id_sequence(self) -> int:
        """Last item id given out (`t_container_item_id_seq`)."""
        return int(self.meta(ID_SEQUENCE) or "0")

    def next_id(self, count: int = 1) -> int:
        """Take `count` item ids; returns the first of them."""
        with self._lock:
            row = self._db.execute(
                "INSERT INTO meta VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=value+? RETURNING value",
                (ID_SEQUENCE, str(count), count),
            ).fetchone()
        return int(row[0]) - count + 1

    def bump_id_sequence(self, value: int) -> bool:
        """Set the sequence to `value` if that is forward; says whether it moved."""
        with self._lock:
            if value <= self.id_sequence():
                return False
            self.set_meta(ID_SEQUENCE, str(value))
        return True

    # ---- containers

    def container(self, uid: str) -> Container | None:
        """One container by uid."""
        with self._lock:
            row = self._db.execute(_CONTAINER + " WHERE uid=?", (uid,)).fetchone()
        return None if row is None else _container(row)

    def containers(
        self,
        *,
        owner: str | None = None,
        type: str | None = None,  # noqa: A002 - the log's own word
        domain: str | None = None,
    ) -> list[Container]:
        """Containers in the order of their creation, by any of owner, type and domain."""
        wanted = [("owner", owner), ("type", type), ("domain", domain)]
        parts = [f"{name}=?" for name, value in wanted if value is not None]
        sql = _CONTAINER + (" WHERE " + " AND ".join(parts) if parts else "") + " ORDER BY id"
        with self._lock:
            rows = self._db.execute(sql, [value for _, value in wanted if value is not None]).fetchall()
        return [_container(row) for row in rows]

    def create_container(self, container: Container) -> Container:
        """Add or replace a container (its items stay); returns it with its database id."""
        with self._lock:
            known = self._id(container.uid)
            number = known or container.id or None
            self._db.execute(
                "INSERT OR REPLACE INTO containers VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    number, container.uid, container.type, container.owner, container.domain, container.name,
                    container.default, container.read_only, container.data_location, container.version,
                    _encode(container.acls), _encode(container.settings),
                ),
            )  # fmt: skip
            self._ids.pop(container.uid, None)
            return msgspec.structs.replace(container, id=self._must(container.uid))

    def update_container(
        self,
        uid: str,
        *,
        name: str | None = None,
        acls: Iterable[Ace] | None = None,
        settings: dict[str, str] | None = None,
    ) -> bool:
        """Change name, access control list or settings; False when there is no such container."""
        changes: list[tuple[str, object]] = []
        if name is not None:
            changes.append(("name", name))
        if acls is not None:
            changes.append(("acls", _encode(tuple(acls))))
        if settings is not None:
            changes.append(("settings", _encode(settings)))
        columns = ",".join(f"{column}=?" for column, _ in changes) or "uid=uid"
        with self._lock:
            done = self._db.execute(
                f"UPDATE containers SET {columns} WHERE uid=?",  # noqa: S608 - columns are the constants above
                [*(value for _, value in changes), uid],
            )
        return done.rowcount > 0

    def delete_container(self, uid: str) -> bool:
        """Remove a container with all its items; False when there is none."""
        with self.tx():
            number = self._id(uid)
            if number is None:
                return False
            self._db.execute("DELETE FROM items WHERE container=?", (number,))
            self._db.execute("DELETE FROM containers WHERE id=?", (number,))
            self._ids.pop(uid, None)
        return True

    def next_version(self, container_uid: str) -> int:
        """Count the container's version up and return it."""
        with self._lock:
            row = self._db.execute(
                "UPDATE containers SET version=version+1 WHERE uid=? RETURNING version", (container_uid,)
            ).fetchone()
        if row is None:
            raise KeyError(container_uid)
        return int(row[0])

    def set_container_version(self, container_uid: str, version: int) -> None:
        """Set the container's version; it may go backwards, as a replay does (clone-and-api.md 3.4)."""
        with self._lock:
            self._db.execute("UPDATE containers SET version=? WHERE uid=?", (version, container_uid))

    # ---- items

    def item(self, container_uid: str, uid: str) -> Item | None:
        """One item by uid."""
        return self._one_item("c.uid=? AND i.uid=?", (container_uid, uid))

    def item_by_id(self, container_uid: str, item_id: int) -> Item | None:
        """One item by id."""
        return self._one_item("c.uid=? AND i.id=?", (container_uid, item_id))

    def items(self, container_uid: str) -> list[Item]:
        """All items of a container, by id. Large ones cost what they hold: `descriptors` leaves the values out."""
        with self._lock:
            rows = self._db.execute(_ITEM + " WHERE c.uid=? ORDER BY i.id", (container_uid,)).fetchall()
        return [_item(row) for row in rows]

    def descriptors(self, container_uid: str) -> list[Item]:
        """All items of a container with an empty value: what `_list` needs."""
        sql = _ITEM.replace("i.value,", "x'',", 1) + " WHERE c.uid=? ORDER BY i.id"
        with self._lock:
            rows = self._db.execute(sql, (container_uid,)).fetchall()
        return [_item(row) for row in rows]

    def items_by_uid(self, container_uid: str, uids: Iterable[str]) -> list[Item]:
        """Those of the named items that exist, by id."""
        wanted = list(uids)
        found: list[Item] = []
        for start in range(0, len(wanted), _MANY):
            part = wanted[start : start + _MANY]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._db.execute(
                    _ITEM + f" WHERE c.uid=? AND i.uid IN ({marks})", [container_uid, *part]
                ).fetchall()
            found += [_item(row) for row in rows]
        return sorted(found, key=lambda item: item.id)

    def item_count(self, container_uid: str) -> int:
        """How many items a container holds."""
        with self._lock:
            row = self._db.execute(
                "SELECT count(*) FROM items i JOIN containers c ON i.container=c.id WHERE c.uid=?",
                (container_uid,),
            ).fetchone()
        return int(row[0])

    def put_item(self, container_uid: str, item: Item) -> None:
        """Write an item exactly as given, over one of the same uid. KeyError when there is no such container.

        Does not touch the container's version nor the id sequence. Entries of the directory are indexed by address.
        """
        with self.tx():
            self._db.execute(
                "INSERT OR REPLACE INTO items VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    self._must(container_uid), item.uid, item.id, item.version, item.display_name, item.external_id,
                    item.created_by, item.updated_by, item.created, item.updated, ",".join(item.flags), item.value,
                    item.value_class,
                ),
            )  # fmt: skip
            if item.value_class == DIR_ENTRY_CLASS:
                self._index_addresses(container_uid, item)

    def delete_item(self, container_uid: str, uid: str) -> Item | None:
        """Remove an item and return what it was; None when there was none."""
        with self.tx():
            item = self.item(container_uid, uid)
            if item is not None:
                self._db.execute(
                    "DELETE FROM items WHERE container=? AND uid=?", (self._must(container_uid), uid)
                )
                if item.value_class == DIR_ENTRY_CLASS:
                    self._db.execute("DELETE FROM addresses WHERE domain=? AND uid=?", (container_uid, uid))
        return item

    def find_address(self, address: str) -> tuple[str, str] | None:
        """(domain uid, entry uid) of a mail address or `login@domain`, without regard to case."""
        with self._lock:
            row = self._db.execute(
                "SELECT domain,uid FROM addresses WHERE address=? ORDER BY uid LIMIT 1", (address.lower(),)
            ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    # ---- side data

    def side(self, type: str, owner: str, uid: str) -> Side | None:  # noqa: A002 - the log's own word
        """One side value."""
        with self._lock:
            row = self._db.execute(
                _SIDE + " WHERE type=? AND owner=? AND uid=?", (type, owner, uid)
            ).fetchone()
        return None if row is None else Side(**dict(zip(_SIDE_FIELDS, row, strict=True)))

    def sides(
        self,
        type: str,  # noqa: A002 - the log's own word
        *,
        owner: str | None = None,
        uid: str | None = None,
    ) -> list[Side]:
        """Side values of a type, of one owner or with one uid (`sides("memberships", uid=group)` lists members)."""
        wanted = [("owner", owner), ("uid", uid)]
        parts = ["type=?", *(f"{name}=?" for name, value in wanted if value is not None)]
        sql = _SIDE + " WHERE " + " AND ".join(parts) + " ORDER BY owner,uid"
        with self._lock:
            rows = self._db.execute(
                sql, [type, *(value for _, value in wanted if value is not None)]
            ).fetchall()
        return [Side(**dict(zip(_SIDE_FIELDS, row, strict=True))) for row in rows]

    def count_sides(self, type: str) -> int:  # noqa: A002 - the log's own word
        """How many side values of a type there are."""
        with self._lock:
            row = self._db.execute("SELECT count(*) FROM side WHERE type=?", (type,)).fetchone()
        return int(row[0])

    def put_side(self, side: Side) -> None:
        """Write one side value over an older one."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO side VALUES(?,?,?,?,?,?,?,?)",
                (
                    side.type,
                    side.owner,
                    side.uid,
                    side.domain,
                    side.value,
                    side.value_class,
                    side.created,
                    side.updated,
                ),
            )

    def delete_side(self, type: str, owner: str, uid: str) -> bool:  # noqa: A002 - the log's own word
        """Remove one side value; False when there was none."""
        with self._lock:
            done = self._db.execute("DELETE FROM side WHERE type=? AND owner=? AND uid=?", (type, owner, uid))
        return done.rowcount > 0

    # ---- passwords and sessions: never in an item, never published by themselves (change-log.md 5.6)

    def password(self, domain: str, uid: str) -> str | None:
        """A user's password hash."""
        with self._lock:
            row = self._db.execute(
                "SELECT hash FROM passwords WHERE domain=? AND uid=?", (domain, uid)
            ).fetchone()
        return None if row is None else str(row[0])

    def set_password(self, domain: str, uid: str, password_hash: str, changed: int) -> None:
        """Keep a hash (PBKDF2, `iterations:salt:hash`) and when it was set (epoch ms)."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO passwords VALUES(?,?,?,?)", (domain, uid, password_hash, changed)
            )

    def password_changed(self, domain: str, uid: str) -> int | None:
        """When the hash was set, epoch ms."""
        with self._lock:
            row = self._db.execute(
                "SELECT changed FROM passwords WHERE domain=? AND uid=?", (domain, uid)
            ).fetchone()
        return None if row is None else int(row[0])

    def delete_password(self, domain: str, uid: str) -> None:
        """Forget a user's hash."""
        with self._lock:
            self._db.execute("DELETE FROM passwords WHERE domain=? AND uid=?", (domain, uid))

    def session(self, key: str) -> Session | None:
        """A login's session."""
        with self._lock:
            row = self._db.execute("SELECT key,domain,uid,used FROM sessions WHERE key=?", (key,)).fetchone()
        return None if row is None else Session(*row)

    def put_session(self, session: Session) -> None:
        """Keep a session over an older state of it."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO sessions VALUES(?,?,?,?)",
                (session.key, session.domain, session.uid, session.used),
            )

    def delete_session(self, key: str) -> None:
        """End a session."""
        with self._lock:
            self._db.execute("DELETE FROM sessions WHERE key=?", (key,))

    # ---- for the restorer: cheap lookups of its hot path

    def item_id(self, container_uid: str, uid: str) -> int | None:
        """Id of one item without reading its value; None when there is none."""
        with self._lock:
            number = self._id(container_uid)
            row = self._db.execute(
                "SELECT id FROM items WHERE container=? AND uid=?", (number, uid)
            ).fetchone()
        return None if row is None else int(row[0])

    def has_side(self, type: str, owner: str, uid: str) -> bool:  # noqa: A002 - the log's own word
        """Whether a side value exists, without reading it."""
        with self._lock:
            row = self._db.execute(
                "SELECT 1 FROM side WHERE type=? AND owner=? AND uid=?", (type, owner, uid)
            ).fetchone()
        return row is not None

    def delete_sides(
        self,
        *,
        owner: str | None = None,
        type: str | None = None,  # noqa: A002 - the log's own word
        uid: str | None = None,
    ) -> int:
        """Remove all side values of an owner, or all of one type with one uid; returns how many. At least one is given."""
        wanted = [
            (name, value)
            for name, value in (("owner", owner), ("type", type), ("uid", uid))
            if value is not None
        ]
        if not wanted:
            msg = "nothing says which side values to remove"
            raise ValueError(msg)
        parts = " AND ".join(f"{name}=?" for name, _ in wanted)
        with self._lock:
            done = self._db.execute(
                f"DELETE FROM side WHERE {parts}",  # noqa: S608 - columns are the constants above
                [value for _, value in wanted],
            )
        return done.rowcount

    def highest_item_id(self) -> int:
        """The largest item id in use, 0 when there is none."""
        with self._lock:
            row = self._db.execute("SELECT max(id) FROM items").fetchone()
        return int(row[0] or 0)

    # ---- inner

    def _id(self, uid: str) -> int | None:
        known = self._ids.get(uid)
        if known is None:
            row = self._db.execute("SELECT id FROM containers WHERE uid=?", (uid,)).fetchone()
            if row is None:
                return None
            known = self._ids[uid] = int(row[0])
        return known

    def _must(self, uid: str) -> int:
        known = self._id(uid)
        if known is None:
            raise KeyError(uid)
        return known

    def _one_item(self, where: str, args: tuple[str | int, ...]) -> Item | None:
        with self._lock:
            row = self._db.execute(f"{_ITEM} WHERE {where}", args).fetchone()
        return None if row is None else _item(row)

    def _index_addresses(self, domain: str, item: Item) -> None:
        value = _decode_entry(item.value).value or _Value()
        addresses = {email.address.lower() for email in value.emails}
        if value.login:
            addresses.add(f"{value.login}@{domain}".lower())
        self._db.execute("DELETE FROM addresses WHERE domain=? AND uid=?", (domain, item.uid))
        self._db.executemany(
            "INSERT INTO addresses VALUES(?,?,?)", [(a, domain, item.uid) for a in addresses]
        )


_SIDE_FIELDS = ("type", "owner", "uid", "value", "domain", "value_class", "created", "updated")
_CONTAINER_FIELDS = (
    "uid", "type", "owner", "domain", "name", "default", "read_only", "data_location", "id", "version", "acls", "settings",
)  # fmt: skip


def _container(row: tuple[object, ...]) -> Container:
    fields = dict(zip(_CONTAINER_FIELDS, row, strict=True))
    acls, settings = fields["acls"], fields["settings"]
    if not isinstance(acls, bytes) or not isinstance(settings, bytes):
        msg = "a container row is damaged"
        raise TypeError(msg)
    fields |= {
        "default": bool(fields["default"]),
        "read_only": bool(fields["read_only"]),
        "acls": _decode_acls(acls),
        "settings": _decode_settings(settings),
    }
    return msgspec.convert(fields, Container)


def _item(row: tuple[object, ...]) -> Item:
    """One row of `_ITEM`; the hot path of every read, so positional and unchecked."""
    (
        uid,
        number,
        version,
        value,
        value_class,
        display,
        external,
        created_by,
        updated_by,
        created,
        updated,
        flags,
    ) = row
    return Item(
        uid=uid,  # type: ignore[arg-type]  # SQLite's column types, fixed by the schema above
        id=number,  # type: ignore[arg-type]  # as above
        version=version,  # type: ignore[arg-type]  # as above
        value=value,  # type: ignore[arg-type]  # as above
        value_class=value_class,  # type: ignore[arg-type]  # as above
        display_name=display,  # type: ignore[arg-type]  # as above
        external_id=external,  # type: ignore[arg-type]  # as above
        created_by=created_by,  # type: ignore[arg-type]  # as above
        updated_by=updated_by,  # type: ignore[arg-type]  # as above
        created=created,  # type: ignore[arg-type]  # as above
        updated=updated,  # type: ignore[arg-type]  # as above
        flags=tuple(str(flags).split(",")) if flags else (),
    )
