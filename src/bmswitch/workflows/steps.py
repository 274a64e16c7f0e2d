"""The commands of a run in their order: what each does, what clients notice, how it is undone."""

import math
from pathlib import Path

import msgspec

from bmswitch.model.config import CommandProvision, Config
from bmswitch.model.guards.facts import Facts
from bmswitch.model.guards.log_outlives_copy import remaining_life
from bmswitch.model.history import Run
from bmswitch.model.inventory import Inventory
from bmswitch.model.plan import Step, Volume
from bmswitch.model.predict import Given, predict
from bmswitch.model.probe import Probe
from bmswitch.model.strategy import Case
from bmswitch.replication.state import read_status

_FRESH = 15.0


def steps(config: Config) -> list[Step]:
    """The commands in their order, for the direction of the configuration."""
    source, target = config.serving, config.standby
    folded = ", its first pass folded" if config.replication.fold else ""
    return [
        Step(
            command="provision",
            does=f"builds {target}, writes 64 hidden probe entries into each of {source}'s domains",
            clients="notice nothing",
            undone_by=f"removing {target}; the probe entries may stay",
        ),
        Step(
            command="replicate",
            does=f"copies {source}'s log to {target}'s Kafka, cured{folded}, and keeps it there; starts {target}'s native clone"
            if config.replication.mode == "mirror"
            else f"starts {target}'s native clone on {source}'s own Kafka and watches it; copies and cures nothing",
            clients="notice nothing",
            undone_by="stopping it",
        ),
        Step(
            command="verify",
            does="reads both sides and compares every container, item and body",
            clients="notice nothing",
            undone_by="nothing: it only reads, but for its barrier's probe entries",
        ),
        Step(
            command="cutover" if source == "blue" else "return",
            does=f"holds, drains, fences {source}, proves, promotes {target}, flips the proxies, releases",
            clients="wait for the hold, then go on; web users log in again",
            undone_by=f"--abort until {target} has taken a client's write; then standby and return",
        ),
    ]


def predicted(plain: list[Step], given: Given) -> list[Step]:
    """The steps with what is to be expected of each."""
    found: list[Step] = []
    for step in plain:
        told = predict(step.command, given)
        found.append(
            msgspec.structs.replace(step, estimate=told.estimate, load=told.load, limits=told.limits)
        )
    return found


def given_of(
    config: Config, facts: Facts, *, volume: Volume, there: Inventory, looked: Probe, runs: list[Run]
) -> Given:
    """What predictions rest on, from what was read and configured."""
    build, life = config.provision, remaining_life(facts)
    status = read_status(Path(config.run_dir))
    return Given(
        records=volume.total_records,
        bodies=volume.bodies,
        probe=looked,
        inventory=there,
        runs=runs,
        rate=config.replication.rate,
        provision_timeout=build.timeout if isinstance(build, CommandProvision) else 0.0,
        caught_up_timeout=config.replication.caught_up_timeout,
        hold=config.budgets.hold,
        soak=config.soak.seconds,
        batch=config.sessions.batch,
        every=config.sessions.every,
        status=status if status and facts.now - status.updated_at < _FRESH else None,
        log_life=life if math.isfinite(life) else None,
    )


def case_of(config: Config, facts: Facts, there: Inventory, runs: list[Run], *, back: bool) -> Case:
    """What the choice of a strategy rests on."""
    target = facts.target.version or config.target.version
    return Case(
        mailboxes=there.mailboxes,
        source_version=facts.source.version or config.source.version,
        target_version=target,
        room=_no_room(config, facts),
        proven=sum(
            run.step == "verify"
            and run.said.startswith("equal")
            and (run.source_version, run.target_version) == (facts.source.version, target)
            for run in runs
        ),
        back=back,
    )


def _no_room(config: Config, facts: Facts) -> str:
    """Why a second infrastructure is not seen; empty when it is."""
    if facts.target.kafka_error:
        return f"{config.standby}'s Kafka does not answer"
    shared = sorted(set(config.servers.values()) & set(facts.source.servers.values()))
    if shared:
        return f"{', '.join(shared)} is a machine of {config.serving} already"
    missing = sorted(set(facts.source.servers) - set(config.servers))
    return f"no machine is named for {', '.join(missing)}" if missing else ""
