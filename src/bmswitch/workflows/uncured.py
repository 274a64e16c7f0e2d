"""What a plan in shared mode says of the cures: nothing is copied, so none of them is applied."""

from collections.abc import Mapping

from bmswitch.model.plan import Finding, Level
from bmswitch.replication.cures.catalogue import catalogue
from bmswitch.workflows.needed import Looked

_DONE_OTHERWISE = frozenset({"server_addresses", "installation_id", "crp_dir_entries", "id_sequences"})
"""Cures that a clone of the source's own log does not need: it maps servers itself, and guards stop where the others are missing."""
_ONLY_FOR = {"parents_first": "ORG_UNIT", "resources_whole": "RESOURCE"}
"""Cures that only matter where a domain has entries of a kind."""
_ENDS = frozenset({"deletions_mended"})
"""Cures without which a clone certainly ends at such a record: one that is in the log forbids to go on."""
_AFTERWARDS = {"uidvalidity": "bmswitch verify --repair, once the clone has caught up"}


def uncured_findings(entries: Mapping[str, int], looked: Looked) -> list[Finding]:
    """For a plan in shared mode: a warning for each cure that can not be applied, with what happens without it.

    `entries` are the directory's by kind; empty where they could not be counted. What the log itself says of a cure stands beside it, and
    a log that was read to its end without any use for it passes; one in which a clone would end stops.
    """
    found = []
    for cure in catalogue():
        kind = _ONLY_FOR.get(cure.name)
        if cure.name in _DONE_OTHERWISE or (kind and entries and not entries.get(kind)):
            continue
        count = looked.counts.get(cure.name)
        needless = count == 0 and looked.whole
        found.append(
            Finding(
                guard="uncured",
                level=Level.passed
                if needless
                else Level.stop
                if count and cure.name in _ENDS
                else Level.warn,
                cause=f"the cure {cure.name} has nothing to do in this log"
                if needless
                else f"the cure {cure.name} can not be applied: nothing is copied",
                evidence=_seen(count, looked)
                or f"replication.mode: shared; source: {', '.join(cure.source)}",
                consequence="" if needless else cure.without,
                command="" if needless else _AFTERWARDS.get(cure.name, _mirror(cure.name)),
            )
        )
    return found


def _seen(count: int | None, looked: Looked) -> str:
    """How many of the records that were looked at; empty when none were, or nothing could be counted for this cure."""
    if count is None or not looked.records:
        return ""
    of = (
        f"all {looked.records:,} records"
        if looked.whole
        else f"the first {looked.records:,} records that were read"
    )
    return f"{count:,} cases in {of}"


def _mirror(name: str) -> str:
    return f"bmswitch cures explain {name}; replication.mode: mirror cures it"
