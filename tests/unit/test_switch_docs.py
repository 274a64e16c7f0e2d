"""docs/switch.md names every phase and every guard that the code has."""

from pathlib import Path
from typing import get_args

import pytest

from bmswitch.model.guards import asked_at
from bmswitch.model.switch import Phase

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "switch.md").read_text(encoding="utf-8")
ENDS = {"done", "aborting", "aborted", "unknown"}


@pytest.mark.parametrize("phase", sorted(set(get_args(Phase)) - ENDS))
def test_every_phase_has_a_row(phase: str) -> None:
    assert f"\n| {phase} | " in PAGE


@pytest.mark.parametrize("guard", [guard.name for guard in asked_at("gate") if "plan" not in guard.asked])
def test_every_guard_is_named(guard: str) -> None:
    assert guard in PAGE
