"""Builds green and proves that it is fit: reachable, right version, empty, bucket readable, its own Kafka with the partitions."""

import time
from collections.abc import Callable

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from bmswitch.bluemind.client import Core, wait_task
from bmswitch.kafka.topics import Topics
from bmswitch.model.config import Config, LocalProvision
from bmswitch.model.errors import CloneError, RefusedError, UnreachableError
from bmswitch.model.guards.facts import CLONING, NOT_INSTALLED
from bmswitch.model.plan import Plan
from bmswitch.model.topics import crp
from bmswitch.provision.api import BuildRequest, Provisioner
from bmswitch.provision.command import CommandProvisioner
from bmswitch.provision.local import local_provisioner
from bmswitch.workflows.barrier import ensure_barrier
from bmswitch.workflows.history import remember
from bmswitch.workflows.plan import check_fresh, refuse_stops
from bmswitch.workflows.sites import open_bucket, open_core

_READY_WITHIN = 60.0
_INITIALIZED_WITHIN = 120.0
_CRP_PARTITIONS = 8


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """What was built and proved; each check is one sentence with what was seen."""

    built: str
    version: str
    state: str
    topics: dict[str, int]
    probes_created: int
    checks: list[str]
    seconds: float


def run_provision(config: Config, plan: Plan, tell: Callable[[str], None]) -> Provisioned:
    """Builds green, then proves it fit. Can be repeated: what is there already is only proved again.

    Raises:
        StalePlanError: blue is not what the plan was made for.
        RefusedError: green is not fit, or its command failed.
        UnreachableError: green's core, Kafka or the bucket does not answer.
    """
    started = time.monotonic()
    check_fresh(plan, config)
    refuse_stops(plan)
    built = _driver(config).build(_request(config, plan))
    tell(f"{config.standby} was built {built}")
    green = open_core(config, config.standby)
    blue = open_core(config, config.serving)
    try:
        checks = [_right_version(green, config), _installed(green), _empty(green, plan)]
        shared = config.replication.mode == "shared"
        topics, check = _shared_kafka(config, plan) if shared else _own_kafka(config, plan)
        checks += [check, _bucket(config)]
        created = ensure_barrier(blue, plan.source.domains)
        checks.append(f"probe entries for the barrier are on {config.serving} ({created} new)")
        done = Provisioned(
            built=built,
            version=green.version().software_version,
            state=green.state(),
            topics=topics,
            probes_created=created,
            checks=checks,
            seconds=round(time.monotonic() - started, 2),
        )
        if created:  # not a repetition, which only proves what is there
            remember(config, plan, "provision", done.seconds, "built")
        return done
    finally:
        green.close()
        blue.close()


def _driver(config: Config) -> Provisioner:
    if isinstance(config.provision, LocalProvision):
        return local_provisioner(config.provision.directory, config.standby)
    return CommandProvisioner(config.provision.command, config.provision.timeout)


def _request(config: Config, plan: Plan) -> BuildRequest:
    return BuildRequest(
        target=config.standby,
        target_url=config.target.url,
        target_version=config.target.version,
        target_kafka=config.target.kafka.bootstrap,
        installation_id=config.target.installation_id or plan.source.installation_id,
        servers=config.servers,
    )


def _right_version(green: Core, config: Config) -> str:
    """Waits until green's core answers, then compares its version."""
    waiting = Retrying(
        retry=retry_if_exception_type(UnreachableError),
        stop=stop_after_delay(_READY_WITHIN),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    version = waiting(green.version).software_version
    if not version.startswith(config.target.version):
        raise _unfit(f"{green.name} has the wrong version", f"{version}, expected {config.target.version}")
    return f"core answers, BlueMind {version}"


def _installed(green: Core) -> str:
    """Initializes a fresh core; a clone under way is left alone (clone-and-api.md 1.4)."""
    state = green.state()
    if state == NOT_INSTALLED:
        status = wait_task(green, green.initialize(), timeout=_INITIALIZED_WITHIN)
        if status.state != "Success":
            raise CloneError(f"{green.name} could not be initialized", evidence=status.message)
        state = green.state()
    if state != CLONING:
        raise _unfit(
            f"{green.name} does not come up as a clone",
            f"state {state}, expected {CLONING}: are /etc/bm/continuous.clone and mcast.id.clone there?",
        )
    green.check_token()
    return f"initialized, state {state}, token accepted"


def _empty(green: Core, plan: Plan) -> str:
    """Nothing but what a clone of this plan's blue would hold."""
    foreign = sorted(set(green.domains()) - set(plan.source.domains))
    if foreign:
        raise _unfit(
            f"{green.name} is not empty", "domains that its source does not have: " + ", ".join(foreign)
        )
    return "empty"


def _own_kafka(config: Config, plan: Plan) -> tuple[dict[str, int], str]:
    """Creates green's topics with blue's numbers of partitions; the creation reads them back."""
    wanted = {crp(plan.source.installation_id): _CRP_PARTITIONS} | plan.source.topics
    topics = Topics(config.target.kafka)
    made = topics.create(wanted)
    return wanted, f"own Kafka, {len(wanted)} topics with the source's partitions ({len(made)} new)"


def _shared_kafka(config: Config, plan: Plan) -> tuple[dict[str, int], str]:
    """Nothing is created: the clone reads the source's own log, which must have the proxy's topic."""
    there = Topics(config.target.kafka).cluster().of(plan.source.installation_id)
    if crp(plan.source.installation_id) not in there:
        raise _unfit(
            f"{config.serving}'s Kafka has no topic that a clone knows its owners by",
            f"{crp(plan.source.installation_id)} is not there: BlueMind's reverse proxy writes it",
        )
    return there, f"{config.serving}'s own Kafka, {len(there)} topics, nothing created"


def _bucket(config: Config) -> str:
    bucket = open_bucket(config.bucket)
    try:
        bucket.check()
    finally:
        bucket.close()
    return f"bucket {config.bucket.name} readable"


def _unfit(cause: str, evidence: str) -> RefusedError:
    return RefusedError(
        cause,
        evidence=evidence,
        consequence="it is not fit; traffic was not touched",
        next_command="mend it and run the same command again",
    )
