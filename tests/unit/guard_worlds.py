"""A good world for guards, before and at the switch, and how to spoil a part of it."""

import msgspec

from bmswitch.model.guards.facts import (
    BucketFacts,
    ClockFacts,
    Facts,
    KeyFacts,
    NodeFacts,
    SideFacts,
    SwitchFacts,
)
from bmswitch.model.proof import Proof
from bmswitch.model.status import ReplicateStatus

NOW = 1_700_000_000.0
HEX = "0" * 32
LOG = f"{HEX}-lab.test"
TOLD = {"cleanup.policy": "compact", "min.insync.replicas": "2", "max.message.bytes": "5505024"}
SYSCONF = {"archive_kind": "s3", "sds_backup_rentention_days": "90"}
STATUS = ReplicateStatus(plan_id="p1", pid=7, phase="caught_up", started_at=NOW - 60, updated_at=NOW - 0.2)
PROOF = Proof(
    plan_id="p1",
    verdict="equal",
    at=NOW - 30,
    position={},
    containers=3,
    items=9,
    bodies=1,
    bodies_read=1,
    differences=0,
    known_differences=0,
    unsettled=0,
    seconds=1.0,
    not_proved=[],
)
GOOD = Facts(
    now=NOW,
    source=SideFacts(
        colour="blue",
        url="http://blue:8090",
        wanted_version="5.0",
        state="CORE_STATE_RUNNING",
        version="5.0.1",
        installation_id="bluemind-00000000-0000-0000-0000-000000000000",
        domains=["lab.test"],
        servers={"bm-master": "10.0.0.1"},
        kafka_cluster_id="kafka-blue",
        topics={f"{HEX}-__orphans__": 64, f"{HEX}-lab.test": 64, f"{HEX}-crp-dir-entries": 8},
        records={f"{HEX}-lab.test": 10},
        copies={f"{HEX}-__orphans__": 3, LOG: 3},
        settings={f"{HEX}-__orphans__": TOLD, LOG: TOLD},
        sysconf=SYSCONF,
    ),
    target=SideFacts(
        colour="green",
        url="http://green:8090",
        wanted_version="5.1",
        core_error="no answer",
        kafka_cluster_id="kafka-green",
    ),
    server_map={"bm-master": "10.1.0.1"},
    mode="mirror",
    bucket=BucketFacts(bodies=3),
    nodes=[NodeFacts("edge-1", "blue", 0)],
    heartbeat_age=30.0,
    clocks=[
        ClockFacts("blue", 0.4),
        ClockFacts("green", None, "ConnectError"),
        ClockFacts("the bucket", -0.3),
    ],
    new_topic_bytes=5_505_024,
)
"""Nothing was done yet: green is not there."""
KEYS = [KeyFacts(colour="blue", may_write=True), KeyFacts(colour="green", may_write=True)]
SWITCH = SwitchFacts(plan_id="p1", max_lag=2.0, status=STATUS, proof=PROOF, free_bytes=1 << 30, keys=KEYS)
AT_GATE = msgspec.structs.replace(
    GOOD,
    target=msgspec.structs.replace(GOOD.target, core_error="", state="CORE_STATE_CLONING", version="5.1.0.1"),
    clocks=[ClockFacts("blue", 0.4), ClockFacts("green", 0.2), ClockFacts("the bucket", -0.3)],
    switch=SWITCH,
)
"""The copy runs and the target is its equal."""

replace = msgspec.structs.replace


def source(**changes: object) -> Facts:
    return replace(GOOD, source=replace(GOOD.source, **changes))


def target(**changes: object) -> Facts:
    return replace(GOOD, target=replace(GOOD.target, **changes))


def facts(**changes: object) -> Facts:
    return replace(GOOD, **changes)


def bucket(**changes: object) -> Facts:
    return replace(GOOD, bucket=replace(GOOD.bucket, **changes))


def gate(**changes: object) -> Facts:
    """At the gate, with a part of what only the gate knows changed."""
    return replace(AT_GATE, switch=replace(SWITCH, **changes))


def gate_target(**changes: object) -> Facts:
    return replace(AT_GATE, target=replace(AT_GATE.target, **changes))
