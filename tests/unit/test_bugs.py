"""Every known bug of BlueMind's replay has a fate, and what the page names exists."""

import re
from collections import Counter
from pathlib import Path

import pytest

from bmswitch.model.bugs import PARTS, Bug
from bmswitch.model.guards import GUARDS
from bmswitch.replication.cures.catalogue import catalogue
from bmswitch.replication.cures.page import page

ROOT = Path(__file__).resolve().parents[2]
BUGS = [bug for _, part in PARTS for bug in part]
CLONE_AND_API = """
    5d708160d e4245c76c ebe5ae803 8edb9d0c3 5b925327b b82f048f0 c8acab4b6 4c3917211 5c5420ccc 58d0c6e77 593fea851 6953e7e91
    2bfb4b150 1921c0725 f78c80d41 f25ed1e98 217c1b100 15aa4451d 1f8344f1c 2b67aab2e a7d9a1013 3fc2c2c52 49ad040d4 c770cb9df
    fa056ca48 1ac077bf7 e2be00564 aadc6539d 63264670b 88905d03f 4080dd62f 14a9255b7 6ae4d0183 4b328afb1 253d00230 8e5017d90
    2b3d65db7 4abd93df8 3d5c1fc1a 914aee1da d121e28ff 35ac94c05 ccf4ee40f 84db5f91a 369e3cd8a 97c54b48c d28cdfdf8 2ad7c7bee
    fd3e89fa2 1294def44 f90eb025c b96d3b22b 838935be3 16a45fc7f 9b778013f 328955e10 7b844a4e7 3c8b9e887 1eadee9a8 2d7369d7e
    414994ea3 02a10d72b 1764902fd 0f8cab4ef 479dd569a b6df6ffd7 45fa8b7bd 71bac69ab 49323a50c 013f485b1 dceca7634 3451d767b
    ebc19bc14 c2184f132 81f0101c7 3ced21ffe
"""
"""The commits of clone-and-api.md 8."""
NAMED = sorted(
    set(
        re.findall(r"(?:\b([Gg]uard|[Cc]ure) )?`([^`]+)`", "\n".join(f"{bug.does} {bug.why}" for bug in BUGS))
    )
)
KNOWN = {"guard": {guard.name for guard in GUARDS}, "cure": {cure.name for cure in catalogue()}}
WORDS = {"operation", "bmswitch status", "Server"}


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "cures.md").read_text(encoding="utf-8") == page(), "make docs"


def test_every_number_has_one_row() -> None:
    assert sorted(bug.number for bug in BUGS if bug.number) == list(range(1, 64))


def test_every_commit_of_the_other_list_has_a_row() -> None:
    told = Counter(commit for bug in BUGS for commit in bug.commits)
    assert [commit for commit in CLONE_AND_API.split() if commit not in told] == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.number}-{bug.commits[0]}")
def test_every_row_says_what_is_done_or_why_nothing_can_be(bug: Bug) -> None:
    if bug.fate == "outside":
        assert bug.why.endswith(".")
        return
    assert not bug.why
    words = {"cured": "ure `", "checked": "uard `", "kept": "`"}
    assert words[bug.fate] in bug.does, "what does it is named"


@pytest.mark.parametrize(("kind", "name"), NAMED)
def test_what_is_named_exists(kind: str, name: str) -> None:
    if kind:
        assert name in KNOWN[kind.lower()]
    elif name.startswith(("src/", "docs/", "tests/")):
        assert (ROOT / name).exists()
    else:
        assert name in WORDS
