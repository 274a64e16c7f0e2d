"""Last write wins over a dumped change log, written a second time on purpose: shares no code with the product.

`fold(folder)` reads `*.jsonl.gz` and gives what an installation must hold after the log, before any rule of BlueMind's
restorer: container type -> container uid -> item uid -> the last record. Type is `dir:UserSettings` and the like where one
type carries several payload classes.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SEVERAL_CLASSES = {"dir", "domains", "installation"}
Inventory = dict[str, dict[str, dict[str, dict[str, Any]]]]


@dataclass
class Folded:
    """`live`: the inventory; a leaf is `{"key": ..., "value": envelope}`. `gone`: (type, container, item) deleted last.

    `owners`: owner of each container that any record named.
    """

    live: Inventory = field(default_factory=dict)
    gone: set[tuple[str, str, str]] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)

    def leaves(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(container uid, item uid, record) of one type."""
        for container, items in self.live.get(kind, {}).items():
            for uid, record in items.items():
                yield container, uid, record


def fold(folder: Path) -> Folded:
    """The inventory of all dump files of a folder."""
    folded = Folded()
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        for line in sorted(lines, key=lambda one: (one["partition"], one["offset"])):
            _apply(folded, line["key"], line["value"])
    return folded


def _apply(folded: Folded, key: dict[str, Any], value: dict[str, Any] | None) -> None:
    if value is None or key["id"] == 0:
        return
    kind, container, uid = key["type"], key["uid"], value["uid"]
    folded.owners[container] = key["owner"]
    if key.get("operation") == "DELETE":
        for name in [name for name in folded.live if name.split(":")[0] == kind]:
            folded.live[name].get(container, {}).pop(uid, None)
        folded.gone.add((kind, container, uid))
        return
    if kind in SEVERAL_CLASSES:
        kind += ":" + key["valueClass"].rpartition(".")[2]
    folded.live.setdefault(kind, {}).setdefault(container, {})[uid] = {"key": key, "value": value}
    folded.gone.discard((key["type"], container, uid))
