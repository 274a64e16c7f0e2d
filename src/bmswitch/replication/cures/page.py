"""docs/cures.md, made from the cures and the table of bugs: `python -m bmswitch.replication.cures.page > docs/cures.md`."""

import re
import sys
from collections.abc import Iterator

from bmswitch.model.bugs import MEANS, PARTS, Bug
from bmswitch.replication.cures.catalogue import table
from bmswitch.replication.cures.words import AFTER, BEFORE

_HEAD = "<!-- made by: python -m bmswitch.replication.cures.page > docs/cures.md -->"


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield BEFORE.replace("<!-- head -->", _HEAD)
    yield table()
    yield AFTER
    yield "## Every bug of BlueMind's replay, and its fate\n"
    yield "The bugs are those of change-log.md 10, by its numbers, and of clone-and-api.md 8; a commit of the latter stands with its"
    yield "number of the former. A test holds that none is missing and that what is named exists. The guard `proof` refuses a switch whose last"
    yield "`bmswitch verify` does not say equal; what verify reads is in `docs/verify.md`, every guard in `docs/hazards.md`.\n"
    yield "| fate | means | bugs |"
    yield "| --- | --- | --- |"
    bugs = [bug for _, part in PARTS for bug in part]
    for fate, means in MEANS.items():
        yield f"| {fate} | {means} | {sum(bug.fate == fate for bug in bugs)} |"
    for title, part in PARTS:
        yield f"\n### {title}\n"
        yield "| # | commits | what went wrong | fate | what bmswitch does, or why it can not |"
        yield "| --- | --- | --- | --- | --- |"
        yield from map(_row, part)


def _row(bug: Bug) -> str:
    said = " ".join(filter(None, (bug.does and bug.does + ".", bug.why)))
    said = re.sub(r"\.\.", ".", said)
    commits = ", ".join(f"`{commit}`" for commit in bug.commits)
    return f"| {bug.number or '-'} | {commits} | {bug.what} | {bug.fate} | {said} |"


if __name__ == "__main__":
    sys.stdout.write(page())
