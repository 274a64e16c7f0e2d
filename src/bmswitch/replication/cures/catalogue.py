"""What each cure is, taken from its own docstrings and attributes: the commands and docs/cures.md say nothing else.

A cure's module docstring starts with "Prevents" and names its source. Its class says `how` in its docstring, `when` it is in
the pipeline, what happens `without` it and, when it must not be turned off, why (`fixed`).
The table of docs/cures.md is made from it (`page`).
"""

import re
import sys
from typing import Any

import msgspec

from bmswitch.replication.cures.children_wait import ChildrenWait
from bmswitch.replication.cures.crp_dir_entries import CrpDirEntries
from bmswitch.replication.cures.deletions_mended import DeletionsMended
from bmswitch.replication.cures.id_sequences import IdSequences
from bmswitch.replication.cures.installation_id import InstallationId
from bmswitch.replication.cures.legacy_records import LegacyRecords
from bmswitch.replication.cures.metadata_described import MetadataDescribed
from bmswitch.replication.cures.parents_first import ParentsFirst
from bmswitch.replication.cures.resources_whole import ResourcesWhole
from bmswitch.replication.cures.server_addresses import ServerAddresses
from bmswitch.replication.cures.uidvalidity import UidValidity

CURES: tuple[type[Any], ...] = (
    ChildrenWait,
    DeletionsMended,
    LegacyRecords,
    MetadataDescribed,
    ServerAddresses,
    IdSequences,
    UidValidity,
    InstallationId,
    CrpDirEntries,
    ResourcesWhole,
    ParentsFirst,
)
"""In the order in which a record meets them; the last one works between the first pass and green's clone."""

_SOURCE = re.compile(
    r"(?:change-log|clone-and-api|traffic-and-objects)\.md [A-D]?\d+(?:\.\d+)?(?:(?:,| and) \d+\.\d+)*"
)


class About(msgspec.Struct, frozen=True):
    """One cure in words. `fixed` says why it can not be turned off, empty when it can."""

    name: str
    prevents: str
    without: str
    how: str
    touches: str
    when: str
    source: list[str]
    fixed: str
    text: str


def about(cure: type[Any]) -> About:
    """The words of one cure."""
    text = (sys.modules[cure.__module__].__doc__ or "").strip()
    first, _, rest = text.partition("\n\n")
    prevents = " ".join(first.split()).removeprefix("Prevents ").rstrip(".")
    return About(
        name=cure.__module__.rpartition(".")[2],
        prevents=_SOURCE.sub("", prevents).replace(" ()", ""),
        without=cure.without,
        how=" ".join((cure.__doc__ or "").partition("\n\n")[0].split()).rstrip("."),
        touches=_touches(cure),
        when=cure.when,
        source=list(dict.fromkeys(_SOURCE.findall(" ".join(text.split())))),
        fixed=getattr(cure, "fixed", ""),
        text=" ".join(rest.split()),
    )


def catalogue() -> list[About]:
    """Every cure in the order of the pipeline."""
    return [about(cure) for cure in CURES]


def table() -> str:
    """The catalogue as the table of docs/cures.md."""
    lines = ["| cure | touches | prevents | how | without it | on when | source |", "| --- " * 7 + "|"]
    for cure in catalogue():
        when = f"{cure.when}; can not be turned off" if cure.fixed else cure.when
        cells = (
            f"`{cure.name}`", cure.touches, cure.prevents, cure.how, cure.without, when, ", ".join(cure.source)
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _touches(cure: type[Any]) -> str:
    kinds = ", ".join(sorted(kind.value for kind in cure.kinds))
    types = (
        "all"
        if cure.types is None
        else "unreadable"
        if not cure.types
        else ", ".join(f"`{name}`" for name in sorted(cure.types))
    )
    return f"{types} records of {kinds} topics"
