"""Which cures a run uses: all of them, but those that do not apply here and those that the configuration turns off."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bmswitch.model.config import Config
from bmswitch.model.errors import ConfigError, JournalError
from bmswitch.model.plan import Finding, Level
from bmswitch.model.record_types import RECORD_TYPES, RecordType
from bmswitch.replication.api import Cure
from bmswitch.replication.chain import Chain
from bmswitch.replication.cures.catalogue import About, catalogue
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
from bmswitch.replication.quarantine import FILE, undecided

_NOTED = "cures.json"


def check_disabled(names: Sequence[str], where: str = "") -> None:
    """Raises ConfigError for a name that no cure has, or one whose cure must stay on. `where` starts the message."""
    known = {cure.name: cure for cure in catalogue()}
    for name in names:
        cure = known.get(name)
        if cure is None:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]}? " if nearest else ""
            raise ConfigError(
                f"{where}replication.disabled_cures: there is no cure {name}",
                evidence=f"{hint}known here: {', '.join(known)}",
                next_command="bmswitch cures list",
            )
        if cure.fixed:
            raise ConfigError(
                f"{where}replication.disabled_cures: {name} can not be turned off",
                evidence=cure.fixed,
                next_command=f"take {name} out of the list",
            )


def disabled_findings(config: Config) -> list[Finding]:
    """For the plan: a warning for each cure that is turned off, with what happens without it."""
    off = config.replication.disabled_cures
    return [
        Finding(
            guard="disabled_cures",
            level=Level.warn,
            cause=f"the cure {cure.name} is turned off",
            evidence=f"replication.disabled_cures; source: {', '.join(cure.source)}",
            consequence=cure.without,
            command=f"bmswitch cures explain {cure.name}",
        )
        for cure in catalogue()
        if cure.name in off
    ]


def pipeline(config: Config, blue_id: str, green_id: str, derived_crp: str) -> list[Cure]:
    """The cures of a run in their order. `derived_crp` is the proxy's topic to derive, empty when blue has its own."""
    check_disabled(config.replication.disabled_cures)
    off = config.replication.disabled_cures
    optional: dict[str, Callable[[], Cure]] = {
        "deletions_mended": DeletionsMended,
        "legacy_records": LegacyRecords,
        "metadata_described": MetadataDescribed,
        "server_addresses": lambda: ServerAddresses(config.servers),
        "id_sequences": lambda: IdSequences(config.servers),
        "uidvalidity": UidValidity,
    }
    cures = [made() for name, made in optional.items() if name not in off]
    if blue_id != green_id:
        cures.append(InstallationId(blue_id, green_id))
    if derived_crp and "crp_dir_entries" not in off:
        cures.append(CrpDirEntries(derived_crp))
    return cures


def resources_whole(config: Config, *, fresh: bool) -> list[Cure]:
    """The cure that keeps the calendars of resources; none when it is turned off."""
    off = "resources_whole" in config.replication.disabled_cures
    return [] if off else [ResourcesWhole(fresh=fresh)]


def children_wait(config: Config, *, fresh: bool) -> ChildrenWait | None:
    """The cure that lets children wait, with what waits already; None when it is turned off. Raises JournalError."""
    if "children_wait" in config.replication.disabled_cures:
        return None
    parked = [] if fresh else [entry.parked for entry in undecided(Path(config.run_dir) / FILE)]
    return ChildrenWait(fresh=fresh, waiting=[(p.record(), p.waits_for) for p in parked if p.waits_for])


class Listed(msgspec.Struct, frozen=True):
    """A cure as `bmswitch cures` shows it. `on` is what the configuration says, `left` the doubtful records that it passed."""

    cure: About
    on: bool
    left: int


def listed(config: Config | None) -> list[Listed]:
    """Every cure with its state in this configuration and the count of the run folder's last mirror.

    Without a configuration every cure is on.
    """
    if config is None:
        return [Listed(cure, on=True, left=0) for cure in catalogue()]
    off, left = config.replication.disabled_cures, noted(Path(config.run_dir)).left
    if config.replication.mode == "shared":
        return [Listed(cure, on=False, left=0) for cure in catalogue()]
    return [Listed(cure, cure.name not in off, left.get(cure.name, 0)) for cure in catalogue()]


def explained(config: Config | None, name: str) -> Listed:
    """One cure. Raises ConfigError when no cure has the name."""
    found = {one.cure.name: one for one in listed(config)}
    if name not in found:
        nearest = difflib.get_close_matches(name, found, n=1, cutoff=0.4)
        raise ConfigError(
            f"there is no cure {name}",
            evidence=f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(found)}",
            next_command="bmswitch cures list",
        )
    return found[name]


class Noted(msgspec.Struct, frozen=True):
    """What a mirror passed as it is: per cure the records it was not certain about, per `type class` those nobody knows."""

    left: dict[str, int] = {}
    unknown: dict[str, int] = {}


def note(run_dir: Path, cures: Sequence[Cure], chain: Chain, others: Sequence[Noted] = ()) -> None:
    """Keeps what was passed as it is, for `bmswitch cures` and the guard `types_known`; with what `others` have passed."""
    every = [passed(cures, chain), *others]
    whole = Noted(_sum([one.left for one in every]), _sum([one.unknown for one in every]))
    try:
        (run_dir / _NOTED).write_bytes(msgspec.json.encode(whole) + b"\n")
    except OSError as error:
        raise JournalError(f"{run_dir / _NOTED} can not be written", evidence=str(error)) from error


def _sum(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total


def passed(cures: Sequence[Cure], chain: Chain) -> Noted:
    """What these cures passed as it is."""
    left = {
        cure.__module__.rpartition(".")[2]: cure.left
        for cure in cures
        if isinstance(cure, LegacyRecords | MetadataDescribed | ChildrenWait | ResourcesWhole | ParentsFirst)
    }
    unknown = {f"{pair[0]} {pair[1] or '-'}": count for pair, count in list(chain.unknown.items())}
    return Noted(left, unknown)


def noted(run_dir: Path) -> Noted:
    """What the run folder's last mirror has noted; nothing without one."""
    try:
        return msgspec.json.decode((run_dir / _NOTED).read_bytes(), type=Noted)
    except (OSError, msgspec.MsgspecError):
        return Noted()


class Types(msgspec.Struct, frozen=True):
    """The record types that are known, and per `type class` the records of others in the last copy."""

    known: tuple[RecordType, ...]
    unknown: dict[str, int]


def record_types(config: Config | None) -> Types:
    """For `bmswitch cures types`. Without a configuration nothing was copied."""
    return Types(RECORD_TYPES, noted(Path(config.run_dir)).unknown if config else {})
