"""Mutants of a clone made from a real log: one thing changed, dropped, doubled or put in another order in green's store or bucket.

Each says what verify must name. They are made from what the store holds, so a larger log gives more of them.
"""

# ruff: noqa: S608, B023 - statements of a test, on its own database; mutants are made within their loop

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmswitch.parity.tables import COMPLETE, ENTRY_FIELDS, ENTRY_IGNORED, KEPT_ENTRY_IDS, KINDS, NOT_RESTORED

EACH = 3
"""Items of a type in which the same thing is changed."""
_OWN = frozenset({"body", "uidValidity", "lastUid"})


@dataclass(frozen=True)
class Mutant:
    """`table` and `row` (its rowid) are put back afterwards; (`type`, `item`) is what must be named, `owner` whose it is."""

    name: str
    table: str
    row: int
    statement: str
    args: tuple[object, ...]
    owner: str
    type: str
    item: str


@contextmanager
def mutated(store: Path, mutant: Mutant) -> Iterator[None]:
    """The mutant in the store, and the store as it was at the end."""
    with closing(sqlite3.connect(store, timeout=10)) as db:
        kept = db.execute(f"SELECT rowid, * FROM {mutant.table} WHERE rowid = ?", (mutant.row,)).fetchone()
        (last,) = db.execute(f"SELECT max(rowid) FROM {mutant.table}").fetchone()
        with db:
            assert db.execute(mutant.statement, mutant.args).rowcount > 0, "the mutant changed nothing"
        try:
            yield
        finally:
            columns = [one[1] for one in db.execute(f"PRAGMA table_info({mutant.table})")]
            marks = ", ".join("?" * (len(columns) + 1))
            with db:
                db.execute(f"DELETE FROM {mutant.table} WHERE rowid > ? OR rowid = ?", (last, mutant.row))
                db.execute(
                    f"INSERT INTO {mutant.table}(rowid, {', '.join(columns)}) VALUES ({marks})"
                    if mutant.table != "containers"
                    else f"INSERT INTO containers VALUES ({', '.join('?' * len(columns))})",
                    kept if mutant.table != "containers" else kept[1:],
                )


def leaves(value: Any, prefix: str = "$") -> Iterator[tuple[str, Any]]:
    """JSON paths of what is not null or empty; a list is a leaf."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f'{prefix}."{name}"')
    elif value is not None and value not in ("", []):
        yield prefix, value


def others(value: Any) -> Iterator[tuple[str, Any]]:
    """What a leaf can become, by what was done to it."""
    if isinstance(value, bool):
        yield "changed", not value
    elif isinstance(value, int):
        yield "changed", value + 1
    elif isinstance(value, str):
        yield "changed", value + "x"
    elif isinstance(value, list):
        yield "dropped", value[:-1]
        yield "doubled", [*value, value[-1]]


def _plain(path: str) -> str:
    return path.removeprefix("$.").replace('"', "")


def mutants(store: Path, domain: str) -> list[Mutant]:
    """All of them, in an order that is the same each time."""
    with closing(sqlite3.connect(store, timeout=10)) as db:
        return [
            *_items(db),
            *_entries(db, domain),
            *_containers(db, domain),
            *_sides(db, domain),
        ]


def _owned(db: sqlite3.Connection, kind: str) -> list[tuple[int, str, str, str]]:
    return db.execute(
        "SELECT i.rowid, i.uid, i.value, c.owner FROM items i JOIN containers c ON c.id = i.container"
        " WHERE c.type = ? ORDER BY c.uid, i.uid",
        (kind,),
    ).fetchall()


def _items(db: sqlite3.Connection) -> Iterator[Mutant]:
    for kind, how in KINDS.items():
        rows = _owned(db, kind)
        for number, (row, uid, value, owner) in enumerate(_spread(rows)):
            name = f"{kind} {number}"

            def made(what: str, statement: str, *args: object) -> Mutant:
                return Mutant(f"{name} {what}", "items", row, statement, (*args, row), owner, kind, uid)

            ignored = how.ignored | how.newer - _OWN
            for path, leaf in leaves(json.loads(value)):
                if _plain(path).split(".")[0] in ignored:
                    continue
                for what, new in others(leaf):
                    yield made(f"{_plain(path)} {what}", _SET, path, json.dumps(new))
            yield made("dropped", "DELETE FROM items WHERE rowid = ?")
            for signal in set(how.signals) & {"id", "version", "created", "updated"}:
                yield made(
                    f"{signal} changed", f"UPDATE items SET {signal} = {signal} + 7000001 WHERE rowid = ?"
                )
            if "flags" in how.signals:
                yield made("flags changed", "UPDATE items SET flags = 'Deleted' WHERE rowid = ?")
            if kind == "container_flat_hierarchy":
                continue  # a node that green alone has is a known difference
            copied = made("doubled", _COPY, f"{uid}copy")
            yield Mutant(**{**vars(copied), "item": f"{uid}copy"})
        if kind == "mailbox_records" and len(rows) > 1:
            yield from _swapped(rows[0], rows[1])


_SET = "UPDATE items SET value = CAST(json_set(value, ?, json(?)) AS BLOB) WHERE rowid = ?"
_COPY = (
    "INSERT INTO items SELECT container, ?, id + 5000000, version, display_name, external_id, created_by, updated_by,"
    " created, updated, flags, value, value_class FROM items WHERE rowid = ?"
)


def _swapped(first: tuple[int, str, str, str], second: tuple[int, str, str, str]) -> Iterator[Mutant]:
    """Another mail stands where this one stood."""
    row, uid, _, owner = first
    yield Mutant(
        "mailbox_records in another order",
        "items",
        row,
        "UPDATE items SET value = (SELECT value FROM items WHERE rowid = ?) WHERE rowid = ?",
        (second[0], row),
        owner,
        "mailbox_records",
        uid,
    )


def _spread(rows: list[Any]) -> list[Any]:
    """A few that are far from each other."""
    step = max(1, len(rows) // EACH)
    return rows[::step][:EACH]


def _entries(db: sqlite3.Connection, domain: str) -> Iterator[Mutant]:
    rows = db.execute(
        "SELECT i.rowid, i.uid, i.value FROM items i JOIN containers c ON c.id = i.container"
        " WHERE c.type = 'dir' AND c.uid = ? AND i.uid NOT LIKE 'bmswitch%' ORDER BY i.uid",
        (domain,),
    ).fetchall()
    by_kind: dict[str, list[Any]] = {}
    for row in rows:
        by_kind.setdefault(json.loads(row[2])["entry"]["kind"], []).append(row)
    for kind, of_kind in by_kind.items():
        for number, (row, uid, value) in enumerate(_spread(of_kind)):
            name = f"{kind} {number}"
            entry = json.loads(value)

            def made(what: str, type_: str, statement: str, *args: object) -> Mutant:
                item = uid if type_ == "dir" else "value"
                return Mutant(f"{name} {what}", "items", row, statement, (*args, row), uid, type_, item)

            for field in ENTRY_FIELDS:
                # The stand-in searches the fields `kind` and `dataLocation` for more than to show them.
                if field not in ("kind", "path", "dataLocation") and entry["entry"].get(field) is not None:
                    new = next(others(entry["entry"][field]))[1]
                    yield made(f"entry.{field}", "dir", _SET, f"$.entry.{field}", json.dumps(new))
            yield made("dropped", "dir", "DELETE FROM items WHERE rowid = ?")
            if kind in KEPT_ENTRY_IDS and kind != "ORG_UNIT":
                yield made("id", "dir", "UPDATE items SET id = id + 7000001 WHERE rowid = ?")
            if kind in COMPLETE:
                for path, leaf in leaves(entry["value"], "$.value"):
                    if _plain(path).removeprefix("value.") in ENTRY_IGNORED or path.endswith('"photo"'):
                        continue
                    what, new = next(others(leaf))
                    yield made(f"{_plain(path)} {what}", "entry", _SET, path, json.dumps(new))


def _containers(db: sqlite3.Connection, domain: str) -> Iterator[Mutant]:
    kinds = [kind for (kind,) in db.execute("SELECT DISTINCT type FROM containers ORDER BY type")]
    for kind in kinds:
        rows = db.execute(
            "SELECT id, uid, owner, acls FROM containers WHERE type = ? AND domain = ? ORDER BY uid",
            (kind, domain),
        ).fetchall()
        if kind == "dir":
            continue
        for number, (row, uid, owner, acls) in enumerate(_spread(rows)[:2]):

            def made(what: str, type_: str, item: str, statement: str, *args: object) -> Mutant:
                return Mutant(
                    f"container {kind} {number} {what}",
                    "containers",
                    row,
                    statement,
                    (*args, row),
                    owner,
                    type_,
                    item,
                )

            rights = [*json.loads(acls), {"subject": "somebody", "verb": "Read"}]
            write = "UPDATE containers SET acls = ? WHERE id = ?"
            yield made("right added", "containers_meta", "acl", write, json.dumps(rights).encode())
            if len(rights) > 1:
                yield made(
                    "right dropped", "containers_meta", "acl", write, json.dumps(rights[1:-1]).encode()
                )
                rights[0]["verb"] = "Freebusy"
                yield made("right changed", "containers_meta", "acl", write, json.dumps(rights[:-1]).encode())
            yield made(
                "settings",
                "containers_meta",
                "settings",
                "UPDATE containers SET settings = ? WHERE id = ?",
                b'{"x":"y"}',
            )
            yield made(
                "of another owner", "containers", uid, "UPDATE containers SET owner = 'nobody' WHERE id = ?"
            )
            # A book that owns itself is never a default container on a clone: a known difference.
            if kind not in ("container_flat_hierarchy", *NOT_RESTORED) and uid != owner:
                yield made(
                    "default",
                    "containers",
                    uid,
                    "UPDATE containers SET is_default = 1 - is_default WHERE id = ?",
                )


_SIDES: dict[str, Callable[[str, str, str], tuple[str, str]]] = {
    "mailfilters": lambda owner, _uid, domain: (
        owner,
        "domain mail filter" if owner == domain else "mail filter",
    ),
    "memberships": lambda _owner, uid, _domain: (uid, "members"),
    "ou-roles": lambda _owner, uid, _domain: (uid, "organisation administrators"),
    "user_settings": lambda owner, _uid, _domain: (owner, "settings"),
    "domain_settings": lambda owner, _uid, _domain: (owner, "domain settings"),
    "resourceTypes": lambda _owner, _uid, domain: (domain, "resource types"),
}
"""Owner and name of the side data that a row of the store is shown in."""


def _sides(db: sqlite3.Connection, domain: str) -> Iterator[Mutant]:
    rows = db.execute(
        "SELECT rowid, type, owner, uid, value FROM side WHERE domain = ? ORDER BY type, owner, uid",
        (domain,),
    ).fetchall()
    for kind in sorted({row[1] for row in rows}):
        for number, (row, _, owner, uid, value) in enumerate(
            _spread([row for row in rows if row[1] == kind])
        ):
            if kind == "role":
                name = {"USER": "roles", "GROUP": "group roles"}.get(
                    json.loads(value)["kind"], "domain roles"
                )
                place: tuple[str, str] = (owner, name)
            elif kind in _SIDES:
                place = _SIDES[kind](owner, uid, domain)
            else:
                continue
            label = f"{kind} {number}"

            def made(what: str, statement: str, *args: object) -> Mutant:
                return Mutant(
                    f"{label} {what}", "side", row, statement, (*args, row), place[0], "side", place[1]
                )

            for path, new in _side_changes(kind, json.loads(value)):
                write = "UPDATE side SET value = CAST(json_set(value, ?, json(?)) AS BLOB) WHERE rowid = ?"
                yield made(f"{_plain(path)} {json.dumps(new)[:20]}", write, path, json.dumps(new))
            if kind not in ("user_settings", "domain_settings", "mailfilters"):
                yield made("dropped", "DELETE FROM side WHERE rowid = ?")


def _side_changes(kind: str, value: Any) -> Iterator[tuple[str, Any]]:
    rule = {
        "name": "r",
        "client": "bluemind",
        "type": "GENERIC",
        "trigger": "IN",
        "deferred": False,
        "active": True,
        "stop": True,
    }
    match kind:
        case "role" | "ou-roles":
            yield from (("$.roles", new) for _, new in others(value["roles"]))
            yield "$.roles", [*value["roles"], "canDoMore"]
        case "mailfilters":
            yield "$.filter.vacation.enabled", True
            yield "$.filter.forwarding.emails", ["somebody@else.test"]
            yield "$.filter.rules", [*value["filter"]["rules"], rule]
            if len(value["filter"]["rules"]) > 1:
                yield "$.filter.rules", value["filter"]["rules"][::-1]
        case "user_settings":
            for name in sorted(value["values"])[:5]:
                yield f"$.values.{name}", value["values"][name] + "x"
        case "domain_settings":
            for name in sorted(value["settings"])[:5]:
                yield f"$.settings.{name}", value["settings"][name] + "x"
        case "resourceTypes":
            yield "$.label", value["label"] + "x"
