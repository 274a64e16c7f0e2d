"""The plan: what would be done, for which two sites exactly, and what stands in the way. No secret is in it."""

import hashlib
from enum import StrEnum

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.decisions import Accepted, Approval, Skip
from bmswitch.model.estimates import Estimate
from bmswitch.model.inventory import Inventory
from bmswitch.model.probe import Probe
from bmswitch.model.strategy import Strategy

SCHEMA = 3
"""Version of the plan file; a file of another version is refused."""


class Level(StrEnum):
    """What a guard says. `unknown` is never a pass."""

    passed = "pass"
    warn = "warn"
    stop = "stop"
    unknown = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One guard's answer: `evidence` is what was seen, `command` what to do about it.

    `skipped` says who lets the run go on all the same, and why: such a finding forbids nothing.
    """

    guard: str
    level: Level
    cause: str
    evidence: str = ""
    consequence: str = ""
    command: str = ""
    skipped: str = ""

    @property
    def forbids(self) -> bool:
        """It forbids to go on: `unknown` is never a pass."""
        return self.level in (Level.stop, Level.unknown) and not self.skipped


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
    """One command of the run: what it does, what clients notice, how it is undone.

    `estimate` in seconds: how long it takes, for a switch how long clients are held; None when nothing is known. `load` on the source;
    `limits`: what ends it, or would.
    """

    command: str
    does: str
    clients: str
    undone_by: str
    estimate: Estimate | None = None
    load: str = ""
    limits: list[str] = []


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan file. `serving` is the colour of the source, `back` marks the way back of an upgrade. `created_at` is ISO 8601 in UTC.

    `config_hash` binds it to one configuration; `config_parts` (key to value, or to a digest of it) tells which keys have changed.
    """

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
    config_parts: dict[str, str] = {}
    inventory: Inventory | None = None
    probe: Probe = Probe()
    strategy: Strategy | None = None
    skips: list[Skip] = []
    accepted: list[Accepted] = []
    approvals: list[Approval] = []

    @property
    def stops(self) -> list[Finding]:
        """What stands in the way: findings that are neither pass nor warning, and not skipped."""
        return [finding for finding in self.findings if finding.forbids]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything but the approvals, as it is read from the file: what an approval is of.

        A whole number in a field of fractions is written `1` and comes back as `1.0`.
        """
        written = msgspec.json.encode(msgspec.structs.replace(self, approvals=[]))
        read = msgspec.json.decode(written, type=Plan)
        return hashlib.sha256(msgspec.json.encode(read, order="sorted")).hexdigest()

    @property
    def standing(self) -> list[Approval]:
        """The approvals of exactly this plan; one a person."""
        digest = self.digest
        return list({one.who: one for one in self.approvals if one.of == digest}.values())


def approved(plan: Plan, needed: int) -> Finding:
    """Whether as many people as needed have said yes to exactly this plan."""
    standing, void = plan.standing, len(plan.approvals) - len(plan.standing)
    names = ", ".join(f"{one.who} at {one.at}" for one in standing)
    seen = "; ".join(
        text for text in (names or "nobody approved it", f"{void} more are void" if void else "") if text
    )
    if len(standing) >= needed:
        return Finding(
            guard="approvals",
            level=Level.passed,
            cause=f"{len(standing)} of {needed} approvals"
            if needed
            else f"{len(standing)} approvals, none is asked for",
            evidence=seen if plan.approvals else "",
        )
    return Finding(
        guard="approvals",
        level=Level.stop,
        cause=f"the plan has {len(standing)} of the {needed} approvals that plan.approvals_needed asks for",
        evidence=seen,
        consequence="nobody else has looked at what would be done",
        command=f"bmswitch plan show, then bmswitch plan approve --who NAME (plan {plan.id})",
    )


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
