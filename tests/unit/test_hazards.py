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
    r"(?:\b([Gg]uard|[Cc]ure|[Pp]hase) )?`([^`]+)`", "\n".join(f"{h.does} {h.why} {h.do}" for h in HAZARDS)
)
CURES = ROOT / "src" / "bmswitch" / "replication" / "cures"
COMMANDS = {file.stem.rstrip("_") for file in (ROOT / "src" / "bmswitch" / "cli").glob("[a-z]*.py")}
BY_PHASES = {3, 39}
"""Checked by the order of the switch itself."""
KNOWN = {
    "guard": {guard.name for guard in GUARDS},
    "phase": set(get_args(Phase)),
    "cure": {file.stem for file in CURES.glob("[a-z]*.py")},
}


OUTSIDE_NAMES = {
    "machines.ask: false",
    "replication.sysconf_override",
    "transport_maps",
    "/var/spool/bm-lmtpd/dedup",
    "t_eas_client_id",
    "eas/_reset",
}
"""Keys of the configuration, and names of BlueMind and Postfix."""


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
        assert (hazard.why, hazard.do) == ("", "")
        return
    assert hazard.why.endswith("."), "why it can not be checked from outside"
    assert hazard.do.endswith("."), "what the operator must do"
    assert bool(hazard.state == "outside") is not bool(guards) or hazard.number in BY_PHASES


@pytest.mark.parametrize(("kind", "name"), sorted(set(NAMED)))
def test_what_is_named_exists(kind: str, name: str) -> None:
    if kind:
        assert name in KNOWN[kind.lower()]
    elif name.startswith("bmswitch "):
        assert name.split()[1] in COMMANDS
    elif name.startswith(("src/", "docs/")):
        assert (ROOT / name).exists()
    else:
        assert name in OUTSIDE_NAMES


def test_guards_name_real_hazards_only() -> None:
    assert {number for guard in GUARDS for number in guard.hazards} <= set(range(1, 55))
