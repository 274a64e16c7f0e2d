from bmswitch.model.digest import Json, normalise, value_digest


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
