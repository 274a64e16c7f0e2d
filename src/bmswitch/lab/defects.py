"""Documented defects of BlueMind that the stand-in shows, so that bmswitch's guards are proved against them.

A name in `site.json`'s `defects`, or a line of `<etc_dir>/defects` (read at each use), switches one on. Those that
BlueMind always shows are always on here too: naming them changes nothing.
"""

import msgspec


class Defect(msgspec.Struct, frozen=True):
    """What goes wrong, where that is documented, and whether it happens anyway."""

    name: str
    effect: str
    source: str
    always: bool


ALL = (
    Defect(
        "task-success-though-domain-failed",
        "a record of the first domain fails in the clone: its worker dies, the task says Success, the core goes RUNNING",
        "clone-and-api.md 1.8",
        always=False,
    ),
    Defect(
        "offsets-not-committed-after-catch-up",
        "once a topic was caught up, the clone's group commits nothing until its loop ends",
        "change-log.md 8.5, clone-and-api.md 0.8",
        always=True,
    ),
    Defect(
        "unmapped-server",
        "a server uid without mapping keeps the source's address; `<data_dir>/actions.log` then names the machine that green configures",
        "clone-and-api.md 0.3",
        always=True,
    ),
    Defect(
        "record-lost-at-crash",
        "what was acknowledged within the last 250 ms is in the database and never in the log when the process is killed",
        "change-log.md 8.1",
        always=True,
    ),
    Defect(
        "upgraders-not-run",
        "the core says needsUpgrade: its software is newer than its database",
        "clone-and-api.md 6",
        always=False,
    ),
    Defect(
        "uidvalidity-replaced",
        "every folder of the clone gets green's own UIDVALIDITY; without it only those that the log has as CREATE only",
        "clone-and-api.md 3.4",
        always=False,
    ),
)
NAMES = frozenset(defect.name for defect in ALL)
