"""The proof on the lab's own installations: a native clone equals its origin, and every mutant of it is found.

Green was cloned by the stand-in's restorer from blue's log; each mutant changes one thing in green's store and is undone.
"""

# ruff: noqa: S608 - statements of a test, on its own database

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.integration.core_kit import DOMAIN, TOKENS
from tests.integration.standin_pair import Pair, client_of, prove, running_pair

from bmswitch.bluemind.bulk import Bulk
from bmswitch.bluemind.pen import Pen
from bmswitch.model.differences import Difference
from bmswitch.model.errors import RefusedError
from bmswitch.workflows.barrier import run_barrier
from bmswitch.workflows.repair import Tools, mend_all

Change = tuple[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(tmp_path_factory.mktemp("pair"), DOMAIN) as made:
        yield made


def test_an_untouched_clone_equals_its_origin(pair: Pair) -> None:
    outcome = prove(pair)
    assert [one for one in outcome.differences if one.known is None] == []
    assert outcome.proof.verdict == "equal"
    assert outcome.proof.items > 100
    assert outcome.proof.bodies > 0
    assert outcome.proof.bodies_read > 0


@contextmanager
def changed(store: Path, statement: str, *args: object) -> Iterator[None]:
    """One statement on green's store, undone at the end by putting the tables back as they were."""
    tables = ("containers", "items", "side")
    with closing(sqlite3.connect(store, timeout=10)) as db:
        for table in tables:
            db.execute(f"CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table}")
        with db:
            assert db.execute(statement, args).rowcount > 0, "the mutant changed nothing"
        try:
            yield
        finally:
            with db:
                for table in tables:
                    db.execute(f"DELETE FROM {table}")
                    db.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")


def first_of(kind: str) -> str:
    """rowid of the first item of a type, by uid."""
    return f"(SELECT i.rowid FROM items i JOIN containers c ON c.id = i.container WHERE c.type = '{kind}' ORDER BY i.uid LIMIT 1)"


def value(kind: str, path: str, new: object) -> Change:
    return (
        f"UPDATE items SET value = CAST(json_set(value, '$.{path}', json(?)) AS BLOB) WHERE rowid = {first_of(kind)}",
        (json.dumps(new),),
    )


def column(kind: str, name: str, new: object) -> Change:
    return (f"UPDATE items SET {name} = ? WHERE rowid = {first_of(kind)}", (new,))


def drop(kind: str) -> Change:
    return (f"DELETE FROM items WHERE rowid = {first_of(kind)}", ())


def twice(kind: str, uid: str) -> Change:
    return (
        (
            "INSERT INTO items SELECT container, ?, id + 5000000, version, display_name, external_id, created_by, updated_by, "
            f"created, updated, flags, value, value_class FROM items WHERE rowid = {first_of(kind)}"
        ),
        (uid,),
    )


def side(kind: str, new: object | None) -> Change:
    where = f"rowid = (SELECT rowid FROM side WHERE type = '{kind}' AND domain = '{DOMAIN}' ORDER BY owner LIMIT 1)"
    if new is None:
        return (f"DELETE FROM side WHERE {where}", ())
    return (
        f"UPDATE side SET value = CAST(json_patch(value, ?) AS BLOB) WHERE {where}",
        (json.dumps(new),),
    )


def new_side(kind: str, owner_kind: str, uid_kind: str, value: object) -> Change:
    """One thing more on green, of the first entries of two kinds."""
    first = "(SELECT min(uid) FROM items WHERE json_extract(value, '$.entry.kind') = ?)"
    return (
        f"INSERT INTO side SELECT ?, {first}, {first}, '{DOMAIN}', CAST(? AS BLOB), 'c', 1, 1",
        (kind, owner_kind, uid_kind, json.dumps(value)),
    )


def container(name: str, new: object) -> Change:
    return (
        (
            f"UPDATE containers SET {name} = ? WHERE type = 'notes' AND rowid = "
            "(SELECT rowid FROM containers WHERE type = 'notes' ORDER BY uid LIMIT 1)"
        ),
        (new,),
    )


def entry(kind: str, path: str, new: object) -> Change:
    return (
        (
            f"UPDATE items SET value = CAST(json_set(value, '$.{path}', json(?)) AS BLOB) WHERE rowid = (SELECT rowid FROM items "
            f"WHERE json_extract(value, '$.entry.kind') = '{kind}' AND uid NOT LIKE 'bmswitch%' ORDER BY uid LIMIT 1)"
        ),
        (json.dumps(new),),
    )


MUTANTS: dict[str, tuple[Change, str]] = {
    "event's title": (value("calendar", "main.summary", "other"), "calendar"),
    "event dropped": (drop("calendar"), "calendar"),
    "event twice": (twice("calendar", "copy"), "calendar"),
    "event's version": (column("calendar", "version", 4711), "calendar"),
    "event's id": (column("calendar", "id", 6_000_001), "calendar"),
    "contact's name": (value("addressbook", "identification.formatedName.value", "other"), "addressbook"),
    "contact dropped": (drop("addressbook"), "addressbook"),
    "contact's date": (column("addressbook", "updated", 5), "addressbook"),
    "note's text": (value("notes", "body", "other"), "notes"),
    "note dropped": (drop("notes"), "notes"),
    "note twice": (twice("notes", "copy"), "notes"),
    "task's title": (value("todolist", "summary", "other"), "todolist"),
    "task twice": (twice("todolist", "copy"), "todolist"),
    "web data": (value("webappdata", "value", "other"), "webappdata"),
    "view": (value("calendarview", "label", "other"), "calendarview"),
    "subscription": (value("owner_subscriptions", "name", "other"), "owner_subscriptions"),
    "subscription dropped": (drop("owner_subscriptions"), "owner_subscriptions"),
    "hierarchy node dropped": (drop("container_flat_hierarchy"), "container_flat_hierarchy"),
    "folder's name": (value("replicated_mailboxes", "fullName", "Other"), "replicated_mailboxes"),
    "folder dropped": (drop("replicated_mailboxes"), "replicated_mailboxes"),
    "UIDVALIDITY": (value("replicated_mailboxes", "uidValidity", 123_456), "replicated_mailboxes"),
    "mail dropped": (drop("mailbox_records"), "mailbox_records"),
    "mail twice": (twice("mailbox_records", "900001."), "mailbox_records"),
    "mail's flags": (value("mailbox_records", "flags", ["\\Answered", "$X"]), "mailbox_records"),
    "mail's body": (value("mailbox_records", "messageBody", "0" * 40), "mailbox_records"),
    "mail's date": (value("mailbox_records", "internalDate", 1), "mailbox_records"),
    "access rights": (container("acls", b'[{"subject":"x","verb":"Read"}]'), "containers_meta"),
    "container settings": (container("settings", b'{"a":"b"}'), "containers_meta"),
    "container dropped": (
        (
            "UPDATE containers SET owner = 'nobody' WHERE uid = (SELECT max(uid) FROM containers WHERE type = 'tags')",
            (),
        ),
        "containers",
    ),
    "user's face": (entry("USER", "entry.displayName", "other"), "dir"),
    "user's quota": (entry("USER", "value.quota", 77), "entry"),
    "group's description": (entry("GROUP", "value.description", "other"), "entry"),
    "resource's label": (entry("RESOURCE", "value.label", "other"), "entry"),
    "unit's name": (entry("ORG_UNIT", "value.name", "other"), "entry"),
    "mail filter": (side("mailfilters", {"filter": {"vacation": {"enabled": True}}}), "side"),
    "roles": (side("role", {"roles": ["other"]}), "side"),
    "membership": (side("memberships", None), "side"),
    "identity": (side("userMailIdentities", {"name": "other"}), "side"),
    "user settings": (new_side("user_settings", "USER", "USER", {"values": {"lang": "de"}}), "side"),
    "domain settings": (side("domain_settings", {"settings": {"lang": "de"}}), "side"),
    "unit's administrator": (
        new_side(
            "ou-roles",
            "USER",
            "ORG_UNIT",
            {"kind": "USER", "roles": ["x"], "dirUid": "u", "orgUnit": {"name": "n"}},
        ),
        "side",
    ),
    "resource type": (side("resourceTypes", {"label": "other"}), "side"),
}


MENDED = (
    "web data",
    "mail filter",
    "roles",
    "membership",
    "identity",
    "user settings",
    "domain settings",
    "unit's administrator",
    "resource type",
    "container settings",
    "user's quota",
    "group's description",
    "resource's label",
    "note twice",
    "task twice",
    "event twice",
)


@contextmanager
def tools(pair: Pair) -> Iterator[Tools]:
    first, second = client_of(pair.blue), client_of(pair.green)
    source = Pen(pair.blue.site.url, TOKENS["blue"], name="blue")
    target = Pen(pair.green.site.url, TOKENS["green"], name="green")
    yield Tools(
        source=source,
        target=target,
        bulks=lambda: (
            Bulk(pair.blue.site.url, TOKENS["blue"], name="blue"),
            Bulk(pair.green.site.url, TOKENS["green"], name="green"),
        ),
        state=second.state,
        barrier=lambda: run_barrier(first, second, [DOMAIN], timeout=30),
    )
    for each in (first, second, source, target):
        each.close()


def test_what_rest_can_mend_is_mended_on_green_and_proved_again(pair: Pair, tmp_path: Path) -> None:
    with contextlib.ExitStack() as mutants:
        for name in MENDED:
            statement, args = MUTANTS[name][0]
            mutants.enter_context(changed(pair.green_store, statement, *args))
        before = prove(pair)
        told: list[Difference] = []
        with tools(pair) as work:
            repaired = mend_all(work, before, tmp_path, told.extend, lambda _: None)
        assert {(one.type, one.item) for one in told} == {
            (one.type, one.item) for one in before.differences if one.known is None
        }
        assert [note.said for note in repaired.notes if note.state == "refused"] == []
        assert [one for one in repaired.outcome.differences if one.known is None] == []
        assert repaired.outcome.proof.verdict == "equal"
        assert repaired.outcome.proof.repaired == len(told)
        after = prove(pair)
        assert [one for one in after.differences if one.known is None] == []
    lines = (tmp_path / "repair.ndjson").read_bytes().splitlines()
    assert len(lines) == 3 * len(told)


def test_what_rest_can_not_mend_is_said_and_left_alone(pair: Pair, tmp_path: Path) -> None:
    (statement, args), _ = MUTANTS["event's version"]
    with changed(pair.green_store, statement, *args):
        before = prove(pair)
        assert [one.repair for one in before.differences if one.known is None] == [None]
        with tools(pair) as work:
            repaired = mend_all(work, before, tmp_path, lambda _: pytest.fail("asked"), lambda _: None)
    assert repaired.outcome.proof.verdict == "different"
    assert repaired.notes == []


@pytest.mark.parametrize("why", ["leads", "no"])
def test_a_green_that_leads_or_an_operator_who_says_no_stops_before_anything_is_written(
    pair: Pair, tmp_path: Path, why: str
) -> None:
    (statement, args), _ = MUTANTS["web data"]

    def confirm(_: list[Difference]) -> None:
        raise RefusedError("the name does not fit")

    with changed(pair.green_store, statement, *args):
        before = prove(pair)
        with tools(pair) as work:
            work.state = (lambda: "CORE_STATE_RUNNING") if why == "leads" else work.state
            with pytest.raises(RefusedError):
                mend_all(work, before, tmp_path, confirm, lambda _: None)
        assert prove(pair).proof.verdict == "different"
    assert not (tmp_path / "repair.ndjson").exists()


REPRESENTATIVE = 3
"""Every third mutant is in the default run; all of them are in `make test-all`."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if number % REPRESENTATIVE == 0 else pytest.mark.slow)
        for number, name in enumerate(MUTANTS)
    ],
)
def test_one_thing_changed_in_greens_store_is_found(pair: Pair, name: str) -> None:
    (statement, args), kind = MUTANTS[name]
    with changed(pair.green_store, statement, *args):
        outcome = prove(pair)
    assert outcome.proof.verdict == "different"
    assert kind in {one.type for one in outcome.differences if one.known is None}
