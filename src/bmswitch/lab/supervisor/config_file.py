"""The lab's `bmswitch.yaml`: what an operator would write for two sites, one bucket and one proxy node."""

import msgspec
import yaml

from bmswitch.lab.supervisor import cores, kafka_embedded, proxy
from bmswitch.lab.supervisor.layout import ADDRESSES, BUCKET, SERVER_UID, SHARED_ADDRESS, VERSIONS, Layout
from bmswitch.lab.supervisor.state import State, kafkas
from bmswitch.model.config import (
    Bucket,
    BucketKey,
    Budgets,
    Canary,
    Colour,
    Config,
    Core,
    Kafka,
    LocalProvision,
    Machines,
    Replication,
    Secret,
    Site,
    Soak,
    WayBack,
)

_HEADING = """# Configuration of this lab, written by `bmswitch lab up`. Paths are relative to this file.
# What each key means: `bmswitch config schema`.
"""


def write_config(layout: Layout, state: State) -> None:
    """Writes it, leaving out what has its default."""
    layout.config.write_text(
        _HEADING
        + yaml.safe_dump(_told(build(layout, state)), sort_keys=False, default_flow_style=None, width=100),
        encoding="utf-8",
    )


def build(layout: Layout, state: State) -> Config:
    """The configuration as types; the budgets suit a small machine that carries both sites and their load."""
    return Config(
        version=1,
        run_dir="run",
        blue=_site(layout, state, "blue"),
        green=_site(layout, state, "green"),
        servers={SERVER_UID: ADDRESSES["green"]},
        bucket=Bucket(
            endpoint=f"http://{SHARED_ADDRESS}:{state.ports['s3']}",
            name=BUCKET,
            access_key=Secret(file="secrets/s3.access"),
            secret_key=Secret(file="secrets/s3.secret"),
        ),
        proxies=[proxy.node(state)],
        provision=LocalProvision(directory="."),
        replication=Replication(
            mode=state.mode,
            caught_up_timeout=300.0,
            clone_workers=2,
            sysconf_override={"host": ADDRESSES["green"]},
        ),
        way_back=WayBack(sysconf_override={"host": ADDRESSES["blue"]}),
        budgets=Budgets(hold=8.0, lease=3.0, drain=2.0, barrier=3.0, fence=4.0, prove=3.0, promote=3.0),
        soak=_soak(layout, state),
    )


def _soak(layout: Layout, state: State) -> Soak:
    """The first person of a seeded lab is the canary; whose password is in a real log's hashes nobody knows."""
    from bmswitch.lab.seed import PASSWORD  # noqa: PLC0415 -- slow import, only for a seeded lab

    if state.log:
        return Soak(seconds=5.0)
    cores.make_secret(layout.secret("canary.password"), PASSWORD)
    return Soak(
        seconds=5.0,
        canary=Canary(login=f"user-000@{state.domain}", password=Secret(file="secrets/canary.password")),
    )


def _site(layout: Layout, state: State, colour: Colour) -> Site:
    return Site(
        url=f"http://{ADDRESSES[colour]}:{state.ports[f'{colour}_http']}",
        token=Secret(file=f"secrets/{colour}.token"),
        version=VERSIONS[colour],
        kafka=_kafka(layout, state, colour),
        installation_id=state.installation_id,
        core=Core(
            stop=[f"{colour}/stop-core"],
            start=[f"{colour}/start-core"],
            kick=[f"{colour}/kick-sessions", "{kind}", "{at_most}"],
            timeout=20.0,
        ),
        machines=Machines(core_log=str(layout.log(cores.name(colour)))),
        bucket_key=BucketKey(
            access_key=Secret(file="secrets/s3.access"), secret_key=Secret(file="secrets/s3.secret")
        ),
    )


def _kafka(layout: Layout, state: State, colour: Colour) -> Kafka:
    """What is left out of the file on a side without a Kafka of its own."""
    if colour not in kafkas(state):
        return Kafka(bootstrap="")
    create = kafka_embedded.create_command(layout, colour) if state.kafka == "embedded" else None
    return Kafka(
        bootstrap=state.bootstraps[colour], create_topics=create, tells_settings=state.kafka != "embedded"
    )


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _told(value: object) -> object:
    """As plain data, without what has its default (the tag of a driver stays)."""
    if isinstance(value, msgspec.Struct):
        info = type(value).__struct_config__
        told: dict[str, object] = {info.tag_field: info.tag} if info.tag_field else {}
        for field in msgspec.structs.fields(value):
            given = getattr(value, field.name)
            if field.required or given != _default(field):
                told[field.name] = _told(given)
        return told
    if isinstance(value, dict):
        return {key: _told(given) for key, given in value.items()}
    if isinstance(value, list):
        return [_told(given) for given in value]
    return value
