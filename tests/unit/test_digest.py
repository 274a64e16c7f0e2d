import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bmswitch.model.digest import Json, Print, container_digest, normalise, value_digest

prints = st.dictionaries(
    st.text(max_size=8),
    st.builds(
        Print,
        st.tuples(st.tuples(st.just("id"), st.integers(0, 1 << 40))),
        st.integers(0, (1 << 128) - 1),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(prints, st.randoms(use_true_random=False))
def test_a_containers_digest_does_not_depend_on_order(items: dict[str, Print], rng: random.Random) -> None:
    shuffled = list(items.items())
    rng.shuffle(shuffled)
    assert container_digest(shuffled) == container_digest(items.items())


@settings(deadline=None)
@given(prints)
def test_one_item_less_changes_the_digest(items: dict[str, Print]) -> None:
    for uid in items:
        rest = [(other, printed) for other, printed in items.items() if other != uid]
        assert container_digest(rest) != container_digest(items.items())


def test_an_item_under_another_uid_changes_the_digest() -> None:
    printed = Print((("id", 1),), 5)
    assert container_digest([("a", printed)]) != container_digest([("b", printed)])


def test_nulls_empties_and_the_order_of_lists_do_not_count() -> None:
    blue: Json = {"a": [2, 1], "b": None, "c": {"d": []}, "e": {"f": 1}}
    green: Json = {"e": {"f": 1, "g": None}, "a": [1, 2], "h": {}}
    assert value_digest(normalise(blue)) == value_digest(normalise(green))


def test_the_order_of_lists_counts_where_it_means_something() -> None:
    assert normalise({"rules": [2, 1]}, ordered=True) != normalise({"rules": [1, 2]}, ordered=True)


def test_false_and_zero_are_values() -> None:
    assert normalise({"a": False, "b": 0}) == {"a": False, "b": 0}


def test_ignored_fields_go_by_path_through_lists() -> None:
    value: Json = {"rules": [{"id": 1, "name": "x"}], "id": 3}
    assert normalise(value, {"rules.id"}) == {"rules": [{"name": "x"}], "id": 3}


def test_a_list_with_one_element_more_is_another_value() -> None:
    assert value_digest(normalise([1, 1])) != value_digest(normalise([1]))
