"""Writes what docs/switch.md says of states and transitions, from the code: `python -m scripts.switch_page` (`make docs`)."""

from collections.abc import Iterable
from pathlib import Path

from bmswitch.model.switch import TRANSITIONS
from scripts.switch_picture import drawn

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "switch.md"
PICTURE = DOCS / "switch.svg"
BEGIN = "<!-- transitions: made by `make docs` from model/switch/transitions.py -->"
END = "<!-- /transitions -->"


def table() -> list[str]:
    """Each phase, where it leads, and under which guard."""
    return ["| from | to | guard | it says |", "| --- | --- | --- | --- |", *_rows()]


def _rows() -> Iterable[str]:
    for one in TRANSITIONS:
        yield f"| {one.before} | {one.after} | {one.name} | {one.says} |"


def renewed(page: str) -> str:
    """The page with the table put in between its marks."""
    before, rest = page.split(BEGIN + "\n")
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, *table(), END]) + after


def main() -> None:
    """Both files, as the code says."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(drawn(), encoding="utf-8")


if __name__ == "__main__":
    main()
