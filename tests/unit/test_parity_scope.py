import msgspec
import pytest

from bmswitch.model.differences import LogPlace, Place, difference
from bmswitch.model.scope import Scope, parse_scope
from bmswitch.parity.tree import tree


def test_filters_of_one_kind_add_up_and_different_kinds_must_all_fit() -> None:
    scope = parse_scope(["user:u1", "user:u2", "domain:lab.test"], 1.0, "")
    assert [scope.owner(uid) for uid in ("u1", "u2", "u3")] == [True, True, False]
    assert scope.owner("u9", "u2")
    assert scope.domain("lab.test")
    assert not scope.domain("other.test")
    assert not scope.everything
    assert parse_scope([], 1.0, "x").everything


@pytest.mark.parametrize("text", ["user", "user:", "owner:u1", ""])
def test_what_is_no_filter_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="dimension:NAME"):
        parse_scope([text], 1.0, "")


def test_a_sample_takes_about_its_share_and_says_how_to_take_it_again() -> None:
    scope = Scope(sample=0.1, seed="s")
    taken = sum(scope.owner(f"u{n}") for n in range(5000))
    assert 400 < taken < 600
    assert "10.00%" in str(scope)
    assert "seed s" in str(scope)


def test_the_tree_says_what_where_how_since_when_and_why() -> None:
    place = Place("lab.test", "u1", "notes:default_u1", "notes")
    first = msgspec.structs.replace(
        difference(place, "n", "both", "version", source=2, target=1),
        record=LogPlace("topic", 3, 7, "UPDATE"),
        cause="its record (x.md 1)",
    )
    lost = difference(place, "m", "source", "missing")
    assert list(tree([first, lost], "blue", "green")) == [
        "lab.test",
        "  u1",
        "    notes notes:default_u1",
        "      m",
        "        only on blue",
        "      n",
        "        version: blue 2, green 1",
        "        since UPDATE at topic 3 offset 7",
        "        likely: its record (x.md 1)",
    ]
