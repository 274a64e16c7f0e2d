"""Makes the plan: reads both sides, asks every guard, writes a plan file; later commands load it and check that it still fits."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bmswitch.files import replace_file
from bmswitch.model.config import Config
from bmswitch.model.errors import PlanError, StalePlanError
from bmswitch.model.guards import ask
from bmswitch.model.guards.facts import Facts, SideFacts
from bmswitch.model.plan import SCHEMA, Fingerprint, Plan, Step, Volume, changes
from bmswitch.workflows.config import config_hash
from bmswitch.workflows.cures import disabled_findings
from bmswitch.workflows.facts import beforehand, side_facts

PLAN = "plan.json"


def steps(config: Config) -> list[Step]:
    """The commands in their order, for the direction of the configuration."""
    source, target = config.serving, config.standby
    return [
        Step(
            command="provision",
            does=f"builds {target}, writes 64 hidden probe entries into each of {source}'s domains",
            clients="notice nothing",
            undone_by=f"removing {target}; the probe entries may stay",
        ),
        Step(
            command="replicate",
            does=f"copies {source}'s log to {target}'s Kafka, cured, and keeps it there; starts {target}'s native clone",
            clients="notice nothing",
            undone_by="stopping it",
        ),
        Step(
            command="verify",
            does="reads both sides and compares every container, item and body",
            clients="notice nothing",
            undone_by="nothing to undo: it only reads, but for its barrier's probe entries",
        ),
        Step(
            command="cutover" if source == "blue" else "return",
            does=f"holds, drains, fences {source}, proves, promotes {target}, flips the proxies, releases",
            clients="wait for the hold, then go on; web users log in again",
            undone_by=f"--abort until {target} has taken a client's write; then standby and return",
        ),
    ]


def make_plan(config: Config, *, back: bool = False) -> Plan:
    """Reads both sides and asks every guard. Writes nothing.

    Raises:
        BmswitchError: when blue can not be read at all, as there is then nothing to plan.
    """
    facts = beforehand(config, back=back)
    if facts.source.core_error and facts.source.kafka_error:
        side_facts(config, config.serving, strict=True)
    return Plan(
        schema=SCHEMA,
        id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        config_hash=config_hash(config),
        serving=config.serving,
        back=back,
        source=fingerprint(facts.source),
        target=fingerprint(facts.target),
        volume=_volume(facts),
        steps=steps(config),
        findings=[*ask(facts, "plan"), *disabled_findings(config)],
    )


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
    path = path or default_plan_path(config)
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
        plan = msgspec.json.decode(raw, type=Plan)
    except msgspec.DecodeError as error:
        raise PlanError(
            f"the plan file {path} is damaged", evidence=str(error), next_command=again
        ) from error
    if plan.config_hash != config_hash(config):
        raise StalePlanError(
            "the configuration has changed since the plan was made",
            evidence=f"plan {plan.id} of {plan.created_at}",
            next_command=f"{again}, and read what it says",
        )
    return plan


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
            evidence="; ".join(found[:10]),
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
