"""The stand-in's store: forced values, transactions, address index."""

import stat
import threading
from pathlib import Path

import msgspec
import pytest

from bmswitch.lab.store import DIR_ENTRY_CLASS, Ace, Container, Item, Session, Side, Store


@pytest.fixture
def store() -> Store:
    made = Store(":memory:")
    made.create_container(Container(uid="c", type="notes", owner="u", domain="d", name="notes"))
    return made


def item(uid: str = "i", number: int = 7, version: int = 3, **other: object) -> Item:
    fields: dict[str, object] = {
        "uid": uid,
        "id": number,
        "version": version,
        "value": b"{}",
        "value_class": "x",
    }
    return msgspec.convert(fields | other, Item, builtin_types=(bytes,))


def test_an_item_is_stored_exactly_as_given(store: Store) -> None:
    given = item(display_name="é", created=1, updated=2, flags=("Seen", "Deleted"), created_by="system")
    store.put_item("c", given)
    assert store.item("c", "i") == given
    assert store.item_by_id("c", 7) == given
    assert store.items_by_uid("c", ["i", "absent"]) == [given]
    assert store.descriptors("c") == [msgspec.structs.replace(given, value=b"")]
    assert store.item_count("c") == 1


def test_an_item_may_be_replaced_by_one_with_another_id(store: Store) -> None:
    store.put_item("c", item(number=7))
    store.put_item("c", item(number=1_000_001))
    assert [found.id for found in store.items("c")] == [1_000_001]


def test_an_unknown_container_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError):
        store.put_item("nowhere", item())
    with pytest.raises(KeyError):
        store.next_version("nowhere")


def test_versions_count_up_and_may_be_set_back(store: Store) -> None:
    assert [store.next_version("c"), store.next_version("c")] == [1, 2]
    store.set_container_version("c", 1)
    assert store.next_version("c") == 2


def test_ids_are_given_once_and_only_move_forward(store: Store) -> None:
    assert store.next_id() == 1
    assert store.next_id(7) == 2
    assert store.next_id() == 9
    assert store.bump_id_sequence(1_000_000)
    assert not store.bump_id_sequence(5)
    assert store.next_id() == 1_000_001


def test_a_container_keeps_its_items_when_it_is_written_again(store: Store) -> None:
    first = store.container("c")
    store.put_item("c", item())
    again = store.create_container(
        Container(uid="c", type="notes", owner="u", domain="d", name="new", acls=(Ace("u", "All"),))
    )
    assert first is not None
    assert again.id == first.id
    assert store.item_count("c") == 1
    assert store.update_container("c", settings={"a": "b"})
    found = store.container("c")
    assert found is not None
    assert (found.name, found.acls, found.settings) == ("new", (Ace("u", "All"),), {"a": "b"})
    assert store.delete_container("c")
    assert not store.delete_container("c")
    assert not store.update_container("c", name="x")


def test_a_failed_transaction_leaves_nothing_not_even_inner_ones(store: Store) -> None:
    def fails() -> None:
        with store.tx():
            with store.tx():
                store.create_container(Container(uid="inner", type="t", owner="o"))
                store.put_item("inner", item())
            store.next_id()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.container("inner") is None
    assert store.id_sequence() == 0
    with pytest.raises(KeyError):
        store.put_item("inner", item())


def test_addresses_of_entries_are_found_without_regard_to_case_until_they_go(store: Store) -> None:
    store.create_container(Container(uid="lab.test", type="dir", owner="system", domain="lab.test"))
    value = {"value": {"login": "Ada", "emails": [{"address": "Ada.L@lab.test"}]}}
    store.put_item("lab.test", item("u1", value=msgspec.json.encode(value), value_class=DIR_ENTRY_CLASS))
    assert store.find_address("ada.l@LAB.test") == ("lab.test", "u1")
    assert store.find_address("ada@lab.test") == ("lab.test", "u1")
    value["value"]["emails"] = []
    store.put_item("lab.test", item("u1", value=msgspec.json.encode(value), value_class=DIR_ENTRY_CLASS))
    assert store.find_address("ada.l@lab.test") is None
    assert store.delete_item("lab.test", "u1") is not None
    assert store.find_address("ada@lab.test") is None


def test_side_data_is_found_by_owner_and_by_uid(store: Store) -> None:
    for owner in ("u1", "u2"):
        store.put_side(Side(type="memberships", owner=owner, uid="g", domain="d", value=b"{}"))
    assert [side.owner for side in store.sides("memberships", uid="g")] == ["u1", "u2"]
    assert [side.uid for side in store.sides("memberships", owner="u1")] == ["g"]
    assert store.delete_side("memberships", "u1", "g")
    assert not store.delete_side("memberships", "u1", "g")
    assert store.side("memberships", "u1", "g") is None


def test_passwords_and_sessions(store: Store) -> None:
    store.set_password("d", "u", "hash", 5)
    assert (store.password("d", "u"), store.password_changed("d", "u")) == ("hash", 5)
    store.delete_password("d", "u")
    assert store.password("d", "u") is None
    store.put_session(Session("k", "d", "u", 1))
    assert store.session("k") == Session("k", "d", "u", 1)
    store.delete_session("k")
    assert store.session("k") is None


def test_everything_is_there_after_a_restart_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "core.sqlite"
    store = Store(path)
    store.create_container(Container(uid="c", type="notes", owner="u"))
    store.put_item("c", item())
    store.set_meta("k", "v")
    store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Store(path)
    assert again.item("c", "i") == item()
    assert again.meta("k") == "v"
    again.close()


def test_two_threads_never_see_half_a_transaction(store: Store) -> None:
    seen: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(store.item_count("c") % 2)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(0, 100, 2):
        with store.tx():
            store.put_item("c", item(f"i{number}", number))
            store.put_item("c", item(f"i{number + 1}", number + 1))
    stop.set()
    reader.join()
    assert set(seen) <= {0}
    assert store.item_count("c") == 100
