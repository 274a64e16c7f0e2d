"""A good world for guards, before and at the switch, and how to spoil a part of it."""

import msgspec

from bmswitch.model.config import Colour
from bmswitch.model.guards.facts import (
    BucketFacts,
    CertificateFacts,
    ClockFacts,
    Facts,
    KeyFacts,
    LinkFacts,
    LogRightsFacts,
    MachineFacts,
    NodeFacts,
    PortFacts,
    PublicFacts,
    SideFacts,
    SwitchFacts,
)
from bmswitch.model.proof import Proof
from bmswitch.model.status import ReplicateStatus

replace = msgspec.structs.replace

NOW = 1_700_000_000.0
HEX = "0" * 32
LOG = f"{HEX}-lab.test"
TOLD = {
    "cleanup.policy": "compact",
    "min.insync.replicas": "2",
    "max.message.bytes": "5505024",
    "max.compaction.lag.ms": "3600000",
}
BROKER = {"offsets.retention.minutes": "10080"}
SYSCONF = {
    "archive_kind": "s3",
    "sds_backup_rentention_days": "90",
    "sds_s3_bucket": "bluemind",
    "sds_s3_endpoint": "https://s3.test",
    "sds_filehosting_storetype": "s3",
    "sds_filehosting_s3_bucket": "documents",
    "sds_filehosting_s3_access_key": "digest:1",
    "external_url": "mail.lab.test",
    "host": "10.0.0.1",
    "hz-member-address": "10.0.0.1",
}
OVERRIDE = {
    "host": "10.1.0.1",
    "hz-member-address": "10.1.0.1",
    "sds_filehosting_s3_bucket": "documents-of-green",
}
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


def front(**changes: object) -> CertificateFacts:
    """A frontend's certificate."""
    good = CertificateFacts(
        at="edge-1 mail.lab.test:443",
        host="mail.lab.test",
        port=443,
        fingerprint="aa",
        until=NOW + 90 * 86400,
    )
    return replace(good, **changes)


def behind(colour: str, **changes: object) -> CertificateFacts:
    """The certificate of a side's own machine."""
    machine = front(at=f"{colour} bm-master:443", host="bm-master", colour=colour, until=0.0)
    return replace(machine, **changes)


def reached(colour: Colour, *ports: int) -> list[PortFacts]:
    """Ports of a side that are open from here."""
    return [PortFacts(colour, "10.0.0.9", port) for port in ports]


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
        broker=BROKER,
        nodes_topic=3,
        protocol="SASL_SSL",
        documents=1000,
    ),
    target=SideFacts(
        colour="green",
        url="http://green:8090",
        wanted_version="5.1",
        core_error="no answer",
        kafka_cluster_id="kafka-green",
        protocol="SASL_SSL",
    ),
    server_map={"bm-master": "10.1.0.1"},
    mode="mirror",
    bucket=BucketFacts(
        bodies=3, documents=2, name="bluemind", endpoint="https://s3.test", versioning="Enabled"
    ),
    nodes=[NodeFacts("edge-1", "blue", 0)],
    heartbeat_age=30.0,
    clocks=[
        ClockFacts("blue", 0.4),
        ClockFacts("green", None, "ConnectError"),
        ClockFacts("the bucket", -0.3),
    ],
    new_topic_bytes=5_505_024,
    new_topic_copies=3,
    override=OVERRIDE,
    same_bucket_keys=False,
    machines=[MachineFacts(colour="blue", uid="bm-master", lost=0, queued=0)],
    certificates=[front()],
    public=PublicFacts(host="mail.lab.test", addresses=["10.9.0.1"], proxies=["10.9.0.1"]),
    links=[LinkFacts("https://mail.lab.test/fh/1", 200)],
)
"""Nothing was done yet: green is not there."""
KEYS = [KeyFacts(colour="blue", may_write=True), KeyFacts(colour="green", may_write=True)]
SWITCH = SwitchFacts(plan_id="p1", max_lag=2.0, status=STATUS, proof=PROOF, free_bytes=1 << 30, keys=KEYS)
AT_GATE = replace(
    GOOD,
    target=replace(
        GOOD.target,
        core_error="",
        state="CORE_STATE_CLONING",
        version="5.1.0.1",
        sysconf=SYSCONF | OVERRIDE,
        readers={"clone-x-of-y": "STABLE"},
        topics=GOOD.source.topics,
        documents=1000,
    ),
    bucket=replace(GOOD.bucket, documents_before=2),
    certificates=[front(), behind("blue"), behind("green")],
    clocks=[ClockFacts("blue", 0.4), ClockFacts("green", 0.2), ClockFacts("the bucket", -0.3)],
    switch=SWITCH,
)
"""The copy runs and the target is its equal."""


def source(**changes: object) -> Facts:
    """Beforehand, with a part of the source changed."""
    return replace(GOOD, source=replace(GOOD.source, **changes))


def target(**changes: object) -> Facts:
    """Beforehand, with a part of the target changed."""
    return replace(GOOD, target=replace(GOOD.target, **changes))


def facts(**changes: object) -> Facts:
    """Beforehand, with any part changed."""
    return replace(GOOD, **changes)


SHARED = replace(target(kafka_cluster_id="kafka-blue"), mode="shared")
"""Beforehand, where both sides use blue's Kafka and nothing is known of rights."""


def shared(**changes: object) -> Facts:
    """The same with a part of the source changed."""
    return replace(SHARED, source=replace(SHARED.source, **changes))


def shared_target(**changes: object) -> Facts:
    """The same with a part of the target changed."""
    return replace(SHARED, target=replace(SHARED.target, **changes))


def rights(**changes: object) -> Facts:
    """The same with what is known of who may write to the log."""
    return replace(SHARED, log_rights=LogRightsFacts(**changes))  # type: ignore[arg-type]  # the caller knows the fields


def bucket(**changes: object) -> Facts:
    """Beforehand, with a part of the bucket changed."""
    return replace(GOOD, bucket=replace(GOOD.bucket, **changes))


def sysconf(**changes: str) -> Facts:
    """Beforehand, with some of the source's settings changed."""
    return source(sysconf=SYSCONF | changes)


def machine(**changes: object) -> Facts:
    """Beforehand, with what the source's machine says changed."""
    return facts(machines=[replace(GOOD.machines[0], **changes)])


def public(**changes: object) -> Facts:
    """Beforehand, with the way of the public name changed."""
    return facts(public=replace(GOOD.public, **changes))


def at_gate(**changes: object) -> Facts:
    """At the gate, with any part changed."""
    return replace(AT_GATE, **changes)


def gate(**changes: object) -> Facts:
    """At the gate, with a part of what only the gate knows changed."""
    return replace(AT_GATE, switch=replace(SWITCH, **changes))


def gate_target(**changes: object) -> Facts:
    """At the gate, with a part of the target changed."""
    return replace(AT_GATE, target=replace(AT_GATE.target, **changes))


def gate_sysconf(**changes: str) -> Facts:
    """At the gate, with some of the target's settings changed."""
    return gate_target(sysconf=SYSCONF | OVERRIDE | changes)
