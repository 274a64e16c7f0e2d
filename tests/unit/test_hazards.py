"""docs/hazards.md has every hazard once and names only what exists."""

import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from bmswitch.model.preflight import GUARDS as PLAN
from bmswitch.model.switch import Phase
from bmswitch.workflows.gate import GUARDS as GATE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| (\w+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
NAMED = re.findall(r"(?:\b([Pp]lan|[Gg]ate|[Cc]ure|[Pp]hase) )?`([^`]+)`", PAGE)
CURES = ROOT / "src" / "bmswitch" / "replication" / "cures"
KNOWN = {
    "plan": {guard.__name__ for guard in PLAN},
    "gate": {guard.__name__ for guard in GATE},
    "phase": set(get_args(Phase)),
    "cure": {file.stem for file in CURES.glob("[a-z]*.py")},
}


def test_every_hazard_has_one_row() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 55))
    assert len(re.findall(r"^\| \d+ ", PAGE, re.MULTILINE)) == 54


def test_every_row_says_where_it_stands() -> None:
    assert Counter(state for _, _, state, _ in ROWS).keys() == {"closed", "partly", "seen", "open"}
    assert all(what.strip() and done.strip() for _, what, _, done in ROWS)


def test_what_is_closed_names_what_closes_it() -> None:
    assert [number for number, _, state, done in ROWS if state == "closed" and "`" not in done] == []


@pytest.mark.parametrize(("kind", "name"), sorted(set(NAMED)))
def test_what_is_named_exists(kind: str, name: str) -> None:
    if kind:
        assert name in KNOWN[kind.lower()]
    elif name.startswith("bmswitch "):
        assert (ROOT / "src" / "bmswitch" / "cli" / f"{name.split()[1]}.py").is_file()
    else:
        assert "/" in name
        assert (ROOT / name).exists()


@pytest.mark.parametrize("name", sorted(KNOWN["plan"] | KNOWN["gate"]))
def test_every_guard_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE
