"""Every bug that BlueMind's history tells of a replay (change-log.md 10, clone-and-api.md 8), and its fate with bmswitch."""

from bmswitch.model.bugs import core, items, order
from bmswitch.model.bugs.bug import MEANS, Bug, Fate

__all__ = ["MEANS", "PARTS", "Bug", "Fate"]

PARTS: tuple[tuple[str, tuple[Bug, ...]], ...] = (
    ("Order and compaction", order.ORDER),
    ("Identity of items", items.IDENTITY),
    ("Deletions", items.DELETES),
    ("Missing or strange data", items.MISSING),
    ("Several readers", order.CONCURRENCY),
    ("The stream", order.STREAM),
    ("Leadership", core.LEADERSHIP),
    ("Content of mails", core.CONTENT),
    ("Told by clone-and-api.md 8 alone", core.ELSEWHERE),
)
