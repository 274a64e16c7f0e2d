import msgspec

from bmswitch.model.differences import ORG_UNIT_ID, Place, differing, explain, shown
from bmswitch.model.digest import Json, Print
from bmswitch.model.proof import verdict_of

PLACE = Place("lab.test", "u1", "notes:default_u1", "notes")


def test_a_missing_item_says_on_which_side_it_is() -> None:
    printed = Print((("id", 1),), 1)
    assert [(d.side, d.what) for d in explain(PLACE, "n", printed, None)] == [("source", "missing")]
    assert [(d.side, d.what) for d in explain(PLACE, "n", None, printed)] == [("target", "missing")]


def test_every_signal_and_field_that_differs_is_named() -> None:
    found = explain(
        PLACE,
        "n",
        Print((("id", 1), ("version", 2)), 1),
        Print((("id", 1), ("version", 3)), 2),
        source_value={"a": {"b": 1, "c": 2}},
        target_value={"a": {"b": 1, "c": 3}},
    )
    assert [(d.what, d.source, d.target) for d in found] == [("version", "2", "3"), ("a.c", "2", "3")]


def test_a_difference_without_values_is_still_a_difference() -> None:
    found = explain(PLACE, "n", Print((), 1), Print((), 2))
    assert [d.what for d in found] == ["value"]


def test_texts_are_not_shown() -> None:
    assert "Smith" not in (shown("Mrs Smith") or "")
    assert "Smith" not in (shown({"name": "Smith"}) or "")
    assert shown("a") != shown("b")
    assert shown(5) == "5"


def test_only_a_hierarchy_node_on_green_alone_is_known() -> None:
    hierarchy = msgspec.structs.replace(PLACE, type="container_flat_hierarchy")
    printed = Print((), 1)
    assert explain(hierarchy, "n", None, printed)[0].known is not None
    assert explain(hierarchy, "n", printed, None)[0].known is None
    assert explain(hierarchy, "n", printed, Print((), 2))[0].known is None
    assert explain(PLACE, "n", None, printed)[0].known is None


def test_differing_finds_exactly_the_uids_that_are_not_the_same() -> None:
    a, b = Print((), 1), Print((), 2)
    assert differing({"x": a, "y": a, "z": a}, {"x": a, "y": b, "w": a}) == {"y", "z", "w"}


def test_different_is_certain_and_equal_needs_everything_known() -> None:
    assert verdict_of(differences=0, unsettled=0) == "equal"
    assert verdict_of(differences=0, unsettled=1) == "unknown"
    assert verdict_of(differences=1, unsettled=1) == "different"


def test_an_org_unit_id_is_known_only_when_green_gave_it_itself() -> None:
    directory = Place("lab.test", "system", "lab.test", "dir")

    def known(blue: int, green: int, signal: str = ORG_UNIT_ID) -> bool:
        found = explain(directory, "ou", Print(((signal, blue),), 1), Print(((signal, green),), 1))
        return found[0].known is not None

    assert known(73, 1_001_677)
    assert not known(73, 74)
    assert not known(73, 1_001_677, "id")


def fields(source: Json, target: Json) -> list[tuple[str, str | None, str | None]]:
    found = explain(PLACE, "n", Print((), 1), Print((), 2), source_value=source, target_value=target)
    return [(d.what, d.source, d.target) for d in found]


def test_elements_of_lists_are_told_one_by_one() -> None:
    assert fields({"a": [1, 2, 3]}, {"a": [1, 3, 4, 5]}) == [
        ("a[]", "2", None),
        ("a[]", None, "4"),
        ("a[]", None, "5"),
    ]
    assert fields({"a": [1, 2]}, {"a": [2, 1]})[0][0] == "a (order)"
    assert fields({"a": [1, 1]}, {"a": [1]}) == [("a[]", "1", None)]


def test_one_changed_element_is_told_field_by_field() -> None:
    rules: Json = {"rules": [{"name": "x", "stop": 1}, {"name": "y"}]}
    other: Json = {"rules": [{"name": "x", "stop": 2}, {"name": "y"}]}
    assert fields(rules, other) == [("rules[].stop", "1", "2")]
