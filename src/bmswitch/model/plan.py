"""The plan: what would be done, for which two sites exactly, and what stands in the way. No secret is in it."""

from enum import StrEnum

import msgspec

from bmswitch.model.config import Colour

SCHEMA = 2
"""Version of the plan file; a file of another version is refused."""


class Level(StrEnum):
    """What a guard says. `unknown` is never a pass."""

    passed = "pass"
    warn = "warn"
    stop = "stop"
    unknown = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One guard's answer: `evidence` is what was seen, `command` what to do about it."""

    guard: str
    level: Level
    cause: str
    evidence: str = ""
    consequence: str = ""
    command: str = ""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What must still be so when the plan is carried out. Counts and positions move by themselves and are not in it.

    `topics` maps each topic of the installation to its number of partitions; `servers` each server uid to its address.
    """

    url: str
    version: str
    installation_id: str
    domains: list[str]
    servers: dict[str, str]
    topics: dict[str, int]
    kafka_cluster_id: str


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is: records in the source's log by topic, directory entries by kind, bodies and documents in the bucket.

    `documents` (photos, icons) is -1 when they were not counted.
    """

    records: dict[str, int]
    entries: dict[str, int]
    bodies: int
    documents: int = -1

    @property
    def total_records(self) -> int:
        """Records in all topics of blue's log."""
        return sum(self.records.values())


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One command of the run: what it does, what clients notice, how it is undone."""

    command: str
    does: str
    clients: str
    undone_by: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan file. `serving` is the colour of the source, `back` marks the way back of an upgrade. `created_at` is ISO 8601 in UTC; `config_hash` binds it to one configuration."""

    schema: int
    id: str
    created_at: str
    config_hash: str
    source: Fingerprint
    target: Fingerprint
    serving: Colour
    back: bool = False
    volume: Volume
    steps: list[Step]
    findings: list[Finding]

    @property
    def stops(self) -> list[Finding]:
        """What stands in the way: findings that are neither pass nor warning."""
        return [f for f in self.findings if f.level in {Level.stop, Level.unknown}]


def changes(before: Fingerprint, now: Fingerprint, side: str) -> list[str]:
    """Sentences that name each difference between what the plan was made for and what is there now."""
    found: list[str] = []
    for field in before.__struct_fields__:
        old, new = getattr(before, field), getattr(now, field)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{side} {field}: {line}" for line in _dict_changes(old, new)]
        elif isinstance(old, list) and isinstance(new, list):
            found += [f"{side} {field}: {name} is gone" for name in old if name not in new]
            found += [f"{side} {field}: {name} is new" for name in new if name not in old]
        else:
            found.append(f"{side} {field}: was {old or 'nothing'}, is {new or 'nothing'}")
    return found


def _dict_changes(old: dict[str, object], new: dict[str, object]) -> list[str]:
    lines = [f"{key} is gone" for key in old if key not in new]
    lines += [f"{key} is new ({new[key]})" for key in new if key not in old]
    lines += [f"{key} was {old[key]}, is {new[key]}" for key in old if key in new and old[key] != new[key]]
    return lines
