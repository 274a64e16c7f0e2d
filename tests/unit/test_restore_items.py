import pytest
from tests.unit.restore_kit import CREATED, Kit, now_ms

from bmswitch.lab.restore.context import RestoreError
from bmswitch.lab.store import Container
from bmswitch.model.records import Operation, RecordKey

BOOK = "book:Contacts_u1"


def test_a_card_keeps_uid_id_version_and_dates_but_not_its_authors() -> None:
    kit = Kit()
    kit.put("addressbook", "u1", BOOK, "c1", {"n": 1}, 42, version=9)
    item = kit.item(BOOK, "c1")
    assert (item.id, item.version, item.created, item.updated) == (42, 9, CREATED, CREATED)
    assert (item.created_by, item.updated_by) == ("system", "system")
    container = kit.store.container(BOOK)
    assert container is not None
    assert (container.type, container.owner, container.name, container.version) == (
        "addressbook", "u1", f"book-{BOOK}", 9,
    )  # fmt: skip


def test_an_update_of_a_missing_item_creates_it_and_a_replay_changes_nothing() -> None:
    kit = Kit()
    for _ in range(2):
        kit.put("todolist", "u1", "todolist:default_u1", "t1", {"n": 2}, 43, "UPDATE")
    assert kit.store.item_count("todolist:default_u1") == 1
    assert kit.item("todolist:default_u1", "t1").id == 43


def test_the_same_uid_with_another_id_replaces_the_item() -> None:
    kit = Kit()
    kit.put("calendar", "u1", "calendar:Default:u1", "e1", {"n": 1}, 42)
    kit.put("calendar", "u1", "calendar:Default:u1", "e1", {"n": 2}, 99)
    assert kit.store.item_count("calendar:Default:u1") == 1
    assert kit.item("calendar:Default:u1", "e1").id == 99


def test_the_container_version_may_go_backwards() -> None:
    kit = Kit()
    kit.put("addressbook", "u1", BOOK, "c1", {}, 42, version=30)
    kit.put("addressbook", "u1", BOOK, "c2", {}, 43, version=12)
    container = kit.store.container(BOOK)
    assert container is not None
    assert container.version == 12


def test_deletes_of_unknown_containers_and_items_are_fine() -> None:
    kit = Kit()
    kit.delete("addressbook", "u1", "nowhere", "c1", 42)
    kit.put("addressbook", "u1", BOOK, "c1", {}, 42)
    kit.delete("addressbook", "u1", BOOK, "c2", 43)
    kit.delete("addressbook", "u1", BOOK, "c1", 42)
    assert kit.store.item_count(BOOK) == 0


@pytest.mark.parametrize(
    ("kind", "default"),
    [("notes", "notes:default_u1"), ("tags", "tags_u1"), ("device", "device:u1")],
)
def test_only_default_containers_of_these_types_are_made(kind: str, default: str) -> None:
    kit = Kit()
    kit.put(kind, "u1", default, "x", {}, 42)
    assert kit.item(default, "x").id == 42
    with pytest.raises(RestoreError, match="container of a record"):
        kit.put(kind, "u1", f"{kind}:user_42", "x", {}, 43)


def test_web_application_data_gets_a_new_id_with_each_other_record_in_a_clone() -> None:
    kit = Kit()
    for _ in range(2):
        kit.put("webappdata", "u1", "webappdata:u1", "key", {"value": 1}, 42, "UPDATE")
    assert kit.item("webappdata:u1", "key").id == 1_000_002
    exact = Kit(exact=True)
    exact.put("webappdata", "u1", "webappdata:u1", "key", {"value": 1}, 42)
    assert exact.item("webappdata:u1", "key").id == 42


def test_removed_hierarchy_nodes_stay_in_a_clone_only() -> None:
    box = "container_flat_hierarchy_u1_at_lab.test"
    for exact in (False, True):
        kit = Kit(exact=exact)
        kit.put("container_flat_hierarchy", "u1", box, "n1", {}, 42)
        kit.delete("container_flat_hierarchy", "u1", box, "n1", 42)
        assert kit.store.item_count(box) == (0 if exact else 1)


def test_hierarchy_nodes_get_local_version_and_dates() -> None:
    kit = Kit()
    before = now_ms()
    kit.put("container_flat_hierarchy", "u1", "h", "n1", {}, 42, version=500)
    item = kit.item("h", "n1")
    assert item.version == 1
    assert item.created is not None
    assert item.created >= before


def test_a_failure_of_an_owner_nobody_knows_is_ignored_and_said() -> None:
    kit = Kit()
    kit.put("notes", "ghost", "notes:user_42", "x", {}, 43)
    assert any("owner of ghost is not known to CRP: ignore errors" in line for line in kit.log)


def test_id_zero_null_values_and_unknown_types_are_dropped() -> None:
    kit = Kit()
    kit.put("addressbook", "u1", BOOK, "c1", {}, 0)
    kit.feed(RecordKey("addressbook", "u1", BOOK, 5, None, Operation.CREATE), None)
    kit.put("mapi_fai", "u1", "mapi_fai_x", "c1", {}, 7)
    assert kit.store.container(BOOK) is None
    assert any("op:skip, type:mapi_fai" in line for line in kit.log)


def test_skipped_types_are_not_restored() -> None:
    kit = Kit()
    kit.router._skipped = frozenset({"addressbook"})
    kit.put("addressbook", "u1", BOOK, "c1", {}, 42)
    assert kit.store.container(BOOK) is None


def test_an_unreadable_value_is_fatal_for_a_known_owner() -> None:
    kit = Kit()
    key = RecordKey("addressbook", "u1", BOOK, 5, None, Operation.CREATE)
    with pytest.raises(RestoreError):
        kit.feed(key, b'{"uid": 5}')


def test_metadata_creates_the_container_then_sets_and_empties_its_list() -> None:
    kit = Kit()
    described = {
        "uid": "notes:user_1",
        "type": "notes",
        "owner": "u1",
        "name": "mine",
        "domainUid": "lab.test",
    }
    full = {
        "contDesc": described,
        "acls": [{"subject": "u2", "verb": "Read"}],
        "settings": {"a": "b", "c": None},
    }
    for value in (full, full | {"acls": None, "settings": None}):
        kit.put("containers_meta", "u1", "u1_at_lab.test_containers_meta", "notes:user_1", value)
        container = kit.store.container("notes:user_1")
        assert isinstance(container, Container)
        assert [(ace.subject, ace.verb) for ace in container.acls] == [("u2", "Read")]
        assert (container.settings, container.owner, container.name) == ({"a": "b"}, "u1", "mine")
    kit.put("containers_meta", "u1", "x", "notes:user_1", full | {"acls": [], "settings": {}})
    container = kit.store.container("notes:user_1")
    assert container is not None
    assert (container.acls, container.settings) == ((), {})


def test_metadata_deletion_removes_the_container_and_only_warns_when_it_is_gone() -> None:
    kit = Kit()
    kit.put("addressbook", "u1", BOOK, "c1", {}, 42)
    for _ in range(2):
        kit.delete("containers_meta", "u1", "u1_at_lab.test_containers_meta", BOOK, 5)
    assert kit.store.container(BOOK) is None
    assert any("WARN" in line for line in kit.log)


def test_legacy_metadata_with_one_half_sets_that_half() -> None:
    kit = Kit()
    kit.put("addressbook", "u1", BOOK, "c1", {}, 42)
    half = {"containerUid": BOOK, "type": "ACL", "acls": [{"subject": "u1", "verb": "All"}], "settings": None}
    kit.put("containers_meta", "u1", "u1_at_lab.test_containers_meta", BOOK, half)
    container = kit.store.container(BOOK)
    assert container is not None
    assert container.acls[0].verb == "All"
    with pytest.raises(RestoreError, match="does not exist"):
        kit.put("containers_meta", "u1", "x", "nowhere", half | {"containerUid": "nowhere"})
