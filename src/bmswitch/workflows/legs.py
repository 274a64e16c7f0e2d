"""The legs of a run: first to green, then back to blue, and so on; each has a folder, a plan and a journal of its own.

Leg 1 is the upgrade and lives in `run_dir`; leg 2, the way back, in `run_dir/leg-2`, and so on. A leg is over when its journal
says *switched*: the next one then starts from the side that serves now.
"""

from pathlib import Path

import msgspec

from bmswitch.journal.journal import read_journal
from bmswitch.model.config import CommandProvision, Config, LocalProvision
from bmswitch.model.errors import ConfigError, JournalError, RefusedError
from bmswitch.model.switch import fold
from bmswitch.workflows.config import load_config
from bmswitch.workflows.plan import PLAN, source_servers
from bmswitch.workflows.promotion import Promotion, load_promotion

JOURNAL = "journal.ndjson"
_MAX_LEGS = 1000


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One direction. `config` is turned to it: its `serving` side, its `run_dir`, its servers and provisioning."""

    number: int
    config: Config

    @property
    def back(self) -> bool:
        """True on the way back to the side of the configuration."""
        return self.number % 2 == 0

    @property
    def begun(self) -> bool:
        """Somebody has made a plan for it."""
        return (Path(self.config.run_dir) / PLAN).exists()


def leg_of(config: Config, number: int) -> Leg:
    """One leg by its number, from the configuration as it is in the file."""
    folder = leg_folder(Path(config.run_dir), number)
    if number % 2:
        return Leg(number=number, config=msgspec.structs.replace(config, run_dir=str(folder)))
    turned = msgspec.structs.replace(
        config,
        serving=config.standby,
        run_dir=str(folder),
        servers=config.way_back.servers or source_servers(Path(config.run_dir)),
        provision=_provision(config),
        replication=msgspec.structs.replace(
            config.replication, sysconf_override=config.way_back.sysconf_override
        ),
    )
    return Leg(number=number, config=turned)


def leg_folder(run_dir: Path, number: int) -> Path:
    """Where a leg keeps its files."""
    return run_dir if number == 1 else run_dir / f"leg-{number}"


def current_leg(config: Config) -> Leg:
    """The first leg that is not over. Raises JournalError when a journal is damaged."""
    for number in range(1, _MAX_LEGS):
        state = fold(read_journal(leg_folder(Path(config.run_dir), number) / JOURNAL)[0])
        if state is None or state.outcome != "switched":
            return leg_of(config, number)
    raise RefusedError(
        f"{_MAX_LEGS} switches in one run folder", next_command="choose another run_dir and plan anew"
    )


def working_leg(config: Config) -> Leg:
    """What `status`, `verify` and their like speak of: the current leg once it has begun, until then the one before."""
    leg = current_leg(config)
    return leg if leg.begun or leg.number == 1 else leg_of(config, leg.number - 1)


def leg_to_show(config: Config) -> Leg:
    """For `status`, which must work when a journal is damaged too: then the leg of that journal."""
    try:
        return working_leg(config)
    except JournalError:
        for number in range(1, _MAX_LEGS):
            try:
                read_journal(leg_folder(Path(config.run_dir), number) / JOURNAL)
            except JournalError:
                return leg_of(config, number)
        raise


def load_working(path: Path) -> Config:
    """The configuration file, turned to the working leg. Raises ConfigError, JournalError."""
    return working_leg(load_config(path)).config


def leg_to_switch(config: Config, *, back: bool) -> Leg:
    """The newest leg of one direction, over or not.

    Raises:
        RefusedError: there is no way back, as no switch is done.
    """
    leg = current_leg(config)
    if leg.back == back:
        return leg
    if leg.number == 1:
        raise RefusedError(
            f"there is nothing to return from: {config.serving} serves",
            evidence="no switch in this run folder is done",
            consequence="nothing was done",
            next_command="bmswitch status; bmswitch cutover --abort puts back a switch that is under way",
        )
    return leg_of(config, leg.number - 1)


def promotion_before(config: Config, leg: Leg) -> Promotion | None:
    """Where the logs stood when the leg before changed sides; None on the first leg.

    Raises:
        RefusedError, JournalError: it is not known, or damaged.
    """
    if leg.number == 1:
        return None
    return load_promotion(leg_folder(Path(config.run_dir), leg.number - 1))


def _provision(config: Config) -> LocalProvision | CommandProvision:
    """How the side that served is rebuilt: the lab knows how, a command must be told."""
    found = config.way_back.provision or config.provision
    if config.way_back.provision is None and isinstance(found, CommandProvision):
        return msgspec.structs.replace(found, command=[])
    return found


def require_way_back(leg: Leg) -> None:
    """ConfigError when the configuration does not say how the other side's machines are rebuilt."""
    provision = leg.config.provision
    if isinstance(provision, CommandProvision) and not provision.command:
        raise ConfigError(
            f"the configuration does not say how {leg.config.standby}'s machines become a fresh clone",
            evidence="way_back.provision is missing",
            consequence=f"traffic stays on {leg.config.serving}; nothing was done",
            next_command="add way_back.provision (docs/provision.md), then bmswitch standby",
        )
