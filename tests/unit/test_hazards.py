"""docs/hazards.md is what guards and table say, has every hazard once, and names only what exists."""

import re
from pathlib import Path
from typing import get_args

import pytest

from bmswitch.model.guards import GUARDS
from bmswitch.model.hazards import PARTS, Hazard
from bmswitch.model.hazards.page import page
from bmswitch.model.switch import Phase

ROOT = Path(__file__).resolve().parents[2]
PAGE = page()
HAZARDS = [hazard for _, part in PARTS for hazard in part]
NAMED = re.findall(
    r"(?:\b([Gg]uard|[Cc]ure|[Pp]hase) )?`([^`]+)`", "\n".join(h.does + h.why + h.do for h in HAZARDS)
)
CURES = ROOT / "src" / "bmswitch" / "replication" / "cures"
KNOWN = {
    "guard": {guard.name for guard in GUARDS},
    "phase": set(get_args(Phase)),
    "cure": {file.stem for file in CURES.glob("[a-z]*.py")},
}


def test_the_page_is_up_to_date() -> None:
    told = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    assert told == PAGE, "python -m bmswitch.model.hazards.page > docs/hazards.md"


def test_every_hazard_has_one_row() -> None:
    assert [hazard.number for hazard in HAZARDS] == list(range(1, 55))
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)] == list(range(1, 55))


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: str(hazard.number))
def test_every_row_says_where_it_stands(hazard: Hazard) -> None:
    guards = [guard.name for guard in GUARDS if hazard.number in guard.hazards]
    assert hazard.what
    if hazard.state == "closed":
        assert guards or "`" in hazard.does, "what closes it is named"
    if hazard.state == "checked":
        assert guards or hazard.does


@pytest.mark.parametrize(("kind", "name"), sorted(set(NAMED)))
def test_what_is_named_exists(kind: str, name: str) -> None:
    if kind:
        assert name in KNOWN[kind.lower()]
    elif name.startswith("bmswitch "):
        assert (ROOT / "src" / "bmswitch" / "cli" / f"{name.split()[1]}.py").is_file()
    else:
        assert "/" in name
        assert (ROOT / name).exists()


def test_guards_name_real_hazards_only() -> None:
    assert {number for guard in GUARDS for number in guard.hazards} <= set(range(1, 55))
