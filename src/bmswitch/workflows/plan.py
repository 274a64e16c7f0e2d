"""Makes the plan: reads both sides, asks every guard, writes a plan file; later commands load it and check that it still fits."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.accepting import unavoidable
from bmswitch.model.config import Config
from bmswitch.model.decisions import Skip
from bmswitch.model.errors import PlanError, StalePlanError
from bmswitch.model.guards import ask
from bmswitch.model.guards.facts import Facts, SideFacts
from bmswitch.model.plan import SCHEMA, Finding, Fingerprint, Plan, Volume, changes
from bmswitch.model.strategy import choose
from bmswitch.workflows.config import config_hash
from bmswitch.workflows.cures import disabled_findings
from bmswitch.workflows.facts import beforehand, side_facts
from bmswitch.workflows.history import load_history
from bmswitch.workflows.inventory import inventory
from bmswitch.workflows.needed import look
from bmswitch.workflows.plan_parts import config_parts, part_changes
from bmswitch.workflows.probe import probe
from bmswitch.workflows.steps import case_of, given_of, predicted, steps
from bmswitch.workflows.uncured import uncured_findings

PLAN = "plan.json"
PREVIOUS = ".previous.json"
_MOST = 10


def make_plan(config: Config, *, back: bool = False, skips: Sequence[Skip] = ()) -> Plan:
    """Reads both sides and asks every guard. Writes nothing. What is skipped is asked all the same, and written down.

    Raises:
        BmswitchError: when blue can not be read at all, as there is then nothing to plan.
    """
    facts = beforehand(config, back=back)
    if facts.source.core_error and facts.source.kafka_error:
        side_facts(config, config.serving, strict=True)
    now, looked = datetime.now(UTC), probe(config, facts)
    there = inventory(config, facts, looked)
    volume, runs = _volume(facts), load_history(config)
    given = given_of(config, facts, volume=volume, there=there, looked=looked, runs=runs)
    return Plan(
        schema=SCHEMA,
        id=f"{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}",
        created_at=now.isoformat(timespec="seconds"),
        config_hash=config_hash(config),
        config_parts=config_parts(config),
        skips=list(skips),
        accepted=unavoidable(now.isoformat(timespec="seconds")) if config.plan.accept_unavoidable else [],
        serving=config.serving,
        back=back,
        source=fingerprint(facts.source),
        target=fingerprint(facts.target),
        volume=volume,
        inventory=there,
        probe=looked,
        strategy=choose(case_of(config, facts, there, runs, back=back), config.plan),
        steps=predicted(steps(config), given),
        findings=[*ask(facts, "plan", skips), *_of_cures(config, facts)],
    )


def _of_cures(config: Config, facts: Facts) -> list[Finding]:
    """What is not cured: by the operator's wish, or because nothing is copied."""
    if config.replication.mode == "shared":
        return uncured_findings(facts.entries, look(config, facts.source))
    return disabled_findings(config)


def ask_only(config: Config, names: Sequence[str], *, back: bool = False) -> list[Finding]:
    """What some guards say now. No plan comes of it: a plan knows all."""
    return ask(beforehand(config, back=back, count=False), "plan", only=names)


def fingerprint(side: SideFacts) -> Fingerprint:
    """What binds a plan to one side. Green's own state is not in it: green is built while the plan is carried out."""
    return Fingerprint(
        url=side.url,
        version=side.version,
        installation_id=side.installation_id,
        domains=sorted(side.domains),
        servers=side.servers,
        topics=side.topics,
        kafka_cluster_id=side.kafka_cluster_id,
    )


def save_plan(plan: Plan, path: Path) -> None:
    """Writes the plan file (0600) by replacing it whole: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        replace_file(path, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")
    except OSError as error:
        raise PlanError(f"the plan file {path} can not be written", evidence=str(error)) from error


def keep_previous(path: Path) -> Path | None:
    """The plan that stands at `path` copied beside it, so that `plan diff` can tell what a new one changes; None without one."""
    kept = path.with_name(path.stem + PREVIOUS)
    try:
        replace_file(kept, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlanError(f"the plan file {kept} can not be written", evidence=str(error)) from error
    return kept


def default_plan_path(config: Config) -> Path:
    """`plan.json` in the run folder."""
    return Path(config.run_dir) / PLAN


def source_servers(run_dir: Path) -> dict[str, str]:
    """Addresses of the source's servers as the plan of a run folder has read them; empty without a plan."""
    try:
        return msgspec.json.decode((run_dir / PLAN).read_bytes(), type=Plan).source.servers
    except (OSError, msgspec.MsgspecError):
        return {}


def load_plan(config: Config, path: Path | None = None) -> Plan:
    """The plan file, checked for shape and for belonging to this configuration.

    Raises:
        PlanError: missing, damaged, or of another schema.
        StalePlanError: made from another configuration.
    """
    plan = read_plan(path or default_plan_path(config))
    if plan.config_hash != config_hash(config):
        found = part_changes(plan.config_parts, config_parts(config))
        raise StalePlanError(
            "the configuration has changed since the plan was made",
            evidence="; ".join([f"plan {plan.id} of {plan.created_at}", *found[:_MOST]]),
            next_command="bmswitch plan, and read what it says",
        )
    return plan


def read_plan(path: Path) -> Plan:
    """A plan file as it is, whatever configuration it is of. Raises PlanError as `load_plan` does."""
    again = "bmswitch plan"
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise PlanError(f"there is no plan file {path}", next_command=again) from error
    except OSError as error:
        raise PlanError(
            f"the plan file {path} can not be read", evidence=str(error), next_command=again
        ) from error
    try:
        seen = msgspec.json.decode(raw, type=_Versioned).schema
        if seen != SCHEMA:
            raise PlanError(
                f"the plan file {path} has schema {seen}, this bmswitch writes {SCHEMA}", next_command=again
            )
        return msgspec.json.decode(raw, type=Plan)
    except msgspec.DecodeError as error:
        raise PlanError(
            f"the plan file {path} is damaged", evidence=str(error), next_command=again
        ) from error


def check_fresh(plan: Plan, config: Config) -> None:
    """Reads blue again and compares it with what the plan was made for; green by its Kafka cluster only.

    Raises:
        StalePlanError: names every difference.
        BmswitchError: blue can not be read.
    """
    source = side_facts(config, config.serving, strict=True)
    found = changes(plan.source, fingerprint(source), config.serving)
    target = side_facts(config, config.standby, strict=False)
    if target.kafka_cluster_id and target.kafka_cluster_id != plan.target.kafka_cluster_id:
        found.append(
            f"{config.standby} kafka_cluster_id: was {plan.target.kafka_cluster_id}, is {target.kafka_cluster_id}"
        )
    if found:
        raise StalePlanError(
            f"the plan {plan.id} is stale: what it was made for has changed",
            evidence="; ".join(found[:_MOST]),
            next_command="bmswitch plan, and read what it says",
        )


def refuse_stops(plan: Plan) -> None:
    """A plan with something in the way is not carried out.

    Raises:
        PlanError: the first thing in the way, with its evidence and command.
    """
    if plan.stops:
        first = plan.stops[0]
        raise PlanError(
            f"the plan says stop: {first.cause}",
            evidence=first.evidence or f"guard {first.guard}",
            next_command=first.command or "mend it, then run `bmswitch plan` again",
        )


class _Versioned(msgspec.Struct):
    schema: int


def _volume(facts: Facts) -> Volume:
    return Volume(
        records=facts.source.records,
        entries=facts.entries,
        bodies=max(0, facts.bucket.bodies),
        documents=facts.bucket.documents,
    )
