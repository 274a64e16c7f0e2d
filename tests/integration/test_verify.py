"""The whole proof against two served installations: what differs is found, what is equal is not, what moves is told apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.verify_core import Installation, add_container, item, small_installation, two_cores
from tests.integration.verify_kit import Bucket, D, FakeLog, prove

from bmswitch.model.errors import AccessError, DifferentError, UnknownError, UnreachableError
from bmswitch.parity.passwords import Passwords
from bmswitch.workflows.proof_files import load_proof, refusal, save


def items(container: str) -> Callable[[Installation], dict[str, Any]]:
    return lambda held: held.items[container]


def change_item(container: str, uid: str, *keys: str, to: object) -> Callable[[Installation], None]:
    def change(held: Installation) -> None:
        target: Any = held.items[container][uid]
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = to

    return change


def drop_item(container: str, uid: str) -> Callable[[Installation], None]:
    def drop(held: Installation) -> None:
        del held.items[container][uid]

    return drop


def add_item(container: str, uid: str) -> Callable[[Installation], None]:
    def add(held: Installation) -> None:
        held.items[container][uid] = item(uid, 987654, {"x": 1})

    return add


def change_side(path: str, to: object) -> Callable[[Installation], None]:
    def change(held: Installation) -> None:
        assert path in held.side
        held.side[path] = to

    return change


def drop_entry(held: Installation) -> None:
    del held.entries[D]["u1"]


def rename_entry(held: Installation) -> None:
    held.entries[D]["u1"]["value"]["displayName"] = "someone else"


def renumber_entry(held: Installation) -> None:
    held.entries[D]["u1"]["internalId"] = 4711


def placeholder_entry(held: Installation) -> None:
    held.entries[D]["u1"]["value"]["displayName"] = "placeholder of u1"


def change_quota(held: Installation) -> None:
    held.complete[D]["u1"]["value"]["quota"] = 6


def change_resource(held: Installation) -> None:
    held.complete[D]["r1"]["label"] = "Auto-created t1"


def add_entry(held: Installation) -> None:
    held.entries[D]["u9"] = item("u9", 5, {"kind": "USER", "displayName": "extra"})


def drop_container(held: Installation) -> None:
    del held.containers["notes:default_u1"]


def other_owner(held: Installation) -> None:
    held.containers["notes:default_u1"]["owner"] = "u2"


def read_only(held: Installation) -> None:
    held.containers["notes:default_u1"]["readOnly"] = True


def change_acl(held: Installation) -> None:
    held.acls["notes:default_u1"].append({"subject": "u2", "verb": "Read"})


def change_settings(held: Installation) -> None:
    held.settings["notes:default_u1"]["colour"] = "red"


def duplicate_mail(held: Installation) -> None:
    records = held.items["mbox_records_f-u1"]
    records["9."] = {**records["1."], "uid": "9.", "internalId": 99999}


MUTANTS: dict[str, tuple[Callable[[Installation], None], str, str]] = {
    "entry dropped": (drop_entry, "dir", "u1"),
    "entry added": (add_entry, "dir", "u9"),
    "entry renamed": (rename_entry, "dir", "u1"),
    "entry id": (renumber_entry, "dir", "u1"),
    "entry is a placeholder": (placeholder_entry, "dir", "u1"),
    "quota": (change_quota, "entry", "value"),
    "resource": (change_resource, "entry", "value"),
    "container dropped": (drop_container, "containers", "notes:default_u1"),
    "container of another owner": (other_owner, "containers", "notes:default_u1"),
    "container read only": (read_only, "containers", "notes:default_u1"),
    "acl": (change_acl, "containers_meta", "acl"),
    "container settings": (change_settings, "containers_meta", "settings"),
    "members": (
        change_side(f"/api/groups/{D}/g1/members", [{"type": "user", "uid": "u0"}]),
        "side",
        "members",
    ),
    "roles": (change_side(f"/api/users/{D}/u1/roles", ["a"]), "side", "roles"),
    "settings": (change_side(f"/api/users/{D}/u1/_settings", {"lang": "fr"}), "side", "settings"),
    "filter": (
        change_side(f"/api/mailboxes/{D}/u1/_filter", {"rules": [{"id": 1, "name": "other"}]}),
        "side",
        "mail filter",
    ),
    "identity": (change_side(f"/api/users/{D}/u1/identity", []), "side", "identities"),
    "signature": (
        change_side(f"/api/users/{D}/u1/identity/default", {"email": f"u1@{D}", "signature": "<i>"}),
        "side",
        "identities",
    ),
    "domain's alias": (
        change_side(f"/api/domains/{D}", item(D, 3, {"name": D, "aliases": ["b.test"]})),
        "side",
        "domain",
    ),
    "server's roles": (
        change_side("/api/servers/default/_complete", [item("s1", 4, {"ip": "10.0.0.2", "tags": []})]),
        "side",
        "server roles",
    ),
    "server's assignment": (
        change_side(f"/api/servers/default/{D}/assignments", []),
        "side",
        "server assignments",
    ),
    "domain settings": (
        change_side(f"/api/domains/{D}/_settings", {"lang": "de"}),
        "side",
        "domain settings",
    ),
    "contact dropped": (drop_item("book:Contacts_u1", "c2"), "addressbook", "c2"),
    "contact version": (change_item("book:Contacts_u1", "c2", "version", to=8), "addressbook", "c2"),
    "contact id": (change_item("book:Contacts_u1", "c2", "internalId", to=8), "addressbook", "c2"),
    "event changed": (
        change_item("calendar:Default:u1", "e1", "value", "main", "summary", to="t"),
        "calendar",
        "e1",
    ),
    "event loses an attendee": (
        change_item("calendar:Default:u1", "e1", "value", "main", "attendees", to=["p"]),
        "calendar",
        "e1",
    ),
    "note updated later": (change_item("notes:default_u1", "n/1", "updated", to=2001), "notes", "n/1"),
    "task": (change_item("todolist:default_u1", "t1", "value", "summary", to="no"), "todolist", "t1"),
    "tag added": (add_item("tags_u1", "blue"), "tags", "blue"),
    "device": (change_item("device:u1", "d1", "value", "identifier", to="other"), "device", "d1"),
    "web data": (change_item("webappdata:u1", "w1", "value", "value", to="z"), "webappdata", "w1"),
    "hierarchy node dropped": (drop_item("hierarchy_u1", "node"), "container_flat_hierarchy", "node"),
    "subscription": (
        change_item("subscriptions_u1", "sub", "value", "offlineSync", to=False),
        "owner_subscriptions",
        "sub",
    ),
    "folder renamed": (
        change_item("subtree_u1", "f-u1", "value", "fullName", to="Other"),
        "replicated_mailboxes",
        "f-u1",
    ),
    "UIDVALIDITY": (
        change_item("subtree_u1", "f-u1", "value", "uidValidity", to=1),
        "replicated_mailboxes",
        "f-u1",
    ),
    "UIDNEXT behind": (
        change_item("subtree_u1", "f-u1", "value", "lastUid", to=2),
        "replicated_mailboxes",
        "f-u1",
    ),
    "mail dropped": (drop_item("mbox_records_f-u1", "2."), "mailbox_records", "2."),
    "mail twice": (duplicate_mail, "mailbox_records", "9."),
    "mail flags": (
        change_item("mbox_records_f-u1", "2.", "value", "flags", to=["$Label"]),
        "mailbox_records",
        "2.",
    ),
    "mail item flags": (
        change_item("mbox_records_f-u1", "2.", "flags", to=["Deleted"]),
        "mailbox_records",
        "2.",
    ),
    "mail body": (
        change_item("mbox_records_f-u1", "2.", "value", "messageBody", to="f" * 40),
        "mailbox_records",
        "2.",
    ),
    "count only": (lambda held: held.extra_count.update({"tags_u1": 1}), "tags", "(count)"),
}


def test_two_equal_installations_are_equal_and_nothing_is_listed() -> None:
    held = small_installation()
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "equal"
    assert outcome.differences == []
    assert outcome.proof.position == {"t": [1, 2]}
    assert outcome.proof.containers == 33
    assert outcome.proof.items == 42
    assert outcome.proof.bodies == 9
    assert outcome.proof.bodies_read == 9
    assert any("passwords" in name for name in outcome.proof.not_proved)
    assert any("external accounts: green does not offer" in name for name in outcome.proof.not_proved)


@pytest.mark.parametrize("name", MUTANTS)
def test_one_thing_changed_on_green_is_found(name: str) -> None:
    mutate, kind, uid = MUTANTS[name]
    held = small_installation()
    changed = held.clone()
    mutate(changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "different"
    assert {(one.type, one.item) for one in outcome.differences if one.known is None} >= {(kind, uid)}
    error = refusal(outcome.proof, Path("/run"))
    assert isinstance(error, DifferentError)


HARMLESS: dict[str, Callable[[Installation], None]] = {
    "mod sequence": change_item("mbox_records_f-u1", "2.", "value", "modSeq", to=900),
    "mail version": change_item("mbox_records_f-u1", "2.", "version", to=900),
    "order of flags": change_item("mbox_records_f-u1", "2.", "value", "flags", to=["$Label", "\\Seen"]),
    "UIDNEXT ahead": change_item("subtree_u1", "f-u1", "value", "lastUid", to=2000),
    "last synchronisation": change_item("device:u1", "d1", "value", "lastSync", to=900),
    "id of web data": change_item("webappdata:u1", "w1", "internalId", to=900),
    "rule id": change_side(f"/api/mailboxes/{D}/u1/_filter", {"rules": [{"id": 7, "name": "r"}]}),
    "server's address": change_side(
        "/api/servers/default/_complete", [item("s1", 9, {"ip": "10.0.0.2", "tags": ["mail/imap"]})]
    ),
    "nulls": change_item("tags_u1", "red", "value", to={"label": "red", "color": None}),
    "container id": lambda held: held.containers["notes:default_u1"].update(internalId=99),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_clone_may_change_is_no_difference(name: str) -> None:
    held = small_installation()
    changed = held.clone()
    HARMLESS[name](changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.differences == []


def test_the_domains_own_book_is_read_although_its_owner_is_no_entry() -> None:
    held, book = small_installation(1), f"addressbook_{D}"
    add_container(held, D, book, book, "addressbook")["c1"] = item("c1", 700, {"note": "x"})
    changed = held.clone()
    change_item(book, "c1", "value", "note", to="y")(changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    assert [(one.container, one.item, one.what) for one in outcome.differences] == [(book, "c1", "note")]


def test_a_hierarchy_node_left_on_green_is_known_and_does_not_decide() -> None:
    held = small_installation()
    changed = held.clone()
    add_item("hierarchy_u1", "old")(changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "equal"
    assert outcome.proof.known_differences == 1
    assert "3.3" in (outcome.differences[0].known or "")


def test_a_uid_validity_of_greens_own_is_a_difference() -> None:
    held = small_installation()
    changed = held.clone()
    change_item("subtree_u1", "f-u1", "value", "uidValidity", to=7)(changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "different"
    assert [(one.what, one.known) for one in outcome.differences] == [("uidValidity", None)]


def test_what_green_has_after_the_barrier_is_no_difference() -> None:
    held = small_installation()
    late = held.clone()
    drop_item("notes:default_u1", "n/1")(late)
    with two_cores(held, late) as (blue, green):

        def catch_up(method: str, path: str, body: object) -> None:
            if path == f"/api/directory/{D}/_mget" and any(
                "notes%3Adefault_u1" in call for call in green.calls
            ):
                green.held.items["notes:default_u1"] = blue.held.items["notes:default_u1"]

        green.hook = catch_up
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "equal"
    assert outcome.differences == []


def test_an_item_that_never_stands_still_is_unknown() -> None:
    held = small_installation()
    changed = held.clone()
    change_item("notes:default_u1", "n/1", "value", "body", to="0")(changed)
    with two_cores(held, changed) as (blue, green):
        mirror = blue.hook

        def busy(method: str, path: str, body: object) -> None:
            mirror(method, path, body)
            if path == "/api/notes/notes%3Adefault_u1/_mget":
                blue.held.items["notes:default_u1"]["n/1"]["version"] += 1

        blue.hook = busy
        outcome = prove(blue, green, rounds=3)
    assert outcome.proof.verdict == "unknown"
    assert outcome.proof.unsettled == 1
    assert isinstance(refusal(outcome.proof, Path("/run")), UnknownError)


def test_a_container_that_appears_late_on_green_is_read_too() -> None:
    held = small_installation()
    late = held.clone()
    drop_container(late)
    drop_item("notes:default_u1", "n/1")(late)
    with two_cores(held, late) as (blue, green):

        def appear(method: str, path: str, body: object) -> None:
            listed = green.calls.count("POST /api/containers/_manage/_listLight")
            if path == f"/api/directory/{D}/_mget" and listed:
                green.held.containers["notes:default_u1"] = blue.held.containers["notes:default_u1"]

        green.hook = appear
        outcome = prove(blue, green)
    assert [(one.type, one.item, one.side) for one in outcome.differences] == [("notes", "n/1", "source")]


def test_bodies_that_are_missing_or_damaged_are_found() -> None:
    held, bucket = small_installation(), Bucket()
    guids = sorted(r["value"]["messageBody"] for r in held.items["mbox_records_f-u1"].values())
    bucket.lost, bucket.damaged = {guids[0]}, {guids[1]}
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green, bucket=bucket)
    assert {(one.item, one.what) for one in outcome.differences} == {
        (guids[0], "body missing in the bucket"),
        (guids[1], "body damaged in the bucket"),
    }


@pytest.mark.parametrize(
    ("blue_says", "green_says", "verdict", "words"),
    [
        ("PASSWORD", "PASSWORD", "equal", "passwords of all but probe@lab.test"),
        ("PASSWORD", "NONE", "different", "passwords of all but probe@lab.test"),
        ("NONE", "NONE", "equal", "the source itself refuses"),
    ],
)
def test_the_canarys_password_is_tried_on_both_sides(
    blue_says: str, green_says: str, verdict: str, words: str
) -> None:
    held = small_installation(1)
    passwords = Passwords(f"probe@{D}", lambda: blue_says, lambda: green_says)
    with two_cores(held, held.clone()) as (blue, green):
        outcome = prove(blue, green, passwords=passwords)
    assert outcome.proof.verdict == verdict
    assert any(words in what for what in outcome.proof.not_proved)
    assert [one.cause is not None for one in outcome.differences] == [True] * (verdict == "different")


def test_a_side_that_refuses_our_key_is_an_error_without_the_token() -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green), pytest.raises(AccessError) as caught:
        prove(blue, green, green_token="wrong-key")
    assert "wrong-key" not in caught.value.cause + caught.value.evidence


def test_a_read_that_fails_on_one_side_is_never_equal() -> None:
    held = small_installation(1)
    broken = held.clone()
    broken.faults["/api/notes/notes%3Adefault_u0/_mget"] = (500, {"errorCode": "SQL_ERROR", "message": "x"})
    with two_cores(held, broken) as (blue, green), pytest.raises(UnknownError):
        prove(blue, green)


def test_a_read_that_one_side_does_not_offer_is_named_and_decides_nothing() -> None:
    held = small_installation(1)
    other = held.clone()
    del other.side[f"/api/users/{D}/u0/identity"]
    with two_cores(held, other) as (blue, green):
        outcome = prove(blue, green)
    assert outcome.proof.verdict == "equal"
    assert "identities: green does not offer the read" in outcome.proof.not_proved


def test_a_side_that_is_gone_is_unreachable() -> None:
    held = small_installation(1)
    with two_cores(held, held.clone()) as (blue, green):
        url, green.url = green.url, "http://127.0.0.1:9"
        with pytest.raises(UnreachableError):
            prove(blue, green)
        green.url = url


def test_the_files_are_private_and_can_be_read_again(tmp_path: Path) -> None:
    held = small_installation(1)
    changed = held.clone()
    change_item("notes:default_u0", "n/1", "value", "body", to="secret words")(changed)
    with two_cores(held, changed) as (blue, green):
        outcome = prove(blue, green)
    save(tmp_path, outcome)
    assert load_proof(tmp_path) == outcome.proof
    lines = (tmp_path / "differences.ndjson").read_text().splitlines()
    assert len(lines) == 1
    assert "secret words" not in lines[0]
    assert (tmp_path / "proof.json").stat().st_mode & 0o77 == 0


def test_a_value_that_comes_back_under_traffic_is_not_called_different() -> None:
    """One event made, one deleted: blue's count is the same at each reading, and green is always one event behind."""
    held, log = small_installation(1), FakeLog()
    with two_cores(held, held.clone()) as (blue, green):
        green.held.extra_count["tags_u0"] = -1
        mirror = blue.hook

        def busy(method: str, path: str, body: object) -> None:
            mirror(method, path, body)
            if path.endswith("/tags_u0/_itemCount"):
                log.touch("tags", "u0", "tags_u0", f"made-{len(log.records)}")

        blue.hook = busy
        outcome = prove(blue, green, log=log, rounds=4)
    assert [(one.item, one.what) for one in outcome.differences] == [
        ("(count)", "changes faster than it can be read")
    ]
    assert outcome.proof.verdict == "unknown"


def test_a_difference_is_certain_once_the_traffic_has_gone_by() -> None:
    held, log = small_installation(1), FakeLog()
    with two_cores(held, held.clone()) as (blue, green):
        green.held.extra_count["tags_u0"] = -1
        mirror = blue.hook

        def busy(method: str, path: str, body: object) -> None:
            mirror(method, path, body)
            if path.endswith("/tags_u0/_itemCount") and len(log.records) < 2:
                log.touch("tags", "u0", "tags_u0", "made")

        blue.hook = busy
        outcome = prove(blue, green, log=log, rounds=5)
    assert [(one.item, one.what) for one in outcome.differences] == [("(count)", "count")]


def test_a_record_that_is_sent_after_the_barrier_is_waited_for() -> None:
    """Blue answers reads from its database before its record is sent (change-log.md 8.1): one barrier can overtake it."""
    held = small_installation(1)
    late = held.clone()
    drop_item("notes:default_u0", "n/1")(late)
    with two_cores(held, late) as (blue, green):
        mirror = blue.hook

        def sent(method: str, path: str, body: object) -> None:
            mirror(method, path, body)
            if "POST /api/notes/notes%3Adefault_u0/_mget" in green.calls:
                green.held.items["notes:default_u0"] = blue.held.items["notes:default_u0"]

        blue.hook = sent
        outcome = prove(blue, green)
    assert outcome.differences == []
