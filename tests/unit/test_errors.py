"""The error tree: every leaf has its own exit code, drawn in the docstring and in the README."""

import re
from pathlib import Path

import pytest

from bmswitch.model import errors

LEAVES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.BmswitchError)
]


def test_exit_codes_are_unique() -> None:
    codes = [leaf.exit_code for leaf in LEAVES]
    assert len(codes) == len(set(codes))
    assert not {0, 2, 70} & set(codes)


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_error_is_drawn_with_its_code(leaf: type[errors.BmswitchError]) -> None:
    assert re.search(rf"\b{leaf.__name__}\s+{leaf.exit_code}\b", errors.__doc__ or "")


def test_readme_lists_every_code() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = text[text.index("## Exit codes") : text.index("## Further")]
    for code in {leaf.exit_code for leaf in LEAVES} - {1}:
        assert re.search(rf"\| {code} \|", table), code


def test_kind_is_stable() -> None:
    assert errors.StalePlanError("x").kind == "stale_plan"
    assert errors.InterruptedRunError("x").kind == "interrupted_run"
