"""docs/switch.md names every phase and every guard that the code has."""

from pathlib import Path
from typing import get_args

import pytest
from scripts.switch_page import PICTURE, renewed
from scripts.switch_picture import drawn

from bmswitch.model.guards import asked_at
from bmswitch.model.switch import TRANSITIONS, Phase

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "switch.md").read_text(encoding="utf-8")
ENDS = {"done", "aborting", "aborted", "unknown"}


@pytest.mark.parametrize("phase", sorted(set(get_args(Phase)) - ENDS))
def test_every_phase_has_a_row(phase: str) -> None:
    assert f"\n| {phase} | " in PAGE


@pytest.mark.parametrize("guard", [guard.name for guard in asked_at("gate") if "plan" not in guard.asked])
def test_every_guard_is_named(guard: str) -> None:
    assert guard in PAGE


def test_table_and_picture_are_as_the_code_says() -> None:
    assert renewed(PAGE) == PAGE, "make docs"
    assert PICTURE.read_text(encoding="utf-8") == drawn(), "make docs"


def test_every_phase_is_reached_and_only_the_ends_are_not_left() -> None:
    phases = set(get_args(Phase))
    assert {one.after for one in TRANSITIONS} == phases - {"gate"}
    assert {one.before for one in TRANSITIONS} == phases - {"done", "aborted"}


def test_every_guard_says_in_a_sentence_when_it_holds() -> None:
    assert all(len(one.says) > 20 for one in TRANSITIONS)
